"""Torch optimizers that change their groups, attributes and gradients themselves, against bare torch loops."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from torch import Tensor

from optbench.errors import UsageError
from optbench.optimizers.from_torch import FromTorch
from optbench.schedules.cosine import Cosine
from optbench.schedules.halving import Halving

NETWORK = TinyNet()
SEEDS = [5, 0, 7]


class Own(torch.optim.Optimizer):
    """Gradient descent with the rate in the group."""

    def __init__(self, params: Any, lr: Any = 0.05) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad)


class Decays(Own):
    """Lowers its own rate."""

    def step(self, closure: Any = None) -> None:  # pyright: ignore
        super().step()
        self.param_groups[0]["lr"] *= 0.9


class DecaysInPlace(Own):
    """Its rate is a tensor."""

    def __init__(self, params: Any, lr: float = 0.05) -> None:
        super().__init__(params, torch.tensor(lr, dtype=torch.float64))

    def step(self, closure: Any = None) -> None:  # pyright: ignore
        super().step()
        self.param_groups[0]["lr"].mul_(0.9)


class Hypergradient(Own):
    """Moves its rate along the product of two gradients."""

    def step(self, closure: Any = None) -> None:  # pyright: ignore
        (group,) = self.param_groups
        for p in group["params"]:
            group["lr"] += 1e-3 * float((p.grad * self.state[p].get("last", 0 * p.grad)).sum())
            self.state[p]["last"] = p.grad.clone()
        super().step()


class Counts(Own):
    """Counts its steps in an attribute, and lowers its rate after thirty-five."""

    taken = 0

    def step(self, closure: Any = None) -> None:  # pyright: ignore
        self.taken += 1
        if self.taken > 35:
            self.param_groups[0]["lr"] = 1.0 / self.taken
        super().step()


class Buffers(Own):
    """Has its momentum in an attribute."""

    def __init__(self, params: Any, lr: float = 0.05) -> None:
        super().__init__(params, lr)
        self.momenta = [torch.zeros_like(p) for p in self.param_groups[0]["params"]]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore
        for p, m in zip(self.param_groups[0]["params"], self.momenta, strict=True):
            p.sub_(self.param_groups[0]["lr"] * m.mul_(0.9).add_(p.grad))


class Interpolates(Own):
    """Comes back half of the way after every fourth step of an optimizer within it."""

    def __init__(self, params: Any, lr: float = 0.05) -> None:
        super().__init__(params, lr)
        self.inner, self.taken = torch.optim.SGD(self.param_groups, lr=lr, momentum=0.5), 0
        self.slow = {p: p.detach().clone() for p in self.param_groups[0]["params"]}

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore
        self.inner.step()
        self.taken += 1
        for p, slow in self.slow.items() if self.taken % 4 == 0 else ():
            p.copy_(slow.lerp_(p, 0.5))


class Unfreezes(Own):
    """Begins with the vectors and adds the matrices, with a rate of their own, in its fifth step."""

    def __init__(self, params: Any, lr: float = 0.05) -> None:
        given = list(params)
        super().__init__([p for p in given if p.ndim == 1], lr)
        self.later = [p for p in given if p.ndim == 2]

    def step(self, closure: Any = None) -> None:  # pyright: ignore
        self.defaults["count"] = self.defaults.get("count", 0) + 1
        if self.defaults["count"] == 5:
            self.add_param_group({"params": self.later, "lr": 0.02})
        super().step()
        for p in self.later:
            p.grad = None  # an instance's own zero_grad knows none of them before


class Remembers(Own):
    """Its zero_grad leaves half of the gradient, to which the next is added."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        for p in self.param_groups[0]["params"]:
            if p.grad is not None:
                p.grad.mul_(0.5)


class RemembersAndAsks(Remembers):
    """Asks twice: each time the gradient is added to half of the last."""

    @torch.no_grad()
    def step(self, closure: Any) -> None:  # pyright: ignore
        for _ in range(2):
            with torch.enable_grad():
                closure()
        super().step()


