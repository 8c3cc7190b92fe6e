"""The trials of a run, held in one tensor: parameters, optimizer state, and one method that makes a step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .columns import Stepper
from .interfaces import (
    Hyper,
    Loss,
    Modifier,
    Optimizer,
    Oracle,
    OracleModifier,
    Params,
    Problem,
    ProblemModifier,
    Rows,
    Schedule,
    TrialsModifier,
    UpdateModifier,
    select,
)
from .modifiers import turn
from .oracle import BatchOracle
from .randomness import derive
from .schedules.batch_size import BATCH_SIZE, shortened
from .schedules.several import Several, belonging, scaled


class Trials:
    """Many trials of one (problem, optimizer, schedule, modifiers), advanced together.

    Args:
        problem, optimizer, schedule, modifiers: what is run; their settings may hold columns `[trials, 1]`.
        seeds: one a trial.
        steps: the budget, which schedules need to know.
        stepper: makes the steps; trials that share one trace and compile a rule once. Not given: one that compiles nothing.
    """

    def __init__(
        self,
        problem: Problem,
        optimizer: Optimizer,
        schedule: Schedule,
        modifiers: Sequence[Modifier],
        seeds: Sequence[int],
        steps: int,
        stepper: Stepper | None = None,
    ):
        self.stepper = Stepper() if stepper is None else stepper
        self.asked = problem  # as it is without what modifiers add
        problem = changed(problem, modifiers)
        self.problem, self.optimizer, self.schedule, self.steps = problem, optimizer, schedule, steps
        self.seeds, self.span = list(seeds), (0, steps)  # the steps over which the schedule runs
        self.params, layout = problem.start(seeds), problem.layout
        if self.params.shape != (len(seeds), layout.n):
            raise ValueError(
                f"{type(problem).__name__}: start() must give one row a trial, [{len(seeds)}, {layout.n}], "
                f"got {list(self.params.shape)}"
            )
        self.oracle = BatchOracle(problem, problem.stream(seeds), len(seeds))
        modifiers = sorted(modifiers, key=turn)
        self.on_problem = [m for m in modifiers if isinstance(m, ProblemModifier)]
        self.on_oracle = [m for m in modifiers if isinstance(m, OracleModifier)]
        self.on_update = [m for m in modifiers if isinstance(m, UpdateModifier)]
        self.on_trials = [m for m in modifiers if isinstance(m, TrialsModifier)]
        self.trials_states: list[Any] = [m.init(self, seeds) for m in self.on_trials]
        self._begin(seeds)  # after these, which may shorten the span

    def _begin(self, seeds: Sequence[int]) -> None:
        """States as they are before the first step from the present parameters."""
        layout = self.problem.layout
        self.oracle_states: list[Any] = [m.init(self.params, layout, seeds) for m in self.on_oracle]
        steps = self.span[1] - self.span[0]
        self.update_states: list[Any] = [m.init(self.params, layout, seeds, steps) for m in self.on_update]
        self.schedule_state = self.schedule.init(len(seeds), steps)
        self.state = self.optimizer.init(self.params, layout)

    def restart(self, problem: Problem, params: Params, step: int) -> None:
        """Train afresh on another problem with the same parameters: a training of its own, after the one so far.

        Optimizer, schedule and modifiers of oracle and update start anew, and all random streams are new ones. What was
        evaluated stays counted, and the trials are judged by the problem with which they began.

        Args:
            problem: what is learnt from now on, without what modifiers add.
            params: where it begins, one row a trial.
            step: the first step of it; the schedule runs from there to the end of the budget.
        """
        seeds = [derive(seed, "restart") for seed in self.seeds]
        problem = changed(problem, self.on_problem)
        self.params, self.span = params, (step, self.steps)
        before, self.oracle = self.oracle, BatchOracle(problem, problem.stream(seeds), len(seeds))
        self.oracle.common, self.oracle.extra = before.common, before.extra
        self._begin(seeds)

    def step(self, step: int, *, over: bool = False) -> Loss:
        """Make one step; the loss where the optimizer first asked.

        over: the caller does not need the parameters as they were before, which may be written over.
        """
        params = self.params
        asked: Oracle = self.oracle
        batches = math.prod(m.batches for m in self.on_oracle)
        self.oracle.move(step * batches, batches)
        first, end = self.span
        factor = self.schedule.factor(step - first, end - first, self.schedule_state)
        others = self.schedule.factors(step - first, end - first, self.schedule_state)
        self._check_factors(factor, others)
        if BATCH_SIZE in others:
            self.oracle.stream = shortened(self.oracle.stream, others[BATCH_SIZE])
        for i, modifier in enumerate(self.on_oracle):
            modifier = scaled(modifier, belonging(others, modifier))
            asked, self.oracle_states[i] = modifier.wrap(asked, self.oracle_states[i], step)
        for i, modifier in enumerate(self.on_update):
            modifier = scaled(modifier, belonging(others, modifier))
            asked, self.update_states[i] = modifier.wrap(asked, self.update_states[i], step)
        own = belonging(others)
        rule, asked.steady = scaled(self.optimizer, own), not own
        if any(belonging(others, modifier) for modifier in self.on_oracle):
            asked.fixed = False
        over = over and not self.on_update and not self.on_trials  # modifiers may keep them
        before = self.state
        after, self.state = self.stepper(rule, params, before, asked, factor, over=over)
        _check(self.optimizer, params, after)
        if self.on_update:
            lr = rule.rate(before, self.state, factor)
            for i, modifier in enumerate(self.on_update):
                modifier = scaled(modifier, belonging(others, modifier))
                after, self.update_states[i] = modifier.apply(params, after, lr, self.update_states[i])
                _check(modifier, params, after)
        self.params = self.oracle.with_buffers(params, after)
        loss = self.oracle.first_loss
        if loss is None:
            raise TypeError(f"{type(self.optimizer).__name__}.step never asked the oracle for all trials")
        self.schedule_state = self.schedule.observe(self.schedule_state, loss)
        for i, modifier in enumerate(self.on_trials):
            self.trials_states[i] = modifier.after(self, self.trials_states[i], step)
        return loss

    @property
    def judged(self) -> Params:
        """Where the trials stand in the eyes of a judge: their parameters, or the average of them that a modifier keeps."""
        point = self.params
        for modifier, state in zip(self.on_update, self.update_states, strict=True):
            point = modifier.judged(point, state)
        for modifier, state in zip(self.on_trials, self.trials_states, strict=True):
            point = modifier.judged(point, state)
        return point

    def _check_factors(self, rate: Hyper, others: Mapping[str, Hyper]) -> None:
        """Factors are numbers, the same for all trials or one for each."""
        for name, factor in (("", rate), *others.items()):
            if isinstance(factor, Tensor) and factor.ndim > 0 and factor.shape != (len(self.params), 1):
                whose = self.schedule
                if isinstance(whose, Several):
                    whose = whose.others[name] if name else whose.rate
                raise TypeError(
                    f"{type(whose).__name__}: a factor must be a number or a column {[len(self.params), 1]}, a number for each "
                    f"trial, got {list(factor.shape)}"
                )

    def objective_seen(self, params: torch.Tensor) -> Loss | None:
        """The objective at `params` if this step's first call gave it for nothing, else None."""
        known = self.oracle.fixed and self.oracle.first_params is params and self.oracle.problem is self.asked
        return self.oracle.first_loss if known else None

    def keep(self, rows: Rows) -> None:
        """Go on with only these of the present trials."""
        self.params, self.seeds = self.params[rows], [self.seeds[k] for k in rows.tolist()]
        self.state = self.optimizer.select(self.state, rows)
        self.optimizer = select(self.optimizer, rows)
        self.schedule, self.schedule_state = select((self.schedule, self.schedule_state), rows)
        self.on_oracle, self.oracle_states = select((self.on_oracle, self.oracle_states), rows)
        self.on_update, self.update_states = select((self.on_update, self.update_states), rows)
        self.trials_states = select(self.trials_states, rows)
        self.oracle.keep(rows)


