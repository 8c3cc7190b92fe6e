"""Cautious updates, against the authors' loop for Adam, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.cautious import Cautious, Listening
from optbench.modifiers.clip_value import ClipValue
from optbench.modifiers.weight_decay import WeightDecay
from optbench.optimizers.adam import Adam
from optbench.optimizers.sgd import SGD
from optbench.schedules.constant import Constant
from optbench.trials import Trials


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("most", [1e9, 0.1])
def test_on_adam_it_is_the_authors_cautious_adamw(decay: float, most: float) -> None:
    """Their loop: the mask of momentum and gradient, over its mean by tensor; decay apart."""
    problem, lr, (b1, b2), eps = TinyNet(), 0.03, (0.9, 0.999), 1e-8
    rules: list[Any] = [ClipValue(max_value=most), Cautious(), WeightDecay(strength=decay)]
    trials = Trials(problem, Adam(lr=lr), Constant(), rules, [1], 100)
    x, stream = list(problem.start([1])[0].split(problem.layout.sizes)), problem.stream([1])
    m, v, masked = [torch.zeros_like(p) for p in x], [torch.zeros_like(p) for p in x], 0
    for t in range(1, 101):
        row = torch.cat(x)[None].requires_grad_()
        problem.loss(row, stream.at(t - 1)).sum().backward()
        assert row.grad is not None
        for i, g in enumerate(row.grad[0].clamp(-most, most).split(problem.layout.sizes)):
            m[i], v[i] = b1 * m[i] + (1 - b1) * g, b2 * v[i] + (1 - b2) * g * g
            mask = (m[i] * g > 0).to(g.dtype)
            masked += int((mask == 0).sum())
            mask = mask / mask.mean().clamp(min=1e-3)
            denominator = (v[i] / (1 - b2**t)).sqrt() + eps
            x[i] = x[i] * (1 - lr * decay) - lr / (1 - b1**t) * (m[i] * mask) / denominator
        trials.step(t - 1)
        torch.testing.assert_close(trials.params[0], torch.cat(x), rtol=1e-9, atol=1e-10)
    assert masked > 50


class Given(Oracle):
    """Answers with these gradients."""

    fixed = True
    layout = Layout(("a", "b", "c"), ((4,), (2,), (2,)), ("weight", "bias", "bias"))

    def __init__(self, grad: Tensor):
        self.grad = grad

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return params.sum(dim=1), self.grad if rows is None else self.grad[rows]


def test_a_step_worked_by_hand() -> None:
    """Three of four agree, so they move 4/3 as far; then one of two; then none."""
    grad = torch.tensor([[1.0, -2.0, 3.0, 4.0, 1.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    step = torch.tensor([[3.0, -3.0, 6.0, -9.0, 5.0, 5.0, -1.0, -1.0]], dtype=torch.float64)
    rule, before = Cautious(), torch.full((1, 8), 10.0, dtype=torch.float64)
    oracle, state = rule.wrap(Given(grad), rule.init(before, Given.layout, [0], 1), 0)
    assert torch.equal(oracle(before)[1], grad)
    after, state = rule.apply(before, before - step, 1.0, state)
    expected = torch.tensor([[6.0, 14.0, 2.0, 10.0, 0.0, 10.0, 10.0, 10.0]], dtype=torch.float64)
    torch.testing.assert_close(after, expected)
    assert state == ()


def test_gradient_descent_is_left_as_it_is() -> None:
    cautious, plain = (Loop(TinyNet(), SGD(lr=0.1), [0, 1], modifiers=m).run(50) for m in ([Cautious()], []))
    torch.testing.assert_close(cautious, plain, rtol=1e-12, atol=1e-13)


def test_of_several_answers_each_trial_s_first_one_counts() -> None:
    given = Given(torch.zeros(3, 8, dtype=torch.float64))
    like, oracle = given.grad, Listening(given)
    for value, rows in ((1.0, [1]), (2.0, [2, 1])):
        given.grad = torch.full_like(like, value)
        oracle(like[rows], torch.tensor(rows))
    assert oracle.first(like)[:, 0].tolist() == [0.0, 1.0, 2.0]
    for value in (3.0, 4.0):
        given.grad = torch.full_like(like, value)
        oracle(like)
    assert oracle.first(like)[:, 0].tolist() == [3.0, 1.0, 2.0]


def test_it_has_no_setting() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        Cautious(eps=1.0)  # type: ignore[call-arg]