THEMSELVES = [
    Decays,
    DecaysInPlace,
    Hypergradient,
    Counts,
    Buffers,
    Interpolates,
    Unfreezes,
    Remembers,
    RemembersAndAsks,
]


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("cls", THEMSELVES)
def test_what_a_class_changes_itself_stays_as_in_a_bare_torch_loop(cls: Any, share: bool, copied: bool) -> None:
    run = Loop(NETWORK, FromTorch(cls=cls, share=share), SEEDS)
    bare = torch.stack([torch_path(NETWORK, cls, seed, 50) for seed in SEEDS], dim=1)
    torch.testing.assert_close(run.run(10), bare[:10], rtol=1e-12, atol=1e-12)
    if copied:
        run.state = copy.deepcopy(run.state)
    run.keep([0, 2])
    torch.testing.assert_close(run.run(40), bare[10:, [0, 2]], rtol=1e-12, atol=1e-12)


def scheduled(seed: int, factor: Callable[[int], float], steps: int) -> Tensor:
    """A bare loop of a class that lowers its own rate, which torch's LambdaLR writes over where the factor is another."""
    at = [torch.nn.Parameter(v[0].clone()) for v in NETWORK.layout.split(NETWORK.start([seed])).values()]
    optimizer, stream, path = Decays(at, lr=0.1), NETWORK.stream([seed]), []
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for step in range(steps):
        optimizer.zero_grad()
        NETWORK.loss(torch.cat([p.reshape(1, -1) for p in at], dim=1), stream.at(step)).sum().backward()
        optimizer.step()
        own = optimizer.param_groups[0]["lr"]
        scheduler.step()
        if factor(step + 1) == factor(step):
            optimizer.param_groups[0]["lr"] = own
        path.append(torch.cat([p.detach().reshape(-1) for p in at]))
    return torch.stack(path)


@pytest.mark.parametrize("schedule", [Cosine(), Halving(every=0.3)], ids=["cosine", "halving"])
@pytest.mark.parametrize("share", [True, False])
def test_a_schedule_writes_the_rate_where_its_factor_changes(schedule: Any, share: bool) -> None:
    run = Loop(NETWORK, FromTorch(cls=Decays, settings={"lr": 0.1}, share=share), SEEDS, schedule=schedule, steps=40)
    first = run.run(17)
    run.state = copy.deepcopy(run.state)
    run.keep([0, 2])
    path = torch.cat([first[:, [0, 2]], run.run(23)])
    for trial, seed in enumerate([5, 7]):
        bare = scheduled(seed, lambda step: float(schedule.factor(step, 40, ())), 40)
        torch.testing.assert_close(path[:, trial], bare, rtol=1e-12, atol=1e-12)


class Lately(Own):
    """Does something for the first time after its fortieth step."""

    def step(self, closure: Any = None) -> None:  # pyright: ignore
        super().step()
        for p in self.param_groups[0]["params"]:
            self.state[p]["count"] = self.state[p].get("count", 0) + 1
            if self.state[p]["count"] > 40:
                self.begin(p)

    def begin(self, p: Any) -> None:
        raise NotImplementedError


class LateList(Lately):
    def begin(self, p: Any) -> None:
        self.state[p]["history"] = [p.grad.clone()]


class LateGroup(Lately):
    def begin(self, p: Any) -> None:
        self.param_groups[0]["sum"] = [p.grad.clone()]


class LateAttribute(Lately):
    def begin(self, p: Any) -> None:
        self.best = float(p.grad.norm())


class LateKey(Lately):
    def begin(self, p: Any) -> None:
        self.state["all"] = {"norm": 1.0}  # pyright: ignore


@pytest.mark.parametrize(("cls", "cause"), [
    (LateList, r"keeps a list in its state \('history'\)"),
    (LateGroup, r"keeps tensors in its parameter groups \('sum'\)"),
    (LateAttribute, r"has changed attributes of its own"),
    (LateKey, r"keeps more in its state than what belongs to parameters \('all'\)"),
])  # fmt: skip
def test_a_trial_that_cannot_leave_is_told_with_the_cause_and_the_way_out(cls: Any, cause: str) -> None:
    run = Loop(NETWORK, FromTorch(cls=cls), SEEDS)
    run.run(45)
    with pytest.raises(UsageError, match=rf"^{cls.__name__} {cause}, so that no trial .*; optimizer\.share=false"):
        run.keep([0, 2])
    alone = Loop(NETWORK, FromTorch(cls=cls, share=False), SEEDS)
    alone.run(45)
    alone.keep([0, 2])
    bare = torch_path(NETWORK, cls, 7, 50)
    torch.testing.assert_close(alone.run(5)[:, 1], bare[45:], rtol=1e-12, atol=1e-12)
