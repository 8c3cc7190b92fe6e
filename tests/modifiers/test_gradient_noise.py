"""Gradient noise: what it is like, how it decays, and which questions meet the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from optbench.problems.mlp import MLP

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.gradient_noise import GradientNoise
from optbench.modifiers.weight_noise import WeightNoise

SEEDS = [0, 1, 2]


class Flat(Oracle):
    """Answers with gradients of one."""

    fixed = True

    def __init__(self, layout: Layout):
        self.layout = layout

    def __call__(self, params: Any, rows: Any = None) -> Any:
        return params.sum(dim=1), torch.ones_like(params)


def noise_of(rule: Any, layout: Layout, step: int, seeds: list[int] = SEEDS, rows: Any = None) -> torch.Tensor:
    """What a question meets."""
    zero = torch.zeros(len(seeds), layout.n, dtype=torch.float64)
    oracle, _ = rule.wrap(Flat(layout), rule.init(zero, layout, seeds), step)
    assert not oracle.fixed
    loss, grad = oracle(zero if rows is None else zero[rows], rows)
    assert torch.equal(loss, torch.zeros(len(loss), dtype=torch.float64))
    return grad - 1


@pytest.mark.parametrize(("step", "variance"), [(0, 0.3), (3, 0.3 / 4**0.55), (99, 0.3 / 100**0.55)])
def test_the_noise_is_normal_with_the_variance_of_the_paper(step: int, variance: float) -> None:
    noise = noise_of(GradientNoise(eta=0.3, gamma=0.55), Layout.point(20_000), step) / variance**0.5
    assert noise.mean(dim=1).abs().max() < 4 / 20_000**0.5
    assert (noise.var(dim=1) - 1).abs().max() < 4 * (2 / 20_000) ** 0.5
    assert (noise.pow(4).mean(dim=1) - 3).abs().max() < 4 * (96 / 20_000) ** 0.5


def test_questions_of_a_step_meet_the_same_noise_and_other_steps_and_seeds_another() -> None:
    rule, layout = GradientNoise(gamma=0.0), Layout.point(6)
    first = noise_of(rule, layout, 0)
    assert torch.equal(first, noise_of(rule, layout, 0))
    assert torch.equal(first[[2, 0]], noise_of(rule, layout, 0, rows=torch.tensor([2, 0])))
    assert torch.equal(first[1], noise_of(rule, layout, 0, seeds=[7, 1])[1])
    assert not torch.isclose(first, noise_of(rule, layout, 1)).any()
    assert not torch.isclose(first[0], first[1]).any()
    assert not torch.isclose(first / first[0, 0], noise_of_weights(layout) / noise_of_weights(layout)[0, 0])[1:].any()


def noise_of_weights(layout: Layout) -> torch.Tensor:
    """Weight noise of the same seeds, which is drawn for another purpose."""
    keys = WeightNoise().init(torch.zeros(3, layout.n, dtype=torch.float64), layout, SEEDS)
    asked: list[torch.Tensor] = []

    class Noted(Flat):
        def __call__(self, params: Any, rows: Any = None) -> Any:
            asked.append(params)
            return super().__call__(params, rows)

    oracle, _ = WeightNoise(sigma=1.0).wrap(Noted(layout), keys, 0)
    oracle(torch.zeros(3, layout.n, dtype=torch.float64))
    return asked[0]


def test_moving_statistics_are_told_no_noise() -> None:
    layout = MLP(data="iris", hidden=(4,), normalisation="batch", moving_statistics=True).layout
    noise = layout.split(noise_of(GradientNoise(), layout, 0))
    for name, role in zip(layout.names, layout.roles, strict=True):
        assert bool((noise[name] == 0).all()) == (role == "buffer")


def test_a_negative_variance_is_refused_and_the_trial_named() -> None:
    with pytest.raises(ValueError, match=r"^GradientNoise: eta must lie in \[0, inf\), got -1 in trial 1$"):
        GradientNoise(eta=torch.tensor([[0.1], [-1.0]]))
