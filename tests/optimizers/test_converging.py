"""Methods that come to an end on a fixed objective: nothing is asked or moved after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from contracts import column
from optbench.problems.logistic_regression import LogisticRegression
from optbench.problems.quadratic import Quadratic
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Modifier, Problem, Schedule, UpdateModifier
from optbench.modifiers.cautious import Cautious
from optbench.modifiers.clip_norm import ClipNorm
from optbench.modifiers.gradient_noise import GradientNoise
from optbench.modifiers.l2 import L2
from optbench.modifiers.lookahead import Lookahead
from optbench.modifiers.sam import SAM
from optbench.modifiers.weight_decay import WeightDecay
from optbench.optimizers import OPTIMIZERS
from optbench.optimizers.converging import Converging
from optbench.oracle import BatchOracle
from optbench.runner import run_trials
from optbench.schedules import Constant, Exponential, Linear, MultiStep
from optbench.schedules.several import Several
from optbench.trials import Trials, wrapped

NAMES = [name for name, kind in OPTIMIZERS.items() if issubclass(kind, Converging)]
STEPS = 150


def counts(trials: Trials) -> torch.Tensor:
    return torch.as_tensor(trials.oracle.evaluations()).expand(len(trials.seeds)).clone()


def at_rest(trials: Trials) -> torch.Tensor:
    return trials.state.rest > -float("inf")


def running(name: str, problem: Problem, seeds: list[int], *modifiers: Any) -> Trials:
    return Trials(problem, OPTIMIZERS[name](), Constant(), list(modifiers), seeds, STEPS)


@pytest.mark.parametrize("name", NAMES)
def test_who_has_converged_is_neither_evaluated_nor_moved(name: str) -> None:
    trials = running(name, Rosenbrock(n=2), [0, 1, 2])
    ended: dict[int, tuple[int, torch.Tensor]] = {}
    for step in range(STEPS):
        before, point = counts(trials), trials.params
        loss = trials.step(step)
        torch.testing.assert_close(loss, trials.problem.loss(point, None), rtol=0, atol=0)
        for k in ended:
            assert counts(trials)[k] == before[k]
            assert torch.equal(trials.params[k], point[k])
        ended |= {k: (step, point[k]) for k in range(3) if at_rest(trials)[k] and k not in ended}
    assert sorted(ended) == [0, 1, 2]
    assert len({step for step, _ in ended.values()}) > 1  # some went on beside others who had ended
    torch.testing.assert_close(trials.params, torch.ones(3, 2, dtype=torch.float64), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_evaluations_and_ends_do_not_depend_on_the_company(name: str) -> None:
    def end(seeds: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        trials = running(name, Rosenbrock(n=2), seeds)
        for step in range(STEPS):
            trials.step(step)
        return counts(trials), trials.params

    many, fewer = end([0, 1, 2, 3]), end([3, 1])
    assert many[0][[3, 1]].tolist() == fewer[0].tolist()
    assert torch.equal(many[1][[3, 1]], fewer[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_rate_of_zero_is_no_end(name: str) -> None:
    problem = Rosenbrock(n=2)
    trials = Trials(problem, OPTIMIZERS[name](), Linear(until=2.0, start=0.0, end=1.0), [], [0, 1], 8)
    start = trials.params
    trials.step(0)
    assert torch.equal(trials.params, start)
    assert not at_rest(trials).any()
    for step in range(1, 8):
        trials.step(step)
    assert (problem.loss(trials.params, None) < problem.loss(start, None)).all()


@pytest.mark.parametrize("name", NAMES)
def test_nobody_ends_while_the_objective_changes(name: str) -> None:
    trials = running(name, Quadratic(n=5, noise=0.1), [0, 1])
    for step in range(12):
        trials.step(step)
        assert not at_rest(trials).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_trial_ends_at_its_own_gtol(name: str) -> None:
    problem, gtol = Rosenbrock(n=2), column(1e-3, 1e-9)
    trials = Trials(problem, OPTIMIZERS[name](gtol=gtol), Constant(), [], [1, 1], STEPS)
    for step in range(STEPS):
        trials.step(step)
    assert at_rest(trials).all()
    assert (problem.loss_and_grad(trials.params, None)[1].abs().amax(dim=1) <= gtol[:, 0]).all()
    assert counts(trials)[0] < counts(trials)[1]


@dataclass(frozen=True, kw_only=True)
class Dip(Schedule):
    """Hardly any rate in steps 2 to 5, all of it before and after."""

    def factor(self, step: int, steps: int, state: Any) -> float:
        return 1e-60 if 2 <= step < 6 else 1.0


@pytest.mark.parametrize("name", NAMES)
def test_who_rests_at_a_small_rate_goes_on_at_a_larger_one(name: str) -> None:
    trials = Trials(Rosenbrock(n=2), OPTIMIZERS[name](), Dip(), [], [0, 1], STEPS)
    resting = 0
    for step in range(STEPS):
        trials.step(step)
        resting += int(at_rest(trials).all()) if 2 <= step < 6 else 0
    assert resting > 0
    torch.testing.assert_close(trials.params, torch.ones(2, 2, dtype=torch.float64), rtol=1e-6, atol=0)


@pytest.mark.parametrize("gtol", [0.0, 1e-8])
@pytest.mark.parametrize("name", NAMES)
def test_a_penalty_that_a_schedule_changes_is_followed_to_its_last_minimum(name: str, gtol: float) -> None:
    problem, strength = Quadratic(n=4, condition=10.0), 1.0
    falling = Several(rate=Constant(), others={"l2.strength": MultiStep(milestones=(0.5,), gamma=1e-3)})
    trials = Trials(problem, OPTIMIZERS[name](gtol=gtol), falling, [L2(strength=strength)], [0, 1, 2], STEPS)
    for step in range(STEPS):
        trials.step(step)
    one = torch.eye(4, dtype=torch.float64)
    A = problem.loss_and_grad(1 + one, None)[1]  # the gradient is A (x − 1)
    least = torch.linalg.solve(A + 1e-3 * strength * one, A.sum(dim=1))
    torch.testing.assert_close(trials.params, least.expand(3, 4), rtol=1e-5, atol=0)


def test_who_rests_at_a_large_damping_goes_on_at_a_smaller_one() -> None:
    falling = Several(rate=Constant(), others={"damping": Exponential(rate=100.0)})
    rule = OPTIMIZERS["newton"](damping=1e20)
    trials = Trials(Quadratic(n=2), rule, falling, [], [0, 1], STEPS)
    start = trials.params
    trials.step(0)
    assert torch.equal(trials.params, start)
    for step in range(1, STEPS):
        trials.step(step)
    torch.testing.assert_close(trials.params, torch.ones(2, 2, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"restart": 3}], ids=["", "restart"])
@pytest.mark.parametrize("name", NAMES)
def test_who_is_woken_goes_on_as_without_company(name: str, settings: dict[str, Any]) -> None:
    if settings and name != "conjugate_gradient":
        pytest.skip("has no restarts")

    def end(seeds: list[int]) -> torch.Tensor:
        rule = OPTIMIZERS[name](gtol=0.3, **settings)
        trials = Trials(Rosenbrock(n=2), rule, Constant(), [Lookahead()], seeds, 60)
        for step in range(60):
            trials.step(step)
        return trials.params

    assert torch.equal(end([*range(8)])[[5, 2]], end([5, 2]))


@pytest.mark.parametrize("modifier", [WeightDecay(strength=0.1), Lookahead()], ids=["weight_decay", "lookahead"])
@pytest.mark.parametrize("name", NAMES)
def test_who_is_moved_by_a_modifier_is_asked_there(name: str, modifier: UpdateModifier) -> None:
    problem = Quadratic(n=4)
    trials = Trials(problem, OPTIMIZERS[name](gtol=1e-2), Constant(), [modifier], [0, 1], 60)
    for step in range(60):
        point = trials.params
        torch.testing.assert_close(trials.step(step), problem.loss(point, None), rtol=1e-12, atol=0)
        rests = at_rest(trials) & (trials.params == point).all(dim=1)
        assert (problem.loss_and_grad(point, None)[1].abs().amax(dim=1)[rests] <= 1e-2).all()


@pytest.mark.parametrize("name", NAMES)
def test_with_a_gtol_the_loss_is_that_of_the_point_and_the_end_is_where_it_is_reached(name: str) -> None:
    problem = Rosenbrock(n=2)
    trials = Trials(problem, OPTIMIZERS[name](gtol=1.0), Constant(), [], [0, 1, 2], STEPS)
    for step in range(STEPS):
        point = trials.params
        steep = problem.loss_and_grad(point, None)[1].abs().amax(dim=1)
        torch.testing.assert_close(trials.step(step), problem.loss(point, None), rtol=0, atol=0)
        assert torch.equal(trials.params[steep <= 1.0], point[steep <= 1.0])
    assert at_rest(trials).all()


def test_products_of_a_trial_that_begins_at_zero_are_not_asked_for_others_sake() -> None:
    problem, decay = Rosenbrock(n=2), column(0.0, 0.95)
    both = Trials(problem, OPTIMIZERS["hessian_free"](decay=decay), Constant(), [], [3, 3], 30)
    alone = Trials(problem, OPTIMIZERS["hessian_free"](decay=0.0), Constant(), [], [3], 30)
    for step in range(30):
        both.step(step)
        alone.step(step)
    assert counts(both)[0] == counts(alone)[0]


@pytest.mark.parametrize(
    "modifier",
    [ClipNorm(), SAM(), GradientNoise(), Cautious()],
    ids=["clip_norm", "sam", "gradient_noise", "cautious"],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_that_is_not_that_of_the_loss_is_refused(name: str, modifier: Modifier) -> None:
    problem = Rosenbrock(n=2)
    params = problem.start([0])
    oracle = wrapped(BatchOracle(problem, problem.stream([0]), 1), [modifier], params, [0], 10)
    with pytest.raises(ValueError, match="it compares losses, whose gradients it needs as they are; leave out"):
        OPTIMIZERS[name]().check(params, oracle)


@pytest.mark.parametrize("name", ["lbfgs", "bfgs", "conjugate_gradient", "newton"])
def test_a_decrease_that_no_step_with_the_slope_can_have_is_refused(name: str) -> None:
    kind: dict[str, Any] = {} if name == "conjugate_gradient" else {"line_search": "strong_wolfe"}
    with pytest.raises(ValueError, match=r"c1 must not lie above c2, got 0.6 and 0.5 in trial 1$"):
        OPTIMIZERS[name](c1=column(0.1, 0.6), c2=0.5, **kind)


@pytest.mark.parametrize("name", ["lbfgs", "bfgs", "newton"])
def test_backtracking_may_ask_for_any_decrease(name: str) -> None:
    OPTIMIZERS[name](line_search="backtracking", c1=0.95)


def test_a_probe_far_away_kills_no_trial_of_a_network_s_objective() -> None:
    problem = LogisticRegression(batch_size=None)
    recording = run_trials(problem, OPTIMIZERS["lbfgs"](lr=1e8), Constant(), [], [0, 1, 2], 20).recording
    assert recording.died.tolist() == [-1, -1, -1]
    assert (recording.final_loss < 0.1).all()
    assert (np.diff(recording.curves["loss"][:20], axis=0) <= 1e-6).all()


@pytest.mark.parametrize("name", ["lbfgs", "gauss_newton"])
def test_the_loss_that_is_recorded_is_the_problem_s_own_beside_a_penalty(name: str) -> None:
    """At the minimum of a penalised loss, where trials rest, and on the way."""
    problem = LogisticRegression(batch_size=None)
    trials = running(name, problem, [0, 1], L2(strength=0.1))
    for step in range(40):
        point = trials.params
        torch.testing.assert_close(trials.step(step), problem.objective(point, step), rtol=1e-6, atol=0)
