"""Several trials in one torch optimizer: which classes may, and that nothing changes."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.from_torch import FromTorch
from optbench.optimizers.sharing import treats_elements_apart

NETWORK = TinyNet()
KIND = {"dtype": torch.float32, "device": torch.device("cpu")}
APART = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "Adagrad": {},
    "Adadelta": {},
    "Adamax": {},
    "ASGD": {},
    "NAdam": {},
    "RAdam": {},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "Rprop": {},
}


class Drawing(torch.optim.SGD):
    """Adds noise of its own."""

    def step(self, closure: Any = None) -> None:
        for p in self.param_groups[0]["params"]:
            p.grad.add_(torch.randn_like(p))
        super().step()


class Clipping(torch.optim.SGD):
    """Looks at the norm of all."""

    def step(self, closure: Any = None) -> None:
        torch.nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 1.0)
        super().step()


class ClippingLate(torch.optim.SGD):
    """Looks at the norm of all where it is large."""

    threshold = 1e5

    def step(self, closure: Any = None) -> None:
        torch.nn.utils.clip_grad_norm_(self.param_groups[0]["params"], self.threshold)
        super().step()


class ClippingSmall(ClippingLate):
    """Looks at the norm of all where it is small."""

    threshold = 1e-7


class Rare(torch.optim.SGD):
    """Draws a number that hardly ever has an effect."""

    def step(self, closure: Any = None) -> None:
        if torch.rand(()) < 1e-9:
            self.param_groups[0]["lr"] = 0.0
        super().step()


class RareOfNumpy(torch.optim.SGD):
    """The same with numpy's generator."""

    def step(self, closure: Any = None) -> None:
        if np.random.random() < 1e-9:
            self.param_groups[0]["lr"] = 0.0
        super().step()


class Built(torch.optim.SGD):
    """Draws its rate when it is built."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, lr * random.random())


class Late(torch.optim.SGD):
    """Normalises by the norm of all after twenty steps, which no check of ten can see."""

    def step(self, closure: Any = None) -> None:
        group = self.param_groups[0]
        group["count"] = group.get("count", 0) + 1
        if group["count"] > 20:
            torch.nn.utils.clip_grad_norm_(group["params"], 1e-3)
        super().step()


class LateAsSet(torch.optim.SGD):
    """Normalises by the norm of all after as many steps as a setting says."""

    def __init__(self, params: Any, lr: float = 1e-3, after: int = 12) -> None:
        super().__init__(params, lr)
        self.param_groups[0]["left"] = after

    def step(self, closure: Any = None) -> None:
        group = self.param_groups[0]
        group["left"] -= 1
        if group["left"] < 0:
            torch.nn.utils.clip_grad_norm_(group["params"], 1e-3)
        super().step()


class Lossy(torch.optim.SGD):
    """Its rate is the loss."""

    def step(self, closure: Any = None) -> None:
        self.param_groups[0]["lr"] = 1e-3 * float(closure())
        super().step()


class Counting(torch.optim.SGD):
    """Does something else with matrices than with vectors."""

    def step(self, closure: Any = None) -> None:
        for p in self.param_groups[0]["params"]:
            p.grad.mul_(0.5 if p.ndim == 2 else 1.0)
        super().step()


class Distance(torch.optim.SGD):
    """Its rate grows with the way that gradients agree on, of all elements together; random ones never agree."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore
        (group,) = self.param_groups
        products = []
        for p in group["params"]:
            total = self.state[p].setdefault("total", torch.zeros_like(p))
            products.append((total * p.grad).reshape(-1))
            total.add_(p.grad)
        agreed = torch.cat(products)
        if agreed.sum() > 0.9 * agreed.abs().sum():
            group["d"] = max(group.get("d", 1e-3), 1e-2 * float(agreed.sum().sqrt()))
        for p in group["params"]:
            p.sub_(group.get("d", 1e-3) * p.grad)


class Threshold(torch.optim.SGD):
    """Looks at the norm of all where it is above an attribute of a module."""

    def step(self, closure: Any = None) -> None:
        if sum(float(p.grad.norm()) for p in self.param_groups[0]["params"]) > math.tau:
            torch.nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 1e-3)
        super().step()


