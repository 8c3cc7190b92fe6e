"""Sharpness-aware minimisation, against pytorch_optimizer's SAM, the loop of ASAM's authors, and worked by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.sam import SAM
from optbench.optimizers.adam import Adam
from optbench.optimizers.momentum import Momentum
from optbench.oracle import BatchOracle

RULES: dict[str, Any] = {
    "sgd": (Momentum(lr=2e-4, momentum=0.9), torch.optim.SGD, {"lr": 2e-4, "momentum": 0.9}),
    "adam": (Adam(lr=0.01), torch.optim.Adam, {"lr": 0.01}),
}
problems = pytest.mark.parametrize("problem", [TinyNet(), Rosenbrock(n=4)], ids=["network", "rosenbrock"])
rules = pytest.mark.parametrize("rule", RULES)


class Bare:
    """One trial's parameters as torch has them, and the closure of a step.

    Args:
        problem: what is minimised.
        seed: of the trial.
    """

    def __init__(self, problem: Any, seed: int):
        self.problem, self.stream = problem, problem.stream([seed])
        start = problem.layout.split(problem.start([seed]))
        self.named = {name: torch.nn.Parameter(value[0].clone()) for name, value in start.items()}
        self.at = list(self.named.values())

    def row(self) -> torch.Tensor:
        return torch.cat([p.reshape(1, -1) for p in self.at], dim=1)

    def backward(self, step: int) -> torch.Tensor:
        for parameter in self.at:
            parameter.grad = None
        loss = self.problem.loss(self.row(), self.stream.at(step)).sum()
        loss.backward()
        return loss


@problems
@rules
@pytest.mark.parametrize(("rho", "adaptive"), [(0.05, False), (0.5, False), (0.5, True)])
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, rule: str, rho: float, adaptive: bool) -> None:
    """To about 1e-5, as its norm is one in float32."""
    theirs_sam = pytest.importorskip("pytorch_optimizer").SAM
    ours, theirs, settings = RULES[rule]
    switched: dict[str, Any] = {"adaptive": True, "eta": 0.0, "biases": True} if adaptive else {}
    path = Loop(problem, ours, [1], modifiers=[SAM(rho=rho, **switched)]).run(100)[:, 0]
    bare = Bare(problem, 1)
    optimizer = theirs_sam(bare.at, theirs, rho=rho, adaptive=adaptive, **settings)
    for step in range(100):
        bare.backward(step)
        optimizer.step(partial(bare.backward, step))
        torch.testing.assert_close(path[step], bare.row()[0].detach(), rtol=1e-4, atol=1e-5)


@problems
@rules
@pytest.mark.parametrize(("rho", "adaptive"), [(0.05, False), (0.5, False), (0.5, True)])
def test_a_hundred_steps_equal_the_loop_of_the_authors_of_asam(
    problem: Any, rule: str, rho: float, adaptive: bool
) -> None:
    """Their loop: up, a gradient, down again, a step of torch's optimizer; T is 1 but for weights."""
    ours, theirs, settings = RULES[rule]
    path = Loop(problem, ours, [1], modifiers=[SAM(rho=rho, adaptive=adaptive)]).run(100)[:, 0]
    bare = Bare(problem, 1)
    optimizer = theirs(bare.at, **settings)
    for step in range(100):
        bare.backward(step)
        with torch.no_grad():
            scales = [
                p.abs() + 0.01 if adaptive and "bias" not in n else torch.ones_like(p) for n, p in bare.named.items()
            ]
            grads = [p.grad for p in bare.at]
            length = sum(((t * g) ** 2).sum() for t, g in zip(scales, grads, strict=True)) ** 0.5
            kept = [p.clone() for p in bare.at]
            for p, t, g in zip(bare.at, scales, grads, strict=True):
                p += rho * t * t * g / length
        bare.backward(step)
        with torch.no_grad():
            for p, old in zip(bare.at, kept, strict=True):
                p.copy_(old)
        optimizer.step()
        torch.testing.assert_close(path[step], bare.row()[0].detach(), rtol=1e-9, atol=1e-10)


class Bowl(Oracle):
    """f(x) = ½ ‖x‖² over a weight and a bias, with every point asked at."""

    fixed = True
    layout = Layout(("weight", "bias"), ((1, 1), (1,)), ("weight", "bias"))

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def __call__(self, params: Any, rows: Any = None) -> Any:
        self.asked.append(params[0].tolist())
        return 0.5 * (params * params).sum(dim=1), params


def test_steps_worked_by_hand() -> None:
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    bowl = Bowl()
    loss, grad = SAM(rho=0.5).wrap(bowl, (), 0)[0](x)
    assert bowl.asked == [[3.0, 4.0], pytest.approx([3.3, 4.4])]
    torch.testing.assert_close(grad, torch.tensor([[3.3, 4.4]], dtype=torch.float64))
    assert loss.item() == pytest.approx(0.5 * (3.3**2 + 4.4**2))
    # ASAM: T = (3 + 1, 1), T g = (12, 4), T² g = (48, 4), ‖T g‖ = √160
    _, grad = SAM(rho=0.5, adaptive=True, eta=1.0).wrap(Bowl(), (), 0)[0](x)
    expected = [[3 + 0.5 * 48 / 160**0.5, 4 + 0.5 * 4 / 160**0.5]]
    torch.testing.assert_close(grad, torch.tensor(expected, dtype=torch.float64))
    # with biases: T = (4, 5), T g = (12, 20), T² g = (48, 100), ‖T g‖ = √544
    _, grad = SAM(rho=0.5, adaptive=True, eta=1.0, biases=True).wrap(Bowl(), (), 0)[0](x)
    expected = [[3 + 0.5 * 48 / 544**0.5, 4 + 0.5 * 100 / 544**0.5]]
    torch.testing.assert_close(grad, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("adaptive", [False, True])
def test_where_the_gradient_is_zero_nothing_is_uphill(adaptive: bool) -> None:
    zero = torch.zeros(2, 2, dtype=torch.float64)
    loss, grad = SAM(adaptive=adaptive).wrap(Bowl(), (), 0)[0](zero)
    assert torch.equal(grad, zero)
    assert torch.equal(loss, zero[:, 0])


def test_a_question_is_two_evaluations_on_one_minibatch() -> None:
    problem = TinyNet()
    params, stream = problem.start([0, 1]), problem.stream([0, 1])
    inner = BatchOracle(problem, stream, 2)
    inner.move(7)
    loss, grad = SAM(rho=0.3).wrap(inner, (), 7)[0](params)
    assert inner.evaluations() == 2
    _, first = problem.loss_and_grad(params, stream.at(7))
    expected = problem.loss_and_grad(params + 0.3 * first / first.norm(dim=1, keepdim=True), stream.at(7))
    torch.testing.assert_close((loss, grad), expected, rtol=1e-12, atol=1e-14)


def test_a_negative_rho_is_refused_and_the_trial_named() -> None:
    with pytest.raises(ValueError, match=r"^SAM: rho must lie in \[0, inf\), got -1 in trial 1$"):
        SAM(rho=torch.tensor([[0.1], [-1.0]]))
