"""Muon against torch, and against a singular value decomposition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, column, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.muon import Muon


class MuonAndAdamW(torch.optim.Optimizer):
    """torch's Muon on matrices with two rows and columns or more, torch's AdamW on the rest."""

    def __init__(self, params: list[Any], lr: float, weight_decay: float, vector_rate: float, **own: Any):
        super().__init__(params, {})
        matrices = [p for p in params if p.ndim == 2 and min(p.shape) > 1]
        rest = [p for p in params if p.ndim != 2 or min(p.shape) == 1]
        adamw = torch.optim.AdamW(rest, lr * vector_rate, betas=(0.9, 0.95), eps=1e-10, weight_decay=weight_decay)
        self.parts: list[Any] = [adamw]
        if matrices:
            self.parts.append(torch.optim.Muon(matrices, lr, weight_decay=weight_decay, **own))

    def step(self, closure: Any = None) -> Any:
        for part in self.parts:
            part.step()


@pytest.mark.parametrize(
    "problem", [Rosenbrock(n=4), TinyNet(), TinyNet(hidden=2)], ids=["rosenbrock", "tall", "square"]
)
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.02},
        {"lr": 0.05, "momentum": 0.8, "nesterov": False, "weight_decay": 0.1, "ns_steps": 3},
        {"lr": 0.05, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 4},
        {"lr": 0.1, "adjust_lr": "match_rms_adamw", "vector_rate": 1.0, "eps": 0.5},
    ],
    ids=["default", "plain momentum", "coefficients", "adjusted"],
)
def test_a_hundred_steps_equal_those_of_torch_without_its_rounding(
    problem: Any, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    theirs = {"weight_decay": 0.0, "vector_rate": 0.015, **settings}
    theirs["adjust_lr_fn"] = theirs.pop("adjust_lr", "original")
    path = Loop(problem, Muon(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, MuonAndAdamW, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_with_torchs_rounding_the_first_step_differs_by_what_bfloat16_rounds() -> None:
    problem, settings = TinyNet(), {"lr": 0.02, "weight_decay": 0.0, "vector_rate": 0.015}
    path = Loop(problem, Muon(lr=0.02), [7]).run(1)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, MuonAndAdamW, 7, 1, **settings), rtol=0, atol=0.02 * 0.05)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3, 3)])
def test_a_step_has_the_gradients_singular_vectors_and_values_near_one(shape: tuple[int, ...]) -> None:
    rule, layout = Muon(lr=column(1.0, 2.0), adjust_lr="original"), Layout(("w",), (shape,), ("weight",))
    grad = torch.randn(2, layout.n, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = torch.zeros_like(grad)
    after, _ = rule.update(x, grad, rule.init(x, layout), rule.lr)
    rows, columns = shape[0], layout.n // shape[0]
    q = max(1, rows / columns) ** 0.5
    for trial, lr in enumerate((1.0, 2.0)):
        left, _, right = torch.linalg.svd(grad[trial].view(rows, columns), full_matrices=False)
        inner = left.T @ (-after[trial] / (lr * q)).view(rows, columns) @ right.T
        torch.testing.assert_close(inner, inner.diagonal().diag(), rtol=0, atol=1e-12)
        assert ((inner.diagonal() > 0.6) & (inner.diagonal() < 1.25)).all()


def test_small_singular_values_come_less_near_and_zeros_stay() -> None:
    values = torch.tensor([1.0, 0.3, 0.01, 0.002, 0.0005, 1e-4, 0.0], dtype=torch.float64)
    layout, x = Layout(("w",), ((7, 7),), ("weight",)), torch.zeros(1, 49, dtype=torch.float64)
    after, _ = Muon(lr=1.0).update(x, values.diag().view(1, 49), Muon().init(x, layout), 1.0)
    found = -after.view(7, 7).diagonal()
    near = values / values.norm() > 0.0015
    assert near.tolist() == [True] * 4 + [False] * 3
    assert ((found[near] > 0.65) & (found[near] < 1.25)).all()
    assert (found[~near] < 0.65).all()
    assert found[-1] == 0


def test_the_scale_of_a_gradient_does_not_matter() -> None:
    problem = TinyNet()
    layout, x = problem.layout, problem.start([1])
    grad = torch.randn(1, layout.n, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    small, large = (Muon().update(x, s * grad, Muon().init(x, layout), 0.1)[0] for s in (1e-3, 1e3))
    torch.testing.assert_close(small, large, rtol=1e-6, atol=0)
