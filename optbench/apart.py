"""Does a rule treat elements apart? It is tried: steps on some columns must be those on all of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from .interfaces import FirstOrder, Hyper, Layout, Params, select
from .tape import IMPURE, PlainError

STEPS = 12
TRIALS = 8
"""The first ones are tried."""
LAYOUT = Layout(("layer.weight", "layer.bias", "norm.weight"), ((16, 8), (32,), (32,)), ("weight", "bias", "norm"))
WIDTHS = (64, 128)
"""Of the parts: multiples of what a processor works on at once, as the rest of a row may be rounded otherwise."""


def apart(rule: FirstOrder[Any], lr: Hyper, params: Params) -> bool:
    """Do parts of the columns, stepped alone, stay equal to the bit to those of all columns, in parameters and state?

    Args:
        rule: its settings may be columns `[trials, 1]`.
        lr: the rate, which may be one too.
        params: the trials, of whose type and device the parameters are that are tried; the numbers are others.

    Raises:
        PlainError: the rule writes over parameters, gradient, state or rate.
    """
    trials, n = min(params.shape[0], TRIALS), LAYOUT.n
    rule, lr = select((rule, lr), slice(0, trials))
    draw = torch.Generator().manual_seed(0)
    sizes = torch.logspace(-2, 1, n)  # so that norms of parts differ

    def random() -> Params:
        return (sizes * torch.randn(trials, n, generator=draw)).to(params)

    whole = random()
    state = rule.init(whole, LAYOUT)
    parts = [(part, _part(k, state, whole.shape)) for k, part in enumerate(whole.split(WIDTHS, dim=1))]
    for _ in range(STEPS):
        grad = random()
        given = [x for x in tree_flatten((whole, grad, state, lr))[0] if isinstance(x, Tensor)]
        written = [x._version for x in given]
        whole, state = rule.update(whole, grad, state, lr)
        if written != [x._version for x in given]:  # counts what is written in place
            raise PlainError(IMPURE)
        try:
            parts = [rule.update(p, g, s, lr) for (p, s), g in zip(parts, grad.split(WIDTHS, dim=1), strict=True)]
            if not _equal((whole, state), parts, whole.shape):
                return False
        except Exception:  # whatever a rule may raise that cannot work on a part
            return False
    return True


def _part(k: int, state: Any, shape: torch.Size) -> Any:
    """The state of one of the parts."""
    return tree_map(
        lambda leaf: leaf.split(WIDTHS, dim=1)[k] if isinstance(leaf, Tensor) and leaf.shape == shape else leaf, state
    )


def _equal(whole: Any, parts: list[Any], shape: torch.Size) -> bool:
    leaves, spec = tree_flatten(whole)
    flat = [tree_flatten(part) for part in parts]
    if any(other != spec for _, other in flat):
        return False
    for leaf, *pieces in zip(leaves, *(found for found, _ in flat), strict=True):
        if not isinstance(leaf, Tensor):
            same = all(piece == leaf for piece in pieces)
        elif leaf.shape == shape:
            same = _same(leaf, torch.cat(pieces, dim=1))
        else:
            same = all(_same(leaf, piece) for piece in pieces)
        if not same:
            return False
    return True


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal to the bit, or both not a number."""
    alike = a.shape == b.shape and a.dtype == b.dtype
    return alike and bool(((a == b) | ((a != a) & (b != b))).all())
