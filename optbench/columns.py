"""Elementwise rules on many numbers: block by block, so that a step stays in the cache, or compiled into one pass.

A rule is written once, as a pure function of whole tensors, and each of its dozen operations is a pass over memory. Where
every parameter moves by its own gradient alone, the same function of some columns gives these columns of the result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from .apart import apart
from .errors import UsageError, one_line
from .interfaces import FirstOrder, Hyper, Optimizer, Oracle, Params
from .tape import PlainError, memory
from .traced import Traced

LARGE = 2**22
"""Numbers in the parameters of all trials from which blocks are faster."""
BLOCK = 2**18
"""Numbers of a block: 1 MiB in float32."""
MULTIPLE = 64
"""Columns of a block are a multiple: torch rounds some functions otherwise in what is left over of its vectors."""
NOT_APART = (
    "gives some parameters alone other bits than among all, as where norms, sizes or other gradients enter; "
    "set `elementwise: ClassVar[bool] = False` in the class, or compile=false"
)


def _users(tensor: Tensor) -> int:
    """Tensors that lie in the same memory, views among them, and a constant."""
    return torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)  # pyright: ignore[reportAttributeAccessIssue] # torch does not publish it


def _kind(setting: Any) -> Any:
    """What decides which way a rule goes, whatever the size of a number is."""
    if isinstance(setting, (int, float)):
        return type(setting), bool(setting)
    return setting if isinstance(setting, str) else type(setting)


ALONE = _users(torch.empty(1))


class Stepper:
    """Makes the steps of one optimizer, of elementwise rules with many numbers in blocks or compiled.

    The results are those of the optimizer's own `step`; compiled, to rounding. State tensors are written over, and on request
    the parameters: what was given by others is left as it is. A rule that says that it treats elements apart is tried once;
    one that does not, and a step that is no graph of operations on whole tensors, is made as the rule is written.

    Args:
        compiled: by torch.compile, whatever the size. Rules that look at norms or matrices run as they are.

    Raises:
        UsageError: at a step: the rule is to be compiled, and there is no C++ compiler or it fails; or it says that it treats
            elements apart, and cannot be compiled.
    """

    def __init__(self, compiled: bool = False):
        self._traced = Traced(compiled)
        self.compiled = compiled
        self._tried: dict[Any, str] = {}
        self._known: Optimizer[Any] | None = None
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
        lr = optimizer.lr * factor
        if not self._apart(optimizer, lr, params):
            return optimizer.step(params, state, oracle, factor)
        _, grad = oracle(optimizer.asks_at(params, state))
        over = over and params is self._after and memory(params) != memory(grad)
        after = params if over else self._room(params)
        whole = self.compiled or params.is_cuda  # a card wants large pieces
        block = params.shape[1] if whole else max(BLOCK // params.shape[0] // MULTIPLE * MULTIPLE, 256)
        try:
            state = self._traced(optimizer, params, grad, state, lr, after, block)
        except PlainError as error:
            if self.compiled and str(error):
                raise UsageError(f"{type(optimizer).__name__} {error}; set compile=false") from error
            return optimizer.update(params, grad, state, lr)
        self._after = after
        return after, state

    def _apart(self, rule: FirstOrder[Any], lr: Hyper, params: Params) -> bool:
        """Whether the rule treats elements apart, as it says; tried once for settings of a kind.

        Raises:
            UsageError: it does not, and is to be compiled.
        """
        if rule is self._known:
            return True
        key = (type(rule), params.dtype, *map(_kind, tree_flatten(getattr(rule, "__dict__", {}))[0]))
        if key not in self._tried:
            try:
                self._tried[key] = "" if apart(rule, lr, params) else NOT_APART
            except PlainError as error:
                self._tried[key] = f"{error}; set compile=false"
            except Exception as error:  # its own step may tell
                self._tried[key] = f"cannot be tried ({one_line(error)}); set compile=false"
        if self.compiled and self._tried[key]:
            raise UsageError(f"{type(rule).__name__} {self._tried[key]}")
        self._known = None if self._tried[key] else rule
        return not self._tried[key]

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
