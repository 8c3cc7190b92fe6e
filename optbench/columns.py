"""Elementwise rules on many numbers: block by block, so that a step stays in the cache, or compiled into one pass.

A rule is written once, as a pure function of whole tensors, and each of its dozen operations is a pass over memory. Where
every parameter moves by its own gradient alone, the same function of some columns gives these columns of the result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from .interfaces import FirstOrder, Hyper, Optimizer, Oracle, Params
from .traced import Traced, check_compiler

LARGE = 2**22
"""Numbers in the parameters of all trials from which blocks are faster."""
BLOCK = 2**18
"""Numbers of a block: 1 MiB in float32."""


def _users(tensor: Tensor) -> int:
    """Tensors that lie in the same memory, views among them, and a constant."""
    return torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)  # pyright: ignore[reportAttributeAccessIssue]


ALONE = _users(torch.empty(1))


class Stepper:
    """Makes the steps of one optimizer, of elementwise rules with many numbers in blocks or compiled.

    The results are those of the optimizer's own `step`; compiled, to rounding. State tensors are written over, and on request
    the parameters: what was given by others is left as it is.

    Args:
        compiled: by torch.compile, whatever the size. Rules that look at norms or matrices run as they are.

    Raises:
        UsageError: it is to be compiled, and there is no C++ compiler.
    """

    def __init__(self, compiled: bool = False):
        if compiled:
            check_compiler()
        self._traced = Traced(compiled)
        self.compiled = compiled
        self._written: Any = None
        self._after: Params | None = None
        self._rooms: list[Tensor] = []

    def __call__(
        self,
        optimizer: Optimizer[Any],
        params: Params,
        state: Any,
        oracle: Oracle,
        factor: Hyper,
        *,
        over: bool = False,
    ) -> tuple[Params, Any]:
        """What `optimizer.step` gives.

        over: nobody needs the old parameters any more. Those that this stepper made are then written over, which spares a
            third of the memory traffic of SGD.
        """
        if not (elementwise(optimizer) and (self.compiled or params.numel() >= LARGE)):
            return optimizer.step(params, state, oracle, factor)
        assert isinstance(optimizer, FirstOrder)
        _, grad = oracle(optimizer.asks_at(params, state))
        if state is not self._written:
            state = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, state)
        lr = optimizer.lr * factor
        after = params if over and params is self._after else self._room(params)
        whole = self.compiled or params.is_cuda  # a card wants large pieces
        block = params.shape[1] if whole else max(BLOCK // params.shape[0], 256)
        self._written = self._traced(optimizer, params, grad, state, lr, after, block)
        self._after = after
        return after, self._written

    def _room(self, params: Params) -> Params:
        """A tensor like the parameters: one that this stepper gave earlier, once nobody has it any more, else a new one.

        Memory fresh from the system must be mapped page by page at first touch, which takes longer than a step of SGD.
        """
        alike = [r for r in self._rooms if (r.shape, r.dtype, r.device) == (params.shape, params.dtype, params.device)]
        room = next((r for r in alike if _users(r) == ALONE), None)
        if room is None:
            room = torch.empty_like(params, memory_format=torch.contiguous_format)
            self._rooms = [*alike[-1:], room]  # two in all: where the trials are, and where they go
        return room.detach()  # with a count of its own


def elementwise(optimizer: Optimizer[Any]) -> bool:
    """Does it move each parameter by its own gradient alone, one gradient a step?"""
    return isinstance(optimizer, FirstOrder) and optimizer.elementwise and type(optimizer).step is FirstOrder.step
