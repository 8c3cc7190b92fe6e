"""The learning rate as given, at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..interfaces import Hyper, Schedule


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """factor(step) = 1.

    Source: Robbins & Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951), study the
    decaying rates that this one lacks; Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 8.3.1.
    """

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return 1.0
