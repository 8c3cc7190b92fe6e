"""Elementwise rules on many numbers: block by block, so that a step stays in the cache, or compiled into one pass.

A rule is written once, as a pure function of whole tensors, and each of its dozen operations is a pass over memory. Where
every parameter moves by its own gradient alone, the same function of some columns gives these columns of the result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .interfaces import FirstOrder, Hyper, Optimizer, Oracle, Params

LARGE = 2**18
"""Numbers in the parameters of all trials from which blocks are faster."""
BLOCK = 2**16
"""Numbers of a block: 256 KiB in float32."""


class Stepper:
    """Makes the steps of one optimizer, of elementwise rules with many numbers in blocks or compiled.

    The results are those of the optimizer's own `step`; compiled, to rounding. State tensors are written over: a state given
    by others is copied first, so that nobody else's tensors change.

    Args:
        compiled: by torch.compile, whatever the size. Rules that look at norms or matrices run as they are.

    Raises:
        UsageError: it is to be compiled, and there is no C++ compiler.
    """

    def __init__(self, compiled: bool = False):
        if compiled:
            from .compiled import Compiled, check_compiler  # takes seconds to import, and only those who compile need it

            check_compiler()
        self._run = Compiled() if compiled else _write_over
        self.compiled = compiled
        self._written: Any = None

    def __call__(
        self, optimizer: Optimizer[Any], params: Params, state: Any, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, Any]:
        """What `optimizer.step` gives."""
        if not (elementwise(optimizer) and (self.compiled or params.numel() >= LARGE)):
            return optimizer.step(params, state, oracle, factor)
        assert isinstance(optimizer, FirstOrder)
        _, grad = oracle(optimizer.asks_at(params, state))
        if state is not self._written:
            state = _each(state, lambda tensor: tensor.clone())
        lr, after = optimizer.lr * factor, torch.empty_like(params)
        trials, n = params.shape
        blocks = 1 if self.compiled else -(-n // max(BLOCK // trials, 256))
        last = state
        for k in range(blocks):
            columns = slice(n * k // blocks, n * (k + 1) // blocks)
            part = _each(state, lambda tensor, columns=columns: tensor[:, columns] if tensor.shape[1:] == (n,) else tensor)
            last = self._run(optimizer, params[:, columns], grad[:, columns], part, lr, after[:, columns])
        self._written = _joined(state, last, n)
        return after, self._written


def elementwise(optimizer: Optimizer[Any]) -> bool:
    """Does it move each parameter by its own gradient alone, one gradient a step?"""
    return isinstance(optimizer, FirstOrder) and optimizer.elementwise and type(optimizer).step is FirstOrder.step


def _write_over(
    rule: FirstOrder[Any], params: Params, grad: Params, state: Any, lr: Hyper, after: Params
) -> Any:
    """One step; the new parameters go to `after`, state tensors over the old ones. Returns the new state."""
    new, made = rule.update(params, grad, state, lr)
    after.copy_(new)
    return _kept(state, made, params.shape)


def _kept(old: Any, new: Any, shape: torch.Size) -> Any:
    """The new state, its columns written over the old ones."""
    if isinstance(new, Tensor) and isinstance(old, Tensor) and old.shape == new.shape == shape:
        return old.copy_(new)
    if isinstance(new, tuple) and isinstance(old, tuple):
        return _like(new, [_kept(o, n, shape) for o, n in zip(old, new, strict=True)])
    return new


def _joined(whole: Any, last: Any, n: int) -> Any:
    """The state with its whole tensors, which were written over, and from the last block what has no columns."""
    if isinstance(whole, Tensor) and whole.shape[1:] == (n,):
        return whole
    if isinstance(last, tuple) and isinstance(whole, tuple):
        return _like(last, [_joined(w, b, n) for w, b in zip(whole, last, strict=True)])
    return last


def _each(state: Any, do: Any) -> Any:
    if isinstance(state, Tensor):
        return do(state)
    return _like(state, [_each(item, do) for item in state]) if isinstance(state, tuple) else state


def _like(example: tuple[Any, ...], items: list[Any]) -> Any:
    """A tuple, or the named tuple that the example is, of these items."""
    return type(example)._make(items) if hasattr(example, "_make") else tuple(items)