def changed(problem: Problem, modifiers: Sequence[Modifier]) -> Problem:
    """The problem that is run: changed by the modifiers that change problems, in the order given."""
    for modifier in modifiers:
        if isinstance(modifier, ProblemModifier):
            problem = modifier.change(problem)
    return problem


def fitted(problem: Problem, modifiers: Sequence[Modifier], steps: int) -> Problem:
    """The problem that is run, if the modifiers can work with it within so many steps.

    Raises:
        ValueError: one of them cannot; one line that says what is needed.
    """
    problem = changed(problem, modifiers)
    for modifier in modifiers:
        if isinstance(modifier, TrialsModifier):
            modifier.check(problem, steps)
        elif isinstance(modifier, (OracleModifier, UpdateModifier)):
            modifier.check(problem.layout)
    return problem


def wrapped(oracle: Oracle, modifiers: Sequence[Modifier], params: Params, seeds: Sequence[int], steps: int) -> Oracle:
    """The oracle that an optimizer sees in the first step, for a look at what it can tell."""
    for modifier in modifiers:
        if isinstance(modifier, OracleModifier):
            oracle, _ = modifier.wrap(oracle, modifier.init(params, oracle.layout, seeds), 0)
        elif isinstance(modifier, UpdateModifier):
            oracle, _ = modifier.wrap(oracle, modifier.init(params, oracle.layout, seeds, steps), 0)
    return oracle


def _check(part: Optimizer[Any] | UpdateModifier, before: Params, after: Params) -> None:
    """The new parameters are as many and of the same type as those before them."""
    if after.shape != before.shape or after.dtype != before.dtype:
        raise TypeError(
            f"{type(part).__name__}: a step must give parameters {list(before.shape)} of {before.dtype}, "
            f"got {list(after.shape)} of {after.dtype}"
        )
