"""Random changes of the samples of a batch, all trials at once, each sample of each trial by its own draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor

from ...checks import Range
from ...errors import UsageError, near
from ...interfaces import Rows
from ...randomness import Randomness
from .changes import blur, colour, crop, cutout, flip, noise
from .kinds import Change, Kind, Mix, Move
from .mixtures import mixup
from .motions import at_rest, moved, rotate, translate, zoom

AUGMENTATIONS: dict[str, Kind] = {
    "rotate": Move(rotate, Range(least=0, most=180)),
    "zoom": Move(zoom, Range(least=0, below=1)),
    "translate": Move(translate, Range(least=0), within=True),
    "flip": Change(flip, Range(least=0, most=1)),
    "crop": Change(crop, Range(least=0, whole=True), within=True),
    "blur": Change(blur, Range(least=0), within=True),
    "colour": Change(colour, Range(least=0, most=1)),
    "noise": Change(noise, Range(least=0), images=False),
    "cutout": Change(cutout, Range(least=0, whole=True), within=True),
    "mixup": Mix(mixup, Range(least=0), images=False),
}
"""Name → augmentation, in the order in which they are applied; a strength of 0 changes nothing."""


class Augmentation:
    """The augmentations of many trials. A trial's changes depend on its own seed and the step alone.

    They are applied in the order of the table AUGMENTATIONS, whatever the order of the mapping.

    Args:
        strengths: name → strength; what it means stands at the function of that name.
        seeds: one integer a trial.
        device: where the random numbers are drawn.
        classes: number of labels, which mixup turns into probabilities; 0 where targets are values.

    Raises:
        UsageError: there is no augmentation of a name.
        TypeError: a strength is no number.
        ValueError: a strength lies outside its range, or is not whole where it counts pixels.
    """

    def __init__(
        self,
        strengths: Mapping[str, Any],
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        *,
        classes: int = 0,
    ):
        checked = {name: _checked(name, strength) for name, strength in strengths.items()}
        self.strengths = {name: checked[name] for name in AUGMENTATIONS if checked.get(name)}
        self.random = {name: Randomness(seeds, f"augment {name}", device) for name in self.strengths}
        self.classes = classes

    def at(
        self,
        x: Float[Tensor, "trials batch ..."],
        y: Num[Tensor, "trials batch ..."],
        step: int,
        rows: Rows | None = None,
    ) -> tuple[Float[Tensor, "trials batch ..."], Num[Tensor, "trials batch ..."]]:
        """The samples as they are at this step; nothing is changed in place.

        Args:
            x: inputs; images are `[trials, batch, channels, height, width]`.
            y: labels, int64 `[trials, batch]`, or values; probabilities `[trials, batch, classes]` after mixup.
            step: of the run.
            rows: the trials that x and y are of; None for all.

        Raises:
            ValueError: the inputs are no images, no numbers, or smaller than a length; or the targets cannot be mixed.
        """
        self._check_fits(x)
        draw = {name: partial(random.uniform, step, rows=rows) for name, random in self.random.items()}
        chosen = [(name, AUGMENTATIONS[name], strength) for name, strength in self.strengths.items()]
        if any(isinstance(kind, Move) for _, kind, _ in chosen):
            motion = at_rest(x.shape[0], x.shape[1], x.device)
            for name, kind, strength in chosen:
                if isinstance(kind, Move):
                    motion = kind.function(motion, strength, draw[name])
            x = moved(x, motion)
        for name, kind, strength in chosen:
            if isinstance(kind, Change):
                x = kind.function(x, strength, draw[name])
            elif isinstance(kind, Mix):
                x, y = kind.function(x, self._shares(name, x, y), strength, draw[name])
        return x, y

    def _check_fits(self, x: Tensor) -> None:
        if self.strengths and not x.is_floating_point():
            raise ValueError(f"augment: {', '.join(self.strengths)} need inputs that are numbers, these are tokens")
        pictured = [name for name in self.strengths if AUGMENTATIONS[name].images]
        if pictured and x.ndim != 5:
            raise ValueError(
                f"augment: {', '.join(pictured)} need images, and an input has shape {list(x.shape[2:])}; "
                f"for any inputs there are {', '.join(name for name, kind in AUGMENTATIONS.items() if not kind.images)}"
            )
        for name in pictured:
            most, strength = min(x.shape[3:]), self.strengths[name]
            if AUGMENTATIONS[name].within and strength > most:
                raise ValueError(f"augment.{name} must lie in [0, {most}] for images of this size, got {strength:g}")

    def _shares(self, name: str, x: Tensor, y: Tensor) -> Float[Tensor, "trials batch ..."]:
        """Targets that can be mixed: labels as probabilities."""
        if y.is_floating_point():
            return y
        if y.ndim > 2:
            raise ValueError(f"augment: {name} mixes one label a sample, and the labels have shape {list(y.shape[2:])}")
        if self.classes < 1:
            raise ValueError(f"augment: {name} must know the number of classes to mix labels, got {self.classes}")
        return (y[..., None] == torch.arange(self.classes, device=y.device)).to(x.dtype)


def _checked(name: str, strength: Any) -> float:
    if name not in AUGMENTATIONS:
        raise UsageError(
            f"no augmentation is called {name!r}{near(name, AUGMENTATIONS)} (there are {', '.join(AUGMENTATIONS)})"
        )
    legal = AUGMENTATIONS[name].legal
    if isinstance(strength, bool) or not isinstance(strength, (int, float)):
        raise TypeError(f"augment.{name} must be a number in {legal}, got {strength!r}")
    if legal.broken(strength) or (legal.whole and strength != int(strength)):
        raise ValueError(f"augment.{name} must lie in {legal}, got {strength:g}")
    return int(strength) if legal.whole else float(strength)
