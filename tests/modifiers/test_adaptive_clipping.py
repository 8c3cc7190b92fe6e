"""Adaptive clipping, against pytorch_optimizer's agc and by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.adaptive_clipping import AdaptiveClipping

LAYOUT = Layout(
    ("0.weight", "0.bias", "1.weight", "2.weight", "2.bias", "3.weight", "3.bias"),
    ((5, 2, 3, 3), (5,), (5,), (4, 5), (4,), (3, 4), (3,)),
    ("weight", "bias", "norm", "weight", "bias", "weight", "bias"),
)


class Given(Oracle):
    """Answers with these gradients."""

    fixed = True

    def __init__(self, grad: Tensor, layout: Layout):
        self.grad, self.layout = grad, layout

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return params.sum(dim=1), self.grad


def clipped(params: Tensor, grad: Tensor, layout: Layout, **settings: Any) -> Tensor:
    oracle, _ = AdaptiveClipping(**settings).wrap(Given(grad, layout), (), 0)
    return oracle(params)[1]


@pytest.mark.parametrize("clipping", [0.01, 0.5])
@pytest.mark.parametrize(("biases", "last"), [(True, False), (False, True), (True, True), (False, False)])
def test_it_equals_pytorch_optimizer_tensor_by_tensor(clipping: float, biases: bool, last: bool) -> None:
    pytest.importorskip("pytorch_optimizer")
    from pytorch_optimizer.optimizer.agc import agc

    random = torch.Generator().manual_seed(0)
    params, grad = (torch.randn(3, LAYOUT.n, generator=random, dtype=torch.float64) for _ in range(2))
    ours = LAYOUT.split(clipped(params, grad, LAYOUT, clipping=clipping, biases=biases, last=last))
    for (name, w), role in zip(LAYOUT.split(params).items(), LAYOUT.roles, strict=True):
        for trial in range(3):
            g = LAYOUT.split(grad)[name][trial]
            left = (not last and name.startswith("3")) or (not biases and role != "weight")
            expected = g if left else agc(w[trial], g, agc_eps=1e-3, agc_clip_val=clipping)
            torch.testing.assert_close(ours[name][trial], expected, rtol=1e-12, atol=0)
            if not left and clipping == 0.01:
                assert not torch.allclose(expected, g)


def test_units_worked_by_hand() -> None:
    layout = Layout(("weight",), ((4, 2),), ("weight",))
    weights = torch.tensor([[[3.0, 4.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64).flatten(1)
    grad = torch.tensor([[[6.0, 8.0], [0.3, 0.4], [0.0, 2.0], [0.0, 0.0]]], dtype=torch.float64).flatten(1)
    found = clipped(weights, grad, layout, clipping=0.2, eps=0.05, last=True)
    expected = torch.tensor([[0.6, 0.8, 0.3, 0.4, 0.0, 0.01, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)


def test_a_landscape_is_one_unit() -> None:
    x, g = torch.tensor([[3.0, 4.0]] * 2, dtype=torch.float64), torch.tensor([[0.0, 9.0]] * 2, dtype=torch.float64)
    found = clipped(x, g, Layout.point(2), clipping=torch.tensor([[0.1], [10.0]], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.5], [0.0, 9.0]], dtype=torch.float64))


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^AdaptiveClipping: clipping must lie in \(0, inf\), got 0$"):
        AdaptiveClipping(clipping=0.0)
