"""Accumulation: a step's gradient is the mean over several minibatches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..checks import check_settings, setting
from ..interfaces import Oracle, OracleModifier


@dataclass(frozen=True, kw_only=True)
class Accumulation(OracleModifier):
    """Every question is answered with the mean over the k minibatches of the step.

        f(x), g(x) ← 1/k Σᵢ fᵢ(x), 1/k Σᵢ ∇fᵢ(x),   i = k t … k t + k − 1

    Step t has the next k minibatches of the problem's stream; all questions of a step, such as those of a line search, meet
    the same ones. They are evaluated one after the other, with the memory of one, and counted as k evaluations. The mean is
    taken before all else, wherever the modifier stands: what clips sees the mean. For networks without normalisation by
    batch this is a minibatch k times as large. Moving statistics go towards the mean of the k batches' once a step,
    where a loop in torch lets them move k times. A problem that shows all of its data in every step is left as it is,
    and counted once.

    Args:
        batches: k, minibatches in a step.

    Raises:
        ValueError: batches is below 1.

    Source: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour" (2017), section 3,
    https://arxiv.org/abs/1706.02677. Same steps as a torch loop with k backward passes of loss / k before each step.
    """

    turn: ClassVar[int] = -1  # what changes the answer sees the mean

    batches: int = setting(4, least=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        return oracle, state  # the oracle of the run takes the mean, as it alone has the stream
