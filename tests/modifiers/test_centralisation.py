"""Gradient centralisation, against pytorch_optimizer's and by what it keeps."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.centralisation import Centralisation
from optbench.optimizers.sgd import SGD

LAYOUT = Layout(
    ("0.weight", "0.bias", "1.weight", "2.weight", "2.bias"),
    ((5, 2, 3, 3), (5,), (5,), (4, 5), (4,)),
    ("weight", "bias", "norm", "weight", "bias"),
)


class Given(Oracle):
    """Answers with these gradients."""

    fixed = True

    def __init__(self, grad: Tensor):
        self.grad, self.layout = grad, LAYOUT

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return params.sum(dim=1), self.grad


@pytest.mark.parametrize("kernels_only", [False, True])
def test_it_equals_pytorch_optimizer_tensor_by_tensor(kernels_only: bool) -> None:
    pytest.importorskip("pytorch_optimizer")
    from pytorch_optimizer.optimizer.gradient_centralization import centralize_gradient

    grad = torch.randn(3, LAYOUT.n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    oracle, _ = Centralisation(kernels_only=kernels_only).wrap(Given(grad.clone()), (), 0)
    ours = LAYOUT.split(oracle(grad)[1])
    for name, g in LAYOUT.split(grad).items():
        for trial in range(3):
            expected = g[trial].clone()
            centralize_gradient(expected, gc_conv_only=kernels_only)
            torch.testing.assert_close(ours[name][trial], expected, rtol=1e-12, atol=1e-15)
    assert torch.equal(ours["2.weight"], LAYOUT.split(grad)["2.weight"]) == kernels_only


def test_a_row_worked_by_hand() -> None:
    grad = torch.zeros(1, LAYOUT.n, dtype=torch.float64)
    LAYOUT.split(grad)["2.weight"][0, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0, 10.0])
    oracle, _ = Centralisation().wrap(Given(grad), (), 0)
    found = LAYOUT.split(oracle(grad)[1])["2.weight"][0]
    assert found[1].tolist() == [-3.0, -2.0, -1.0, 0.0, 6.0]
    assert found[[0, 2, 3]].abs().max() == 0


def test_gradient_descent_never_changes_the_sum_of_a_units_weights() -> None:
    problem = TinyNet()
    path = Loop(problem, SGD(lr=0.1), [0, 1], modifiers=[Centralisation()]).run(50)
    start, end = (problem.layout.split(p)["layer1.weight"] for p in (problem.start([0, 1]), path[-1]))
    torch.testing.assert_close(end.sum(dim=2), start.sum(dim=2), rtol=1e-12, atol=1e-12)
    assert (end - start).abs().max() > 0.01


def test_the_gradient_of_a_landscape_is_left_as_it_is() -> None:
    given = Given(torch.tensor([[1.0, 5.0], [2.0, 0.0]], dtype=torch.float64))
    given.layout = Layout.point(2)
    assert torch.equal(Centralisation().wrap(given, (), 0)[0](given.grad)[1], given.grad)
