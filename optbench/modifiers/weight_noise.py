"""Weight noise: the gradient is taken at parameters with noise on them."""

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
class WeightNoise(OracleModifier):
    """Loss and gradient come from a point near the one asked for; noise is drawn once a step, by trial.

        f(x), g(x) ← f(x + σ ε), ∇f(x + σ ε),   ε ~ N(0, 1)

    All questions of a step, such as those of a line search, meet the same ε. The objective is judged without noise.

    Args:
        sigma: standard deviation σ, in units of the parameters.
        biases: noise on biases and normalisation parameters too, not on weights alone.

    Raises:
        ValueError: sigma is negative; the message names the trial.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 7.5; Graves, "Practical variational inference
    for neural networks", NeurIPS 2011.
    """

    sigma: Hyper = setting(1e-2, least=0)
    biases: bool = setting(True)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout, seeds: Sequence[int]) -> Int64[Tensor, "trials"]:
        return Randomness(seeds, "weight noise", params.device).keys

    def wrap(self, oracle: Oracle, state: Int64[Tensor, "trials"], step: int) -> tuple[Oracle, Int64[Tensor, "trials"]]:
        return Noisy(oracle, self, Randomness.keyed(state), step), state


class Noisy(Oracle):
    """Asks the inner oracle at parameters with noise on them; the inner one counts."""

    fixed = False

    def __init__(self, inner: Oracle, rule: WeightNoise, random: Randomness, step: int):
        self.inner, self.layout, self.matched = inner, inner.layout, inner.matched
        self.rule, self.random, self.step = rule, random, step

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        return self.inner(self._shifted(params, rows), rows)

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        return self.inner.curved(matrix, self._shifted(params, rows), rows)

    def kronecker(self, params: Params) -> dict[str, Factors]:
        return self.inner.kronecker(self._shifted(params, None))

    def _shifted(self, params: Params, rows: Rows | None) -> Params:
        noise = self.random.normal(self.step, params.shape[1], rows, params.dtype)
        return params + of_rows(self.rule.sigma, rows) * penalised(noise, self.layout, self.rule.biases)
