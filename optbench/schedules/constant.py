"""The learning rate as given, at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..interfaces import Hyper
from .span import Number
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Constant(Warmed):
    """The rate never changes.

        factor(step) = 1

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 8.3.1, which says why minibatch noise calls
    for one that decays.
    """

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        return 1.0
