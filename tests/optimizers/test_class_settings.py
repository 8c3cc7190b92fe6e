"""What the settings of a wrapped class may be, and what is said of those that it does not take."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.errors import UsageError
from optbench.optimizers.from_torch import FromTorch
from optbench.plan import plan

NETWORK = TinyNet()


def test_a_tensor_without_dimensions_is_a_number() -> None:
    settings = {"lr": torch.tensor(0.03, dtype=torch.float64), "betas": (torch.tensor(0.5), 0.99)}
    rule = FromTorch(cls=torch.optim.NAdam, settings=settings)
    assert rule.lr == 0.03
    path = Loop(NETWORK, rule, [5, 0]).run(10)
    for trial, seed in enumerate([5, 0]):
        bare = torch_path(NETWORK, torch.optim.NAdam, seed, 10, lr=0.03, betas=(0.5, 0.99))
        torch.testing.assert_close(path[:, trial], bare, rtol=1e-12, atol=1e-12)


class Vectors(torch.optim.SGD):
    """Takes nothing but vectors."""

    dimensions = 1

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0) -> None:
        given = list(params)
        if any(p.ndim != self.dimensions for p in given):
            raise ValueError(f"{self.dimensions} dimensions only")
        super().__init__(given, lr, momentum)


class Matrices(Vectors):
    dimensions = 2


@pytest.mark.parametrize("cls", [Vectors, Matrices])
def test_which_layers_a_class_takes_is_judged_by_those_of_the_problem(cls: Any) -> None:
    with pytest.raises(UsageError, match=rf"^{cls.__name__} refuses the layers of this problem .* optimizer\.params="):
        Loop(NETWORK, FromTorch(cls=cls), [0, 1])
    with pytest.raises(UsageError, match=rf"^{cls.__name__} refuses momentum=-1.0, whose default is 0.0"):
        FromTorch(cls=cls, settings={"momentum": -1.0})


def test_a_class_for_vectors_goes_where_a_bare_loop_goes() -> None:
    problem = Rosenbrock(n=3)
    path = Loop(problem, FromTorch(cls=Vectors, settings={"lr": 1e-4}), [5]).run(20)
    torch.testing.assert_close(path[:, 0], torch_path(problem, Vectors, 5, 20, lr=1e-4), rtol=1e-12, atol=1e-12)


class Flagged(torch.optim.SGD):
    """Wants a flag in its groups."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        given = list(params)
        if not all(isinstance(group, dict) and "use_this" in group for group in given):
            raise KeyError("use_this")
        super().__init__(given, lr)


@pytest.mark.parametrize("settings", [{}, {"lr": 0.1}])
def test_a_class_that_wants_groups_of_its_own_is_told_how_to_give_them(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^Flagged refuses .*use_this.* optimizer\.params=PATH\.py:function") as told:
        FromTorch.from_settings(Flagged, settings)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("cls", "settings", "said"),
    [
        (torch.optim.Adam, {"betas": 0.9}, r"^Adam: betas must be a list of 2, such as \[0.9, 0.999\], got 0.9$"),
        (torch.optim.ASGD, {"t0": [1, 2]}, r"^ASGD: t0 must be a number, got \[1, 2\]$"),
        (torch.optim.SGD, {"nesterov": [True]}, r"^SGD: nesterov must be true or false, got \[True\]$"),
    ],
)
def test_one_number_and_several_are_told_apart(cls: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FromTorch(cls=cls, settings=settings)


class Wrapper(torch.optim.Optimizer):
    """Steps with an optimizer of the class given."""

    def __init__(self, params: Any, base: type[torch.optim.Optimizer], **settings: Any) -> None:
        self.base = base(params, **settings)
        super().__init__(self.base.param_groups, {})

    def step(self, closure: Any = None) -> None:  # pyright: ignore
        self.base.step()


def test_the_optimizer_that_another_wraps_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        textwrap.dedent("""
        import torch

        class Mine(torch.optim.NAdam):
            pass
        """)
    )
    for named in ("torch.optim.NAdam", f"{file}:Mine"):
        path = Loop(NETWORK, FromTorch.from_settings(Wrapper, {"base": named, "lr": 0.02}), [5, 0]).run(20)
        for trial, seed in enumerate([5, 0]):
            bare = torch_path(NETWORK, torch.optim.NAdam, seed, 20, lr=0.02)
            torch.testing.assert_close(path[:, trial], bare, rtol=1e-12, atol=1e-12)
    with pytest.raises(UsageError, match="has no 'Nadam'; did you mean"):
        FromTorch.from_settings(Wrapper, {"base": "torch.optim.Nadam"})


def test_a_package_that_wraps_a_class_goes_where_a_bare_loop_goes() -> None:
    sam = pytest.importorskip("pytorch_optimizer").SAM
    rule = FromTorch.from_settings(sam, {"base_optimizer": "torch.optim.SGD", "lr": 0.05})
    after = Loop(NETWORK, rule, [5, 0]).run(1)[0]
    for trial, seed in enumerate([5, 0]):
        start, batch = NETWORK.start([seed]), NETWORK.stream([seed]).at(0)
        gradient = NETWORK.loss_and_grad(start, batch)[1]
        ahead = start + 0.05 * gradient / (gradient.norm() + 1e-12)
        expected = start - 0.05 * NETWORK.loss_and_grad(ahead, batch)[1]
        torch.testing.assert_close(after[trial], expected[0], rtol=1e-9, atol=1e-9)


def test_differentiating_through_steps_is_refused_when_the_sweep_is_planned() -> None:
    with pytest.raises(UsageError, match=r"^Adam: .*leave out differentiable=true$"):
        plan(["problem=rosenbrock", "optimizer=torch.optim.Adam", "optimizer.differentiable=true"])


def test_a_class_that_differentiates_gradients_is_told_that_they_carry_no_graph() -> None:
    class Curved(torch.optim.SGD):
        """Wants the diagonal of the Hessian."""

        def step(self, closure: Any = None) -> None:
            for p in self.param_groups[0]["params"]:
                torch.autograd.grad(p.grad.sum(), p)

    with pytest.raises(RuntimeError, match=r"Curved\.step failed in trial 0: .*; gradients carry no graph here"):
        Loop(NETWORK, FromTorch(cls=Curved), [0, 1]).run(1)


def test_what_a_step_asks_for_is_the_closure_whatever_its_name() -> None:
    class Asks(torch.optim.SGD):
        """Calls its closure something else."""

        def step(self, get_loss: Any) -> None:  # pyright: ignore
            get_loss()
            super().step()

    path = Loop(NETWORK, FromTorch(cls=Asks, settings={"lr": 0.05}), [5, 0]).run(10)
    bare = torch_path(NETWORK, torch.optim.SGD, 5, 10, lr=0.05)
    torch.testing.assert_close(path[:, 0], bare, rtol=1e-12, atol=1e-12)
