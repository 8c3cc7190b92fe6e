"""Gradient noise: normal noise on the gradient, less of it with every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int64
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Factors, Hyper, Layout, Loss, Matrix, Oracle, OracleModifier, Params, Product, Rows
from ..randomness import Randomness
from .derived import of_rows, penalised


@dataclass(frozen=True, kw_only=True)
class GradientNoise(OracleModifier):
    """Noise is added to the gradient; it is drawn once a step, by trial.

        g ← g + σₜ ε,   ε ~ N(0, 1),   σₜ² = eta / (1 + t)^gamma

    t counts steps from 0. All questions of a step, such as those of a line search, meet the same ε; the loss is told as it is.

    Args:
        eta: variance of the first step's noise, in squared units of the gradient.
        gamma: power of its decay.

    Raises:
        ValueError: a value is negative; the message names the trial.

    Source: Neelakantan et al., "Adding gradient noise improves learning for very deep networks" (2015), equation 1,
    https://arxiv.org/abs/1511.06807, there with eta of 0.01, 0.3 or 1 and gamma = 0.55.
    """

    eta: Hyper = setting(0.01, least=0)
    gamma: Hyper = setting(0.55, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout, seeds: Sequence[int]) -> Int64[Tensor, "trials"]:
        return Randomness(seeds, "gradient noise", params.device).keys

    def wrap(self, oracle: Oracle, state: Int64[Tensor, "trials"], step: int) -> tuple[Oracle, Int64[Tensor, "trials"]]:
        return NoisyAnswers(oracle, self, Randomness.keyed(state), step), state


class NoisyAnswers(Oracle):
    """Adds noise to the gradients of the inner oracle; the inner one counts."""

    fixed = False
    matched = False

    def __init__(self, inner: Oracle, rule: GradientNoise, random: Randomness, step: int):
        self.inner, self.layout = inner, inner.layout
        self.rule, self.random, self.step = rule, random, step

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        loss, grad = self.inner(params, rows)
        return loss, grad + self._noise(params, rows)

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        loss, grad, product = self.inner.curved(matrix, params, rows)
        return loss, grad + self._noise(params, rows), product

    def kronecker(self, params: Params) -> dict[str, Factors]:
        return self.inner.kronecker(params)

    def _noise(self, params: Params, rows: Rows | None) -> Params:
        noise = self.random.normal(self.step, params.shape[1], rows, params.dtype)
        eta, gamma = of_rows(self.rule.eta, rows), of_rows(self.rule.gamma, rows)
        return (eta / (1 + self.step) ** gamma) ** 0.5 * penalised(noise, self.layout, biases=True)
