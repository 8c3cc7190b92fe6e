"""The transformer's schedule against the paper's formula, and its plain form."""

from __future__ import annotations

import pytest
from contracts import column

from optbench.schedules.inverse_sqrt import InverseSqrt


@pytest.mark.parametrize(("warmup", "w"), [(0.1, 40), (100.0, 100), (1.0, 400)])
def test_it_is_a_multiple_of_the_formula_in_the_paper(warmup: float, w: int) -> None:
    width = 512
    paper = [width**-0.5 * min(number**-0.5, number * w**-1.5) for number in range(1, 401)]
    peak = (width * w) ** -0.5
    ours = [peak * InverseSqrt(warmup=warmup).factor(step, 400, ()) for step in range(400)]
    assert ours == pytest.approx(paper, rel=1e-12, abs=0)


def test_without_a_warmup_it_is_one_over_the_root_of_the_number_of_the_step() -> None:
    factors = [InverseSqrt(warmup=0.0).factor(step, 100, ()) for step in (0, 3, 8, 99)]
    assert factors == pytest.approx([1, 1 / 2, 1 / 3, 1 / 10], rel=1e-15)


def test_trials_may_have_different_warmups_or_none() -> None:
    together = InverseSqrt(warmup=column(0.0, 0.25, 7.0))
    for step in range(20):
        alone = [InverseSqrt(warmup=w).factor(step, 20, ()) for w in (0.0, 0.25, 7.0)]
        assert together.factor(step, 20, ())[:, 0].tolist() == pytest.approx(alone, rel=1e-12)
