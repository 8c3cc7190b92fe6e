"""What a forward pass knows besides parameters and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..randomness import Randomness, hashed


def lead(out: Any) -> Any:
    """Outputs of one trial with the dimension of trials in front.

    Raises:
        ValueError: they are neither a tensor nor a tuple of tensors.
    """
    if isinstance(out, Tensor):
        return out[None]
    if not isinstance(out, (tuple, list)):
        raise ValueError(f"a network must give a tensor or a tuple of tensors, this one gives {type(out).__name__}")
    return tuple(lead(item) for item in out)


Watch = Callable[[str, nn.Module, Any], None]
"""Called with (name of the layer, layer, its output `[trials, batch, …]`) after each layer."""


@runtime_checkable
class Trace(Protocol):
    """A watch that is also shown what goes into each layer, and what comes out as the next one gets it."""

    def __call__(self, name: str, layer: nn.Module, out: Any) -> None: ...

    def through(self, layer: nn.Module, names: Mapping[str, str], inputs: tuple[Any, ...], out: Any) -> None:
        """A layer has run; names: its parameters' names in the layer → in the row. One trial alone has no dimension of trials."""


@dataclass
class Pass:
    """One forward pass of all trials, or of one alone.

    Args:
        training: normalise by the batch's own statistics, drop units, move the moving statistics.
        keys: one 64-bit word a trial, `[trials]`, from which layers draw; None: nothing is drawn.
        drops: dropout acts; in training always, in evaluation for Monte-Carlo predictions only.
        reference: so many samples in front give the statistics of batch normalisation in evaluation.
        watch: sees the output of each layer.
        pure: under torch.func.vmap, where nothing may be changed in place.
    """

    training: bool = True
    keys: Tensor | None = None
    drops: bool = True
    reference: int = 0
    watch: Watch | None = None
    pure: bool = False
    terms: list[Tensor] = field(default_factory=list)
    """Terms of the loss whose value is zero and whose gradient moves moving statistics; `[trials]` each."""
    drawn: int = 0
    """Draws made so far; the counter of the next."""
    at: str = ""
    """The layer that runs, for messages."""

    def words(self, count: int) -> Tensor:
        """`count` random 64-bit words a trial, new ones at each call."""
        assert self.keys is not None
        self.drawn += 1
        if self.pure:
            return hashed(self.keys, self.drawn, count)
        return Randomness.keyed(self.keys).words(self.drawn, count)

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of this shape, the trials first."""
        assert self.keys is not None
        count = like.numel() // self.trials
        if not self.pure:
            self.drawn += 1
            return Randomness.keyed(self.keys).normal(self.drawn, count, dtype=like.dtype).view(like.shape)
        words = (self.words(count) >> 12) & ((1 << 52) - 1)
        return torch.special.ndtri((words.to(torch.float64) + 0.5) * 2.0**-52).to(like.dtype).view(like.shape)

    def kept(self, shape: torch.Size, dropped: float) -> Tensor:
        """Truth of "this unit is kept", each with probability 1 − dropped (to 2⁻³²), in this shape."""
        count = shape.numel() // self.trials
        words = self.words(-(-count // 2))
        halves = (
            words.view(torch.int32) if not self.pure else torch.stack([words << 32 >> 32, words >> 32], 2).flatten(1)
        )
        return (halves[:, :count] >= round((dropped - 0.5) * 2**32)).view(shape)

    @property
    def trials(self) -> int:
        assert self.keys is not None
        return self.keys.shape[0]
