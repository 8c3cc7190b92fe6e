"""The warm-up as a schedule of its own, against torch, the formula of its paper, and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from contracts import torch_rates

from optbench.schedules.warmup import Warmup


@pytest.mark.parametrize(("start", "over", "iterations"), [(1 / 3, 5.0, 5), (0.1, 0.25, 50), (0.0, 1.0, 200)])
def test_the_constant_form_equals_torch(start: float, over: float, iterations: int) -> None:
    schedule = Warmup(form="constant", start=start, over=over)
    ours = [schedule.factor(step, 200, ()) for step in range(200)]
    theirs = torch_rates(200, lambda o: torch.optim.lr_scheduler.ConstantLR(o, start, iterations)) if start else None
    assert ours == pytest.approx(theirs or [0.0] * 200, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("w", [10, 64])
def test_the_linear_form_equals_torch(w: int) -> None:
    ours = [Warmup(over=float(w)).factor(step, 100, ()) for step in range(100)]
    theirs = torch_rates(100, lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / w, 1.0, w - 1))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=0)


def test_the_exponential_form_is_that_of_the_paper_at_its_rule_of_thumb() -> None:
    beta2 = 0.99
    ours = [Warmup(form="exponential", over=2 / (1 - beta2)).factor(step, 1000, ()) for step in range(1000)]
    paper = [1 - math.exp(-(1 - beta2) * t) for t in range(1, 1001)]
    assert ours == pytest.approx(paper, rel=1e-12, abs=0)


def test_linear_and_exponential_take_the_same_sum_off_the_factors() -> None:
    taken = {form: sum(1 - Warmup(form=form, over=200.0).factor(s, 5000, ()) for s in range(5000)) for form in FORMS}
    assert taken["linear"] == pytest.approx(99.5, rel=1e-9)
    assert taken["exponential"] == pytest.approx(1 / math.expm1(1 / 100), rel=1e-9)


def test_values_worked_by_hand() -> None:
    schedule = Warmup(over=4.0, start=0.2)
    assert [schedule.factor(step, 10, ()) for step in range(6)] == pytest.approx([0.4, 0.6, 0.8, 1, 1, 1], rel=1e-15)


FORMS = ("linear", "exponential")
