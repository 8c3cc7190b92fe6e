"""Decoupled weight decay, against torch's AdamW and by hand."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet, torch_path

from optbench.modifiers.weight_decay import WeightDecay
from optbench.optimizers.adam import Adam
from optbench.optimizers.adamw import AdamW
from optbench.optimizers.lion import Lion
from optbench.schedules.linear import Linear


@pytest.mark.parametrize("strength", [0.01, 0.5])
def test_on_adam_it_is_adamw(strength: float) -> None:
    path = Loop(TinyNet(), Adam(lr=0.03), [1], modifiers=[WeightDecay(strength=strength)]).run(100)[:, 0]
    bare = torch_path(TinyNet(), torch.optim.AdamW, 1, 100, lr=0.03, weight_decay=strength)
    torch.testing.assert_close(path, bare, rtol=1e-9, atol=1e-9)


def test_it_follows_the_schedule() -> None:
    schedule = Linear(end=0.1)
    ours = Loop(TinyNet(), Adam(lr=0.03), [1], modifiers=[WeightDecay(strength=0.4)], schedule=schedule).run(100)
    adamw = Loop(TinyNet(), AdamW(lr=0.03, weight_decay=0.4), [1], schedule=schedule).run(100)
    torch.testing.assert_close(ours, adamw, rtol=1e-10, atol=1e-10)


def test_on_lion_it_is_the_decay_of_lion() -> None:
    ours = Loop(TinyNet(), Lion(lr=1e-3), [1], modifiers=[WeightDecay(strength=0.4)]).run(100)
    lion = Loop(TinyNet(), Lion(lr=1e-3, weight_decay=0.4), [1]).run(100)
    torch.testing.assert_close(ours, lion, rtol=1e-10, atol=1e-10)


def test_a_step_worked_by_hand_with_and_without_biases() -> None:
    layout, before = TinyNet().layout, TinyNet().start([0])
    for biases in (True, False):
        rule = WeightDecay(strength=0.5, biases=biases)
        after, _ = rule.apply(before, before + 1, 0.2, rule.init(before, layout, [0], 1))
        for name, x in layout.split(before).items():
            expected = x + 1 if "bias" in name and not biases else 0.9 * x + 1
            torch.testing.assert_close(layout.split(after)[name], expected, rtol=1e-14, atol=1e-14)
