"""Projection after each step, against projected gradient descent and by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.modifiers.project import Project
from optbench.optimizers.adam import Adam
from optbench.optimizers.projected import Projected
from optbench.optimizers.sgd import SGD

SETTINGS: list[dict[str, Any]] = [
    {"onto": "box", "low": -0.2, "high": 0.3},
    {"onto": "box", "low": None, "high": 0.1},
    {"onto": "box", "low": 0.0, "high": None},
    {"onto": "ball", "radius": 0.5},
]


@pytest.mark.parametrize("problem", [TinyNet(), Rosenbrock(n=4)], ids=["network", "rosenbrock"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_on_gradient_descent_it_is_projected_descent(problem: Any, settings: dict[str, Any]) -> None:
    ours = Loop(problem, SGD(lr=1e-3), [0, 1], modifiers=[Project(**settings)]).run(100)
    theirs = Loop(problem, Projected(lr=1e-3, **settings), [0, 1]).run(100)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def placed(x: list[float], **settings: Any) -> list[float]:
    rule, after = Project(**settings), torch.tensor([x], dtype=torch.float64)
    return rule.apply(0 * after, after, 0.1, rule.init(after, Layout.point(len(x)), [0], 1))[0][0].tolist()


def test_points_worked_by_hand() -> None:
    assert placed([-2.0, 0.5, 7.0], low=-1.0, high=3.0) == [-1.0, 0.5, 3.0]
    assert placed([-2.0, 0.5, 7.0], low=None, high=3.0) == [-2.0, 0.5, 3.0]
    assert placed([6.0, 8.0], onto="ball", radius=5.0) == pytest.approx([3.0, 4.0])
    assert placed([0.3, 0.4], onto="ball", radius=5.0) == [0.3, 0.4]
    assert placed([0.0, 0.0], onto="ball", radius=5.0) == [0.0, 0.0]


def test_adam_ends_at_the_best_point_of_the_box() -> None:
    """Rosenbrock's valley y = x² within x ≤ ½: the least is at (½, ¼)."""
    path = Loop(Rosenbrock(), Adam(lr=0.05), [0, 1], modifiers=[Project(low=-2.0, high=0.5)]).run(2000)
    assert (path[-1] - torch.tensor([0.5, 0.25], dtype=torch.float64)).abs().max() < 1e-3
    assert path.max() <= 0.5


def test_moving_statistics_are_no_part_of_the_ball() -> None:
    layout = MLP(data="iris", hidden=(4,), normalisation="batch", moving_statistics=True).layout
    rule, x = Project(onto="ball", radius=1.0), torch.zeros(1, layout.n, dtype=torch.float64)
    for part, role in zip(layout.split(x).values(), layout.roles, strict=True):
        part += 100.0 if role == "buffer" else 1e-3
    after, _ = rule.apply(x, x, 0.1, layout)
    assert torch.equal(after, x)


def test_ends_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^Project: low must not lie above high, got 2 and 1$"):
        Project(low=2.0, high=1.0)
    with pytest.raises(ValueError, match=r"^Project: low must not lie above high, got 3 and 1 in trial 1$"):
        Project(low=torch.tensor([[0.0], [3.0]]), high=1.0)