class Counted(torch.optim.SGD):
    """Counts its steps in an attribute, to no effect."""

    taken = 0

    def step(self, closure: Any = None) -> None:
        self.taken += 1
        super().step()


class Sums(torch.optim.SGD):
    """Has a zero_grad of its own, which leaves the gradients."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        pass


class Noting(torch.optim.SGD):
    """Keeps in attributes what it does not change."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, lr)
        self.name, self.layers, self.scale = "noting", self.param_groups[0]["params"], torch.ones(2)


@pytest.mark.parametrize("name", APART)
def test_elementwise_classes_of_torch_share(name: str) -> None:
    cls = getattr(torch.optim, name)
    assert treats_elements_apart(lambda tensors: cls(tensors, **APART[name]), KIND)


SEES_MORE = [torch.optim.Adafactor, torch.optim.LBFGS, Drawing, Clipping, ClippingLate, ClippingSmall]
SEES_MORE += [Rare, RareOfNumpy, Built, Lossy, Counting, Distance, Counted]


@pytest.mark.parametrize("cls", SEES_MORE)
def test_what_looks_at_more_than_an_element_does_not(cls: Any) -> None:
    assert not treats_elements_apart(cls, KIND)


def test_attributes_that_stay_as_they_are_hinder_nothing() -> None:
    assert treats_elements_apart(Noting, KIND)


ESTIMATING = ["DAdaptAdaGrad", "DAdaptAdam", "DAdaptAdan", "DAdaptLion", "DAdaptSGD", "Prodigy"]


@pytest.mark.parametrize("first", [1e-6, 1.0])
@pytest.mark.parametrize("name", ESTIMATING)
def test_classes_that_estimate_a_distance_from_all_elements_do_not_share(name: str, first: float) -> None:
    cls = getattr(pytest.importorskip("pytorch_optimizer"), name)
    assert not treats_elements_apart(lambda tensors: cls(tensors, d0=first), KIND)


