"""Early stopping: the parameters that do best on validation samples are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Loss, Params, Problem, TrialsModifier
from ..nn import Learning
from .derived_problem import core, learning


class Stopping(NamedTuple):
    """What is known of each trial.

    best: θ*, the best parameters so far; v: their validation loss; i: the step at which they were found; j: evaluations
    since then; bound: the training objective at θ*, once the search is over; stopped: the parameters move no more;
    held: those of a trial that has stopped.
    """

    best: Params
    v: Loss
    i: Int64[Tensor, "trials"]
    j: Int64[Tensor, "trials"]
    bound: Loss
    stopped: Bool[Tensor, "trials"]
    held: Params


@dataclass(frozen=True, kw_only=True)
class EarlyStopping(TrialsModifier):
    """A trial stops when its validation loss has not fallen for a while, and goes back to its best parameters.

        every n steps: v' = validation loss of θ
            v' < v: θ* ← θ, i* ← steps made, v ← v', j ← 0;    else j ← j + 1, and stop when j = patience

    Then, by `then`:

        keep:     θ ← θ*
        retrain:  from the start again on training and validation samples, for i* steps
        continue: from θ* on training and validation samples, until every n steps the validation loss ≤ f(θ*),
                  the training objective at which the search ended

    Each trial searches and stops by itself; one that has stopped keeps its parameters to the end of the budget (its
    gradients go on being asked for, and counted). A search that the budget ends keeps its best parameters too. With
    retrain and continue the search has the first half of the budget; then all trials begin the second training together,
    with a fresh optimizer, a schedule over the rest, and minibatches in an order of its own. Objective and metrics stay those of
    the problem: after a second training the validation loss is one of samples learnt from, and only test metrics are
    honest. Evaluating costs no gradients but counts as training time.

    Args:
        patience: p, evaluations without an improvement before a trial stops.
        every: n, steps between evaluations.
        then: keep, retrain or continue.

    Raises:
        ValueError: a value lies outside its range, the search is too short for an evaluation, or the problem has no
            validation samples.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 7.8, Algorithms 7.1, 7.2 and 7.3.
    """

    patience: int = setting(5, least=1)
    every: int = setting(10, least=1)
    then: str = setting("keep", choices=("keep", "retrain", "continue"))

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self, problem: Problem, steps: int) -> None:
        if self.then != "keep":
            learning(problem, "early_stopping")
        elif problem.judged_by != "validation_loss":
            raise ValueError(
                f"early_stopping needs a problem that learns from data, not {type(core(problem)).__name__}"
            )
        if self.every > self._searched(steps):
            raise ValueError(
                f"early_stopping: every={self.every} is more than the {self._searched(steps)} steps of the search; lower it "
                "or raise steps"
            )

    def init(self, trials: Any, seeds: Sequence[int]) -> Stopping:
        self.check(trials.problem, trials.steps)
        trials.span = (0, self._searched(trials.steps))
        params: Tensor = trials.params
        none = torch.full((len(params),), torch.inf, dtype=params.dtype, device=params.device)
        zero = torch.zeros(len(params), dtype=torch.int64, device=params.device)
        return Stopping(params, none, zero, zero, none, zero.bool(), params)

    def after(self, trials: Any, state: Stopping, step: int) -> Stopping:
        made, search = step + 1, self._searched(trials.steps)
        if made <= search:
            state = self._search(trials, state, made)
            if made == search:
                state = state._replace(stopped=torch.ones_like(state.stopped), held=state.best)
                if self.then == "retrain":
                    state = _retrain(trials, state, made)
                elif self.then == "continue":
                    state = _continue(trials, state, made)
        else:
            state = self._second(trials, state, made - search, made)
        trials.params = torch.where(state.stopped[:, None], state.held, trials.params)
        return state

    def judged(self, params: Tensor, state: Stopping) -> Tensor:
        return torch.where(state.stopped[:, None], state.held, params)

    def _searched(self, steps: int) -> int:
        """Steps of the search."""
        return steps if self.then == "keep" else steps // 2

    def _search(self, trials: Any, state: Stopping, made: int) -> Stopping:
        """Algorithm 7.1."""
        if made % self.every:
            return state
        loss = _validation_loss(trials, made)
        better = (loss < state.v) & ~state.stopped
        best = torch.where(better[:, None], trials.judged, state.best)
        j = torch.where(better, 0, state.j + 1)
        return state._replace(
            best=best,
            v=torch.where(better, loss, state.v),
            i=torch.where(better, made, state.i),
            j=j,
            stopped=state.stopped | (j >= self.patience),
            held=best,
        )

    def _second(self, trials: Any, state: Stopping, since: int, made: int) -> Stopping:
        """A step of Algorithm 7.2 or 7.3, the `since`-th."""
        if self.then == "retrain":
            done = state.i <= since
        elif self.then == "continue" and since % self.every == 0:
            done = _validation_loss(trials, made) <= state.bound
        else:
            return state
        now = done & ~state.stopped
        held = torch.where(now[:, None], trials.judged, state.held)
        return state._replace(stopped=state.stopped | now, held=held)


def _retrain(trials: Any, state: Stopping, made: int) -> Stopping:
    start = trials.problem.start(trials.seeds)
    trials.restart(trials.asked.on_all_but_test(), start, made)
    return state._replace(stopped=state.i == 0, held=start)


def _continue(trials: Any, state: Stopping, made: int) -> Stopping:
    bound = _training_loss(trials, state.best, made)
    trials.restart(trials.asked.on_all_but_test(), state.best, made)
    return state._replace(bound=bound, stopped=state.v <= bound)


def _training_loss(trials: Any, params: Tensor, made: int) -> Loss:
    """What the validation loss is compared with: without a penalty that the objective may have."""
    problem = trials.problem
    inner = core(problem)
    return (
        inner.measure(problem.point(params), inner.train)["loss"]
        if isinstance(inner, Learning)
        else problem.objective(params, made)
    )


def _validation_loss(trials: Any, made: int) -> Loss:
    """Of the present parameters; without the training metrics where the problem can leave them out."""
    problem, params = trials.problem, trials.judged
    inner = core(problem)
    if isinstance(inner, Learning):
        return inner.measure(problem.point(params), inner.splits.validation)["loss"]
    return problem.evaluate(params, made)["validation_loss"]
