"""The learning rate as given, at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..interfaces import Hyper, Schedule


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The rate never changes.

        factor(step) = 1

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 8.3.1, which says why minibatch noise calls
    for one that decays.
    """

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return 1.0