@pytest.mark.parametrize("name", ["DAdaptAdaGrad", "DAdaptAdan"])
def test_trials_of_such_a_class_go_where_bare_loops_go(name: str) -> None:
    cls = getattr(pytest.importorskip("pytorch_optimizer"), name)
    path = Loop(NETWORK, FromTorch(cls=cls), [5, 0, 7]).run(60)
    for trial, seed in enumerate([5, 0, 7]):
        torch.testing.assert_close(path[:, trial], torch_path(NETWORK, cls, seed, 60), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rates", [[0.0, 0.0, 10.0, 10.0], [1e-300, 1e-300, 10.0, 10.0]])
def test_a_rate_that_moves_nothing_does_not_decide_for_others(
    rates: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(math, "tau", 0.1)
    rule = FromTorch(cls=Threshold, settings={"lr": column(*rates), "momentum": 0.5})
    path = Loop(NETWORK, rule, [5, 0, 7, 3]).run(20)
    for trial, (seed, lr) in enumerate(zip([5, 0, 7, 3], rates, strict=True)):
        bare = torch_path(NETWORK, Threshold, seed, 20, lr=lr, momentum=0.5)
        torch.testing.assert_close(path[:, trial], bare, rtol=1e-12, atol=1e-12)


def test_what_was_found_with_attributes_holds_with_those_alone() -> None:
    for attributes, instances in (({"math.tau": 1e30}, 1), ({}, 3), ({"math.tau": 1e-3}, 3)):
        rule = FromTorch(cls=Threshold, attributes=attributes)
        assert len(Loop(NETWORK, rule, [5, 0, 7]).state.optimizers) == instances


def test_a_class_with_a_zero_grad_of_its_own_does_not_share() -> None:
    assert len(Loop(NETWORK, FromTorch(cls=Sums), [5, 0, 7]).state.optimizers) == 3


@pytest.mark.parametrize(("package", "cls", "apart"), [
    ("lion_pytorch", "Lion", True),
    ("schedulefree", "AdamWScheduleFree", True),
    ("prodigyopt", "Prodigy", False),
])  # fmt: skip
def test_packages_share_where_they_may(package: str, cls: str, apart: bool) -> None:
    found = getattr(pytest.importorskip(package), cls)
    assert treats_elements_apart(found, KIND) is apart


@pytest.mark.parametrize("share", [True, False])
def test_a_class_that_the_check_takes_for_what_it_is_not_can_be_kept_from_sharing(share: bool) -> None:
    settings = {"lr": 0.1, **({} if share else {"share": False})}
    run = Loop(NETWORK, FromTorch.from_settings(Late, settings), [5, 0, 7])
    assert len(run.state.optimizers) == (1 if share else 3)
    path = run.run(30)
    same = [
        torch.allclose(path[:, k], torch_path(NETWORK, Late, s, 30, lr=0.1), rtol=1e-9) for k, s in enumerate([5, 0, 7])
    ]
    assert same == [not share] * 3


@pytest.mark.parametrize(("after", "instances"), [(12, 3), (25, 3), (200, 1)])
def test_the_check_goes_on_past_the_whole_numbers_of_the_settings_up_to_thirty_steps(
    after: int, instances: int
) -> None:
    for settings in ({"after": after}, {"after": column(*3 * [after])}):
        run = Loop(NETWORK, FromTorch(cls=LateAsSet, settings=settings), [5, 0, 7])
        assert len(run.state.optimizers) == instances


def test_a_default_counts_among_the_whole_numbers_of_the_settings() -> None:
    assert len(Loop(NETWORK, FromTorch(cls=LateAsSet), [5, 0, 7]).state.optimizers) == 3


def test_looking_whether_they_may_draws_from_no_global_generator() -> None:
    before = torch.random.get_rng_state()
    treats_elements_apart(Drawing, KIND)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("problem", [Rosenbrock(n=3), NETWORK], ids=["rosenbrock", "network"])
@pytest.mark.parametrize("name", APART)
def test_trials_that_share_go_where_bare_loops_go(name: str, problem: Any) -> None:
    cls, settings = getattr(torch.optim, name), {**APART[name], "lr": column(1e-4, 2e-4, 1e-4, 1e-4)}
    run = Loop(problem, FromTorch(cls=cls, settings=settings), [5, 0, 7, 3])
    assert [shared.trials for shared in run.state.workspace.shares] == [[0, 2, 3], [1]]
    path = run.run(30)
    for trial, (seed, lr) in enumerate([(5, 1e-4), (0, 2e-4), (7, 1e-4), (3, 1e-4)]):
        bare = torch_path(problem, cls, seed, 30, **{**APART[name], "lr": lr})
        torch.testing.assert_close(path[:, trial], bare, rtol=1e-12, atol=1e-12)


def test_trials_leave_a_shared_instance_and_the_others_go_on() -> None:
    whole = Loop(NETWORK, FromTorch(cls=torch.optim.Adam), [5, 0, 7, 3])
    path = whole.run(20)
    run = Loop(NETWORK, FromTorch(cls=torch.optim.Adam), [5, 0, 7, 3])
    run.run(8)
    for kept, trials in (([1, 2, 3], [0, 7, 3]), ([2], [3])):
        rows = torch.tensor(kept)
        run.params, run.state = run.params[rows], run.optimizer.select(run.state, rows)
        run.oracle.keep(rows)
        assert len(run.state.optimizers) == 1
        assert len(run.params) == len(trials)
        run.run(6)
    torch.testing.assert_close(run.params[0], path[-1, 3], rtol=1e-12, atol=1e-12)


def test_a_factor_of_its_own_for_each_trial_ends_the_sharing() -> None:
    def stepped(seeds: list[int], factor: Any) -> tuple[torch.Tensor, Any]:
        loop = Loop(NETWORK, FromTorch(cls=torch.optim.Adam), seeds)
        loop.run(5)
        loop.oracle.move(5)
        return loop.optimizer.step(loop.params, loop.state, loop.oracle, factor)

    after, state = stepped([5, 0, 7], column(1.0, 0.5, 0.25))
    assert len(state.optimizers) == 3
    for trial, (seed, factor) in enumerate([(5, 1.0), (0, 0.5), (7, 0.25)]):
        torch.testing.assert_close(after[trial], stepped([seed], factor)[0][0], rtol=1e-12, atol=1e-12)
