"""SOAP against pytorch_optimizer, and against Adam where there is no basis."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adam import Adam
from optbench.optimizers.soap import SOAP


class Doubled:
    """The module torch for which float32 is float64: the reference turns its bases in float32 whatever it is given."""

    float32 = torch.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reference in float64; what has one row or column has no basis."""
    soap = pytest.importorskip("pytorch_optimizer.optimizer.soap")
    monkeypatch.setattr(soap, "torch", Doubled())

    class MatricesOnly(soap.SOAP):
        def __init__(self, params: list[torch.nn.Parameter], max_precondition_dim: int = 10000, **own: Any):
            groups = [
                {"params": [p], "max_precondition_dim": max_precondition_dim if min(p.shape) > 1 else 0} for p in params
            ]
            super().__init__(groups, **own)

    return MatricesOnly


@pytest.mark.parametrize(
    "problem", [Rosenbrock(n=4), TinyNet(), TinyNet(hidden=2)], ids=["rosenbrock", "tall", "square"]
)
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 3e-3},
        {"lr": 0.02, "betas": (0.8, 0.9), "shampoo_beta": 0.7, "weight_decay": 0.0, "precondition_frequency": 3},
        {"lr": 0.01, "eps": 1e-2, "weight_decay": 0.1, "precondition_frequency": 1},
        {"lr": 0.01, "max_precondition_dim": 2},
    ],
    ids=["default", "betas", "every step", "one side"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(
    problem: Any, settings: dict[str, Any], reference: Any
) -> None:
    path = Loop(problem, SOAP(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, reference, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_without_bases_it_is_adam_after_the_first_gradient() -> None:
    problem, settings = TinyNet(), {"lr": 0.01, "betas": (0.9, 0.95)}
    soap = Loop(problem, SOAP(weight_decay=0.0, eps=0.0, max_precondition_dim=1, **settings), [1, 2])
    adam = Loop(problem, Adam(eps=0.0, **settings), [1, 2])
    assert torch.equal(soap.run(1)[0], adam.params)
    adam.t = 1
    torch.testing.assert_close(soap.run(20), adam.run(20), rtol=1e-10, atol=1e-12)


def test_bases_stay_orthonormal_and_come_to_diagonalise_the_mean_products() -> None:
    rule, layout = SOAP(precondition_frequency=1), Layout(("kernel",), ((4, 3, 1, 2),), ("weight",))
    random = torch.Generator().manual_seed(3)
    mixing = torch.randn(24, 24, dtype=torch.float64, generator=random)
    x = torch.zeros(2, 24, dtype=torch.float64)
    state = rule.init(x, layout)
    for step in range(400):
        # means that hardly move: every gradient is one of four that take turns
        grad = mixing[step % 4].repeat(2, 1)
        x, state = rule.update(x, grad, state, 0.0)
    for sums, bases in ((state.L, state.QL), (state.R, state.QR)):
        A, Q = sums["kernel"], bases["kernel"]
        identity = torch.eye(Q.shape[1], dtype=torch.float64).expand_as(Q)
        torch.testing.assert_close(Q.transpose(1, 2) @ Q, identity, rtol=0, atol=1e-12)
        turned = Q.transpose(1, 2) @ A @ Q
        off = turned - torch.diag_embed(turned.diagonal(dim1=1, dim2=2))
        assert off.abs().max() < 0.05 * turned.abs().max()
        assert (turned.diagonal(dim1=1, dim2=2).diff(dim=1) < 1e-6).all()
