"""What a data set is, and what is asked of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Num
from torch import Tensor

NOT_SCORED = -1
"""The label of a place of a sequence that no loss looks at."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and targets as they come, not standardised.

    Args:
        name: key in the table DATASETS; splits depend on it.
        version: raised when the content changes; splits are drawn anew then.
        x: inputs, samples first: float64; a narrower type of numbers (uint8 pixels) where float64 would not fit in
            memory; or tokens, int64 `[samples, length]`.
        y: labels `[samples]` or, of every place of a sequence, `[samples, length]`, both int64 in 0 … classes − 1, in
            sequences also −1: not scored; or values `[samples, outputs]`, float64.
        classes: number of labels; 0 where the targets are values.
        image: inputs are pixels `[samples, channels, rows, columns]`, so they are standardised by channel rather than
            one by one.
        tokens: number of different input tokens; 0 where the inputs are numbers.
        shares: of training, validation and test part.
        held_out: this many samples, the last ones, are the published test part; the other parts are drawn from the rest,
            in the proportion of their shares.
        scale_inputs: inputs that are numbers are standardised on the training part.
        scale_targets: values are standardised on the training part.
    """

    name: str
    version: int
    x: Num[Tensor, "samples ..."]
    y: Num[Tensor, "samples ..."]
    classes: int
    image: bool
    tokens: int = 0
    shares: tuple[float, float, float] = (0.6, 0.2, 0.2)
    held_out: int = 0
    scale_inputs: bool = True
    scale_targets: bool = False

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def task(self) -> Literal["classes", "sequence", "values"]:
        """What is learnt: one label a sample, one a place, or numbers."""
        if self.classes == 0:
            return "values"
        return "classes" if self.y.ndim == 1 else "sequence"


def check(data: Dataset) -> None:
    """Refuse a data set that nothing can be learnt from.

    Raises:
        ValueError: sizes, types, shares, labels or tokens do not fit, or a number is not finite; the message names the
            data set and the first sample.
    """
    _check_sizes(data)
    _check_finite(data.name, "input", data.x)
    if data.tokens:
        _check_whole(data.name, "input token", data.x, 0, data.tokens - 1)
    if data.task == "values":
        _check_finite(data.name, "target", data.y)
    else:
        _check_whole(data.name, "label", data.y, NOT_SCORED if data.task == "sequence" else 0, data.classes - 1)


def _check_sizes(data: Dataset) -> None:
    for kind, values in (("inputs", data.x), ("targets", data.y)):
        if not isinstance(values, Tensor):
            raise ValueError(f"{data.name}: {kind} must be a torch.Tensor, got {type(values).__name__}")
    name, samples = data.name, len(data)
    if samples == 0 or data.classes < 0:
        raise ValueError(f"{name}: there are {samples} samples and {data.classes} classes; a data set has some of each")
    if data.y.ndim == 0 or len(data.y) != samples:
        raise ValueError(f"{name}: there are {samples} inputs but {0 if data.y.ndim == 0 else len(data.y)} targets")
    if data.task == "values" and (data.y.ndim != 2 or not data.y.is_floating_point()):
        raise ValueError(f"{name}: values (classes = 0) must be floats [samples, outputs], got {_kind(data.y)}")
    if data.task != "values" and (data.y.ndim > 2 or data.y.dtype != torch.int64):
        raise ValueError(f"{name}: labels must be int64 [samples] or [samples, length], got {_kind(data.y)}")
    if data.tokens and (data.x.ndim != 2 or data.x.dtype != torch.int64):
        raise ValueError(f"{name}: tokens must be int64 [samples, length], got {_kind(data.x)}")
    if not data.tokens and (data.x.ndim < 2 or data.x.dtype in (torch.int64, torch.bool) or data.x.is_complex()):
        raise ValueError(f"{name}: inputs must be floats [samples, …], or int64 with tokens set, got {_kind(data.x)}")
    if data.image and data.x.ndim != 4:
        raise ValueError(f"{name}: images must be [samples, channels, rows, columns], got {_kind(data.x)}")
    if min(data.shares) <= 0 or abs(sum(data.shares) - 1) > 1e-9:
        raise ValueError(f"{name}: shares must be positive and sum to 1, got {data.shares}")
    if not 0 <= data.held_out < samples:
        raise ValueError(f"{name}: held_out must lie in [0, {samples - 1}], got {data.held_out}")


def _check_finite(name: str, what: str, values: Tensor) -> None:
    if not values.is_floating_point():
        return
    # the sum is finite when all are, but for an overflow: no mask of the size of the data for those that are right
    if not bool(torch.isfinite(values.sum())) and not bool((finite := torch.isfinite(values)).all()):
        place = (~finite).nonzero()[0].tolist()
        raise ValueError(
            f"{name}: {what} {_place(place[1:])} of sample {place[0]} is {values[tuple(place)].item():g}; "
            "fill it in or leave the sample out"
        )


def _check_whole(name: str, what: str, values: Tensor, least: int, most: int) -> None:
    if values.numel() and (int(values.min()) < least or int(values.max()) > most):
        place = ((values < least) | (values > most)).nonzero()[0].tolist()
        raise ValueError(
            f"{name}: every {what} must lie in [{least}, {most}], got {values[tuple(place)].item()} in sample {place[0]}"
        )


def _place(place: list[int]) -> str:
    return str(place[0]) if len(place) == 1 else str(place)


def _kind(values: Tensor) -> str:
    return f"{str(values.dtype).removeprefix('torch.')} {list(values.shape)}"
