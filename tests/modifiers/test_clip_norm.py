"""Clipping by norm, against torch and by hand."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.clip_norm import ClipNorm
from optbench.optimizers.sgd import SGD


class Given(Oracle):
    """Answers with these gradients."""

    fixed = True

    def __init__(self, grad: Tensor):
        self.grad, self.layout = grad, Layout.point(grad.shape[1])

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return params.sum(dim=1), self.grad


def test_long_gradients_are_shortened_and_short_or_zero_ones_left_alone() -> None:
    grad = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    oracle, _ = ClipNorm(max_norm=2.0).wrap(Given(grad), (), 0)
    _, clipped = oracle(torch.zeros(3, 2, dtype=torch.float64))
    expected = torch.tensor([[1.2, 1.6], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(clipped, expected, rtol=1e-15, atol=0)


def test_it_equals_torch_but_for_the_millionth_that_torch_adds() -> None:
    def clip(parameters: list[torch.nn.Parameter], step: int) -> None:
        torch.nn.utils.clip_grad_norm_(parameters, 0.1)

    path = Loop(TinyNet(), SGD(lr=0.1), [1], modifiers=[ClipNorm(max_norm=0.1)]).run(50)[:, 0]
    bare = torch_path(TinyNet(), torch.optim.SGD, 1, 50, prepare=clip, lr=0.1)
    torch.testing.assert_close(path, bare, rtol=0, atol=1e-5)
    assert (path[-1] - Loop(TinyNet(), SGD(lr=0.1), [1]).run(50)[-1, 0]).abs().max() > 0.01


def test_by_layer_it_equals_torch_called_with_each_parameter_alone() -> None:
    def clip(parameters: list[torch.nn.Parameter], step: int) -> None:
        for parameter in parameters:
            torch.nn.utils.clip_grad_norm_([parameter], 0.1)

    rule = ClipNorm(max_norm=0.1, per_layer=True)
    path = Loop(TinyNet(), SGD(lr=0.1), [1], modifiers=[rule]).run(50)[:, 0]
    bare = torch_path(TinyNet(), torch.optim.SGD, 1, 50, prepare=clip, lr=0.1)
    torch.testing.assert_close(path, bare, rtol=0, atol=2e-5)
    whole = Loop(TinyNet(), SGD(lr=0.1), [1], modifiers=[ClipNorm(max_norm=0.1)]).run(50)[:, 0]
    assert (path[-1] - whole[-1]).abs().max() > 0.01


def test_a_layer_without_gradient_stays_without_one() -> None:
    layout = Layout(("a", "b"), ((2,), (1,)), ("weight", "bias"))
    given = Given(torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, -5.0]], dtype=torch.float64))
    given.layout = layout
    _, clipped = ClipNorm(max_norm=1.0, per_layer=True).wrap(given, (), 0)[0](torch.zeros(2, 3, dtype=torch.float64))
    expected = torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.0, -1.0]], dtype=torch.float64)
    torch.testing.assert_close(clipped, expected, rtol=1e-15, atol=0)


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ClipNorm: max_norm must lie in \(0, inf\), got 0"):
        ClipNorm(max_norm=0.0)
