"""A minibatch of every trial."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """What a learning problem's stream yields.

    x: inputs `[trials, batch, …]`.
    y: labels `[trials, batch]`, labels of positions `[trials, batch, length]`, class probabilities
        `[trials, batch, classes]` or values `[trials, batch, outputs]`.
    keys: one 64-bit word a trial, `[trials]`, from which dropout masks and other noise of layers are drawn; None where
        no layer draws.
    watch: called with (name, layer, output) after every layer of the network; modifiers and instruments look through it.
    """

    x: Tensor
    y: Tensor
    keys: Tensor | None = None
    watch: Any = None
