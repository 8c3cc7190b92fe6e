"""Early stopping against Algorithms 7.1, 7.2 and 7.3 written as plain loops over one torch module."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.mlp import MLP
from torch import Tensor, nn

import optbench
from optbench.data.batch import Batch
from optbench.data.minibatches import Minibatches
from optbench.data.splits import Part
from optbench.interfaces import FixedStream, Layout, Problem
from optbench.modifiers.early_stopping import EarlyStopping, Stopping
from optbench.modifiers.interval import Interval
from optbench.modifiers.label_smoothing import LabelSmoothing
from optbench.optimizers.adam import Adam
from optbench.optimizers.momentum import Momentum
from optbench.optimizers.sgd import SGD
from optbench.randomness import derive
from optbench.runner import run_trials
from optbench.schedules.constant import Constant
from optbench.schedules.cosine import Cosine
from optbench.trials import Trials

RATE, MOMENTUM, STEPS = 0.3, 0.9, 120
SEEDS = [0, 1, 2, 3, 4, 5]
HARD = MLP(data="wine", hidden=(24,), label_noise=0.4, batch_size=16, dtype=torch.float64)
"""A network that soon learns wrong labels by heart, so that its validation loss rises."""
FEW = MLP(data="breast_cancer", hidden=(24,), fraction=0.2, batch_size=16, dtype=torch.float64)
"""One whose validation loss stays above that of its few training samples."""


def run(rule: EarlyStopping, seeds: list[int], steps: int = STEPS, problem: MLP = HARD) -> tuple[Trials, Stopping]:
    trials = Trials(problem, Momentum(lr=RATE, momentum=MOMENTUM), Cosine(), [rule], seeds, steps)
    for step in range(steps):
        trials.step(step)
    return trials, trials.trials_states[0]


class Plain:
    """One torch module, trained and judged on parts of the data."""

    def __init__(self, seed: int, problem: MLP = HARD):
        self.module, splits = problem.module().double(), problem.splits
        nn.utils.vector_to_parameters(problem.start([seed])[0], self.module.parameters())
        self.train, self.validation = splits.train, splits.validation
        both = Part(torch.cat([splits.train.x, splits.validation.x]), torch.cat([splits.train.y, splits.validation.y]))
        self.batches = Minibatches([seed], self.train, 16)
        self.more_batches = Minibatches([derive(seed, "restart")], both, 16)
        self.begin(0, 0)

    def begin(self, first: int, end: int) -> None:
        """A fresh optimizer, with a schedule over these steps."""
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=RATE, momentum=MOMENTUM)
        self.first, self.span = first, max(end - first, 1)

    def step(self, step: int, batches: Minibatches) -> None:
        batch = batches.at(step)
        self.optimizer.param_groups[0]["lr"] = RATE * Cosine().factor(step - self.first, self.span, ())  # type: ignore[operator]
        self.optimizer.zero_grad()
        F.cross_entropy(self.module(batch.x[0]), batch.y[0]).backward()
        self.optimizer.step()

    def loss(self, part: Part) -> float:
        with torch.no_grad():
            return F.cross_entropy(self.module(part.x), part.y).item()

    @property
    def params(self) -> Tensor:
        return nn.utils.parameters_to_vector(self.module.parameters()).detach().clone()


def algorithm_7_1(plain: Plain, n: int, p: int, budget: int) -> tuple[dict[str, Tensor], int, float]:
    """θ*, i*, v of the book, for at most so many steps."""
    plain.begin(0, budget)
    best = copy.deepcopy(plain.module.state_dict())
    i = j = i_best = 0
    v = float("inf")
    while j < p and i + n <= budget:
        for _ in range(n):
            plain.step(i, plain.batches)
            i += 1
        found = plain.loss(plain.validation)
        if found < v:
            j, best, i_best, v = 0, copy.deepcopy(plain.module.state_dict()), i, found
        else:
            j += 1
    return best, i_best, v


@pytest.mark.parametrize(("n", "p"), [(1, 3), (5, 2), (7, 100)])
@pytest.mark.parametrize("seeds", [[2], SEEDS])
def test_kept_parameters_are_those_of_algorithm_7_1(n: int, p: int, seeds: list[int]) -> None:
    trials, state = run(EarlyStopping(patience=p, every=n), seeds)
    found = []
    for k, seed in enumerate(seeds):
        plain = Plain(seed)
        best, steps, v = algorithm_7_1(plain, n, p, STEPS)
        plain.module.load_state_dict(best)
        found.append(steps)
        assert state.i[k].item() == steps
        assert state.v[k].item() == pytest.approx(v, rel=1e-9)
        torch.testing.assert_close(trials.params[k], plain.params, rtol=1e-9, atol=1e-9)
    assert max(found) < STEPS
    assert len(seeds) == 1 or len(set(found)) > 1


@pytest.mark.parametrize("seeds", [[2], SEEDS])
def test_retraining_is_algorithm_7_2(seeds: list[int]) -> None:
    n, p, half = 3, 3, STEPS // 2
    trials, state = run(EarlyStopping(patience=p, every=n, then="retrain"), seeds)
    for k, seed in enumerate(seeds):
        _, steps, _ = algorithm_7_1(Plain(seed), n, p, half)
        again = Plain(seed)
        again.begin(half, STEPS)
        for step in range(half, half + steps):
            again.step(step, again.more_batches)
        assert 0 < state.i[k].item() == steps
        torch.testing.assert_close(trials.params[k], again.params, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seeds", [[2], SEEDS])
def test_continuing_is_algorithm_7_3(seeds: list[int]) -> None:
    n, p, half = 3, 3, STEPS // 2
    trials, state = run(EarlyStopping(patience=p, every=n, then="continue"), seeds, problem=FEW)
    lengths = []
    for k, seed in enumerate(seeds):
        plain = Plain(seed, FEW)
        best, _, _ = algorithm_7_1(plain, n, p, half)
        plain.module.load_state_dict(best)
        plain.begin(half, STEPS)
        bound, step = plain.loss(plain.train), half
        while plain.loss(plain.validation) > bound and step < STEPS:
            for _ in range(n):
                plain.step(step, plain.more_batches)
                step += 1
        lengths.append(step - half)
        assert state.bound[k].item() == pytest.approx(bound, rel=1e-9)
        torch.testing.assert_close(trials.params[k], plain.params, rtol=1e-9, atol=1e-9)
    assert 0 < min(lengths) < half


def test_a_search_that_the_budget_ends_goes_back_to_the_best() -> None:
    trials, state = run(EarlyStopping(patience=1000, every=1), SEEDS)
    assert torch.equal(trials.params, state.best)
    losses = HARD.evaluate(trials.params, STEPS)["validation_loss"]
    assert torch.equal(losses, state.v)
    without = Trials(HARD, Momentum(lr=RATE, momentum=MOMENTUM), Cosine(), [], SEEDS, STEPS)
    for step in range(STEPS):
        without.step(step)
    assert (HARD.evaluate(without.params, STEPS)["validation_loss"] > losses).all()


def test_the_second_training_sees_samples_for_validation_and_none_for_test() -> None:
    seen: list[Tensor] = []
    rule = EarlyStopping(patience=2, every=2, then="retrain")
    trials = Trials(HARD, SGD(lr=0.1), Constant(), [rule], [0, 1], 120)
    for step in range(120):
        trials.step(step)
        if step >= 60:
            seen.append(trials.oracle.stream.at(step).x[0])

    def share(part: Part) -> float:
        everything = torch.cat(seen)
        return ((part.x[:, None] == everything).all(dim=2).any(dim=1)).double().mean().item()

    assert share(HARD.splits.train) == share(HARD.splits.validation) == 1
    assert share(HARD.splits.test) == 0
    assert len(HARD.train) + len(HARD.splits.validation) == len(HARD.on_all_but_test().train)


def test_evaluations_stay_counted_and_the_judge_stays_the_same() -> None:
    outcome = run_trials(
        HARD, Adam(lr=0.01), Constant(), [EarlyStopping(every=5, then="continue")], SEEDS, 60, test=True
    )
    recording = outcome.recording
    assert (recording.evaluations == 60).all()
    end = Trials(HARD, Adam(lr=0.01), Constant(), [EarlyStopping(every=5, then="continue")], SEEDS, 60)
    for step in range(60):
        end.step(step)
    assert recording.final_loss == pytest.approx(HARD.objective(end.params, 60).numpy(), rel=1e-12)


@pytest.mark.parametrize("then", ["keep", "retrain", "continue"])
def test_trials_that_leave_do_not_change_those_that_stay(then: str) -> None:
    rule = EarlyStopping(patience=2, every=3, then=then)
    whole = Trials(HARD, Adam(lr=0.05), Cosine(), [rule, LabelSmoothing(), Interval(low=-3.0, high=3.0)], SEEDS, 40)
    part = Trials(HARD, Adam(lr=0.05), Cosine(), [rule, LabelSmoothing(), Interval(low=-3.0, high=3.0)], SEEDS, 40)
    for step in range(40):
        if step in (7, 28):
            part.keep(torch.tensor([5, 2, 3] if step == 7 else [2, 0]))
        whole.step(step)
        part.step(step)
    assert torch.equal(part.params, whole.params[[3, 5]])
    assert torch.equal(part.trials_states[0].i, whole.trials_states[0].i[[3, 5]])


def test_a_restart_has_a_fresh_optimizer_schedule_and_data_order() -> None:
    trials = Trials(HARD, Adam(lr=0.01), Cosine(), [], [4, 7], 30)
    for step in range(10):
        trials.step(step)
    start = HARD.start([4, 7])
    trials.restart(HARD, start, 10)
    assert trials.state.t == 0
    assert trials.schedule.factor(0, 20, ()) == 1.0
    order = trials.oracle.stream.at(0)
    assert isinstance(order, Batch)
    assert not torch.equal(order.x, HARD.stream([4, 7]).at(0).x)
    trials.step(10)
    torch.testing.assert_close((trials.params - start).abs().max().item(), 0.01, rtol=1e-4, atol=0)
    assert trials.oracle.evaluations() == 11


@dataclass(frozen=True, kw_only=True)
class Formula(Problem):
    """Least squares of a person's own, not built on optbench.nn.Learning."""

    family: ClassVar[str] = "learning"
    judged_by: ClassVar[str] = "validation_loss"

    @property
    def layout(self) -> Layout:
        return Layout(("w",), ((3,),), ("weight",))

    def start(self, seeds: Any) -> torch.Tensor:
        return torch.zeros(len(seeds), 3, **self.kind)

    def stream(self, seeds: Any) -> Any:
        return FixedStream()

    def loss(self, params: torch.Tensor, batch: Any) -> torch.Tensor:
        return (params - 1).square().sum(dim=1)

    def evaluate(self, params: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
        return {"objective": self.loss(params, None), "validation_loss": (params - 0.5).square().sum(dim=1)}

    def minimum(self) -> float:
        return 0.0

    def targets(self) -> list[float]:
        return [0.1]

    def target(self) -> float:
        return 0.1


def test_a_problem_with_a_formula_of_its_own_is_stopped_but_not_trained_again() -> None:
    problem: Any = Formula(dtype=torch.float64)
    trials = Trials(problem, SGD(lr=0.1), Constant(), [EarlyStopping(patience=2, every=1)], [0, 1, 2], 100)
    for step in range(100):
        trials.step(step)
    losses = problem.evaluate(trials.params, 100)["validation_loss"]
    assert losses.max() < 0.02  # on the way from 0 to 1, where the rate leaves it near a half
    assert torch.equal(losses, trials.trials_states[0].v)
    with pytest.raises(ValueError, match=r"^early_stopping needs a network, such as that of mlp; Formula is a formula"):
        EarlyStopping(then="retrain").check(problem, 100)


def test_a_search_too_short_for_one_evaluation_is_refused_before_the_sweep_starts() -> None:
    with pytest.raises(ValueError, match=r"every=10 is more than the 8 steps of the search; lower it or raise steps$"):
        EarlyStopping(then="retrain").check(HARD, 17)
    with pytest.raises(optbench.errors.UsageError, match=r"^mlp: early_stopping: every=10 is more than the 5 steps"):
        optbench.run("problem=mlp", "modifier=[early_stopping]", steps=5)


@pytest.mark.parametrize(
    ("wrong", "text"), [({"patience": 0}, "patience"), ({"every": 0}, "every"), ({"then": "x"}, "then")]
)
def test_settings_outside_their_range_are_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=rf"^EarlyStopping: {text} must"):
        EarlyStopping(**wrong)
