"""Decoupled weight decay, against torch's AdamW and by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path

from optbench.modifiers.ema import EMA
from optbench.modifiers.weight_decay import WeightDecay
from optbench.optimizers.adam import Adam
from optbench.optimizers.adamw import AdamW
from optbench.optimizers.dadapt_adam import DAdaptAdam
from optbench.optimizers.dadapt_sgd import DAdaptSGD
from optbench.optimizers.dog import DoG
from optbench.optimizers.from_torch import FromTorch
from optbench.optimizers.lion import Lion
from optbench.optimizers.prodigy import Prodigy
from optbench.optimizers.sgd import SGD
from optbench.registry import build
from optbench.schedules.linear import Linear


@pytest.mark.parametrize("strength", [0.01, 0.5])
def test_on_adam_it_is_adamw(strength: float) -> None:
    path = Loop(TinyNet(), Adam(lr=0.03), [1], modifiers=[WeightDecay(strength=strength)]).run(100)[:, 0]
    bare = torch_path(TinyNet(), torch.optim.AdamW, 1, 100, lr=0.03, weight_decay=strength)
    torch.testing.assert_close(path, bare, rtol=1e-9, atol=1e-9)


def test_it_decays_torch_classes_with_rates_of_their_own_in_single_precision() -> None:
    problem, lr = build("problem", "mlp", {"data": "iris", "hidden": (3,)}), torch.tensor([[0.1], [0.02]]).double()
    torchs = FromTorch(cls=torch.optim.SGD, settings={"lr": lr})
    paths = [
        Loop(problem, rule, [1, 2], modifiers=[WeightDecay(strength=0.4), EMA()]).run(20)
        for rule in (torchs, SGD(lr=lr.float()))
    ]
    assert paths[0].dtype == torch.float32
    torch.testing.assert_close(*paths)


def test_it_follows_the_schedule() -> None:
    schedule = Linear(end=0.1)
    ours = Loop(TinyNet(), Adam(lr=0.03), [1], modifiers=[WeightDecay(strength=0.4)], schedule=schedule).run(100)
    adamw = Loop(TinyNet(), AdamW(lr=0.03, weight_decay=0.4), [1], schedule=schedule).run(100)
    torch.testing.assert_close(ours, adamw, rtol=1e-10, atol=1e-10)


def test_on_lion_it_is_the_decay_of_lion() -> None:
    ours = Loop(TinyNet(), Lion(lr=1e-3), [1], modifiers=[WeightDecay(strength=0.4)]).run(100)
    lion = Loop(TinyNet(), Lion(lr=1e-3, weight_decay=0.4), [1]).run(100)
    torch.testing.assert_close(ours, lion, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "rule",
    [Prodigy(d0=0.01), Prodigy(d0=0.01, use_bias_correction=True), DAdaptAdam(d0=0.01)],
    ids=["prodigy", "corrected", "dadapt_adam"],
)
def test_where_a_method_finds_its_rate_it_decays_with_that(rule: Any) -> None:
    ours = Loop(TinyNet(), rule, [1], modifiers=[WeightDecay(strength=0.4)]).run(100)
    own = Loop(TinyNet(), replace(rule, weight_decay=0.4), [1]).run(100)
    torch.testing.assert_close(ours, own, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "rule", [DoG(), DoG(layerwise=True), DAdaptSGD(momentum=0.0)], ids=["dog", "ldog", "dadapt_sgd"]
)
def test_the_rate_that_is_told_is_that_of_the_step(rule: Any) -> None:
    """All of these move by a rate times the gradient."""
    loop = Loop(TinyNet(), rule, [1, 2])
    for _ in range(5):
        state = loop.state
        point = loop.params if loop.t == 0 else path[0]
        path = loop.run(1)
        step = rule.rate(state, loop.state, 1.0) * loop.oracle.first_grad
        torch.testing.assert_close(path[0], point - step, rtol=1e-9, atol=1e-12)


def test_a_step_worked_by_hand_with_and_without_biases() -> None:
    layout, before = TinyNet().layout, TinyNet().start([0])
    for biases in (True, False):
        rule = WeightDecay(strength=0.5, biases=biases)
        after, _ = rule.apply(before, before + 1, 0.2, rule.init(before, layout, [0], 1))
        for name, x in layout.split(before).items():
            expected = x + 1 if "bias" in name and not biases else 0.9 * x + 1
            torch.testing.assert_close(layout.split(after)[name], expected, rtol=1e-14, atol=1e-14)
