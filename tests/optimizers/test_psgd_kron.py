"""PSGD-Kron against pytorch_optimizer with the same noise, and against what it claims: white gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.psgd_kron import PSGDKron
from optbench.randomness import Randomness


class Doubled:
    """The module torch for which float32 is float64, and whose noise is that of our rule for the layer `layer1.weight`."""

    float32 = torch.float64

    def __init__(self) -> None:
        self.step = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def randn_like(self, like: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        noise = Randomness([0], "psgd_kron layer1.weight").normal(self.step, like.numel(), dtype=dtype)
        self.step += 1
        return noise.view(like.shape)


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """pytorch_optimizer's Kron in float64 on matrices with two rows and columns or more, torch's AdamW on the rest."""
    psgd = pytest.importorskip("pytorch_optimizer.optimizer.psgd")
    monkeypatch.setattr(psgd, "torch", Doubled())

    class KronAndAdamW(torch.optim.Optimizer):
        def __init__(self, params: list[Any], lr: float, weight_decay: float, vector_rate: float, **own: Any):
            super().__init__(params, {})
            matrices = [p for p in params if p.ndim == 2 and min(p.shape) > 1]
            rest = [p for p in params if p.ndim != 2 or min(p.shape) == 1]
            self.parts: list[Any] = [torch.optim.AdamW(rest, lr=lr * vector_rate, weight_decay=weight_decay)]
            if matrices:
                own = {"precondition_dtype": torch.float64, "balance_prob": 0.0, **own}
                self.parts.append(psgd.Kron(matrices, lr=lr, weight_decay=weight_decay, **own))

        def step(self, closure: Any = None) -> Any:
            for part in self.parts:
                part.step()

    return KronAndAdamW


@pytest.mark.parametrize(
    "problem", [Rosenbrock(n=4), TinyNet(), TinyNet(hidden=2)], ids=["rosenbrock", "tall", "square"]
)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.02, "momentum": 0.5, "weight_decay": 0.1, "vector_rate": 0.1},
        {"lr": 0.01, "max_size_triangular": 2},
        {"lr": 0.01, "max_size_triangular": 1},
    ],
    ids=["default", "decay", "one diagonal", "diagonals"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(
    problem: Any, settings: dict[str, Any], reference: Any
) -> None:
    theirs = {"lr": 1e-3, "weight_decay": 0.0, "vector_rate": 1.0, **settings}
    path = Loop(problem, PSGDKron(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, reference, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_the_factors_come_to_whiten_the_gradients_they_are_shown() -> None:
    """Gradients L Z R of white Z become PL L Z R PR with P = QᵀQ; its covariance should be near a multiple of the identity."""
    rule, layout = PSGDKron(momentum=0.0, precondition_lr=0.02), Layout(("w",), ((2, 3),), ("weight",))
    x, random = torch.zeros(2, 6, dtype=torch.float64), Randomness([5], "gradients")
    left = torch.tensor([[3.0, 1.0], [1.0, 1.5]], dtype=torch.float64)
    right = torch.diag(torch.tensor([4.0, 1.0, 0.5], dtype=torch.float64))
    state = rule.init(x, layout)
    for step in range(500):
        grad = left @ random.normal(step, 6).view(2, 3) @ right
        x, state = rule.update(x, grad.reshape(1, 6).repeat(2, 1), state, 0.0)
    QL, QR = state.QL["w"][1], state.QR["w"][1]
    raw, white = torch.kron(left, right), torch.kron(QL.T @ QL @ left, QR.T @ QR @ right)
    assert torch.linalg.cond(raw @ raw.T) > 700
    assert torch.linalg.cond(white @ white.T) < 4


def test_after_five_hundred_steps_the_factors_are_improved_more_seldom() -> None:
    rule, layout = PSGDKron(), Layout(("w",), ((2, 2),), ("weight",))
    x, grad = torch.zeros(1, 4, dtype=torch.float64), torch.tensor([[1.0, 0.5, -0.3, 2.0]], dtype=torch.float64)
    changed = []
    for t in (0, 499, 1200, 10000):
        state, count = rule.init(x, layout)._replace(t=t), 0
        for _ in range(100):
            _, new = rule.update(x, grad, state, 0.0)
            count += not torch.equal(new.QL["w"], state.QL["w"])
            state = new._replace(t=t)
        changed.append(count)
    # every step, every step, each ⌈e^0.7⌉ = 3rd and each ⌈1 / 0.03⌉ = 34th
    assert changed == [100, 100, 33, 2]
