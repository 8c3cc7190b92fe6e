"""The stages of a run: tuning on seeds of its own, then the chosen and the default setting on the evaluation seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .interfaces import Modifier, Problem, Schedule
from .memory import out_of_memory
from .record import Recording
from .runner import BYTES_AT_ONCE, Outcome, at_once, run_trials
from .runs import Run
from .search import draw
from .statistics.tuning import best_setting
from .trials import changed

TUNING_SEED = 1_000_000
"""The first tuning seed; evaluation seeds start at 0, so that the two never meet."""
TOGETHER = 2**16
"""Up to so many numbers in a tensor a step is all overhead; then both stages share one, and half the steps are saved."""

Setting = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """Trials of one stage: their roles, settings, seeds and statuses, and what is known of each."""

    roles: list[str]
    settings: list[Setting]
    seeds: list[int]
    statuses: np.ndarray
    recording: Recording

    def selection(self, problem: Problem) -> np.ndarray:
        """The final value of the metric that chooses between settings; ∞ for a trial that is not ok."""
        recording = self.recording
        values = recording.final_loss
        if problem.judged_by != "objective":
            values = recording.final.get(problem.judged_by, np.full(len(values), np.nan))
        return np.where((self.statuses == "ok") & np.isfinite(values), values, np.inf)

    def best(self, problem: Problem, settings: int) -> int:
        """The setting to be evaluated, from tuning trials that lie setting by setting."""
        steps = self.recording.hit_steps[list(problem.targets()).index(problem.target())]
        steps = np.where(self.statuses == "ok", steps, np.inf)  # a setting that arrives and then diverges is no good
        return best_setting(steps.reshape(settings, -1), self.selection(problem).reshape(settings, -1))


@dataclass(frozen=True)
class Parts:
    """What a run's trials are made of."""

    problem: Problem
    schedule: Schedule
    modifiers: list[Modifier]


def run_stages(run: Run, parts: Parts) -> tuple[list[Stage], list[Outcome]]:
    """Tune if asked, then evaluate; the stages and the passes in which they were done.

    A trial's result does not depend on its company, so it makes no difference that small landscapes do both stages in one
    pass: every setting on every seed, of which only what the stages ask for is kept.
    """
    settings = list(enumerate(draw(run.spaces, run.tuning["method"], run.tuning["trials"])))
    default = [] if run.default is None else [(-1, run.default)]
    tuning_seeds = [TUNING_SEED + k for k in range(run.tuning["seeds"])]
    seeds = list(range(run.seeds))
    if not settings:
        outcome = _pass(run, parts, default, seeds, curves=True)
        return [_stage("evaluation", default, seeds, outcome)], [outcome]
    if _together(run, parts.problem, len(settings)):
        outcome = _pass(run, parts, settings + default, tuning_seeds + seeds, curves=True)
        return _split(parts.problem, outcome, settings, default, tuning_seeds, seeds), [outcome]
    first = _pass(run, parts, settings, tuning_seeds, curves=False)
    tuning = _stage("tuning", settings, tuning_seeds, first)
    chosen = [settings[tuning.best(parts.problem, len(settings))], *default]
    second = _pass(run, parts, chosen, seeds, curves=True)
    return [tuning, _stage("evaluation", chosen, seeds, second)], [first, second]


def _together(run: Run, problem: Problem, settings: int) -> bool:
    numbers = settings * (run.tuning["seeds"] + run.seeds) * problem.layout.n
    sequential = getattr(run.optimizer_class, "sequential", True)
    return problem.family == "landscape" and numbers <= TOGETHER and not sequential and run.trials_at_once is None


def _split(
    problem: Problem,
    outcome: Outcome,
    settings: list[Setting],
    default: list[Setting],
    tuning_seeds: list[int],
    seeds: list[int],
) -> list[Stage]:
    each = len(tuning_seeds) + len(seeds)
    numbers = np.arange((len(settings) + len(default)) * each).reshape(-1, each)
    tuned = numbers[: len(settings), : len(tuning_seeds)].reshape(-1)
    tuning = _stage("tuning", settings, tuning_seeds, outcome, tuned)
    winner = tuning.best(problem, len(settings))
    chosen = [winner, len(settings)] if default else [winner]
    rows = numbers[chosen, len(tuning_seeds) :].reshape(-1)
    return [tuning, _stage("evaluation", [settings[winner], *default], seeds, outcome, rows)]


def _stage(
    name: str, settings: list[Setting], seeds: list[int], outcome: Outcome, rows: np.ndarray | None = None
) -> Stage:
    each = [setting for setting in settings for _ in seeds]
    recording = outcome.recording
    if rows is not None:
        recording = recording.rows(rows, curves=name != "tuning")
    return Stage(
        roles=["tuning" if name == "tuning" else "tuned" if number >= 0 else "default" for number, _ in each],
        settings=each,
        seeds=seeds * len(settings),
        statuses=np.select([recording.died >= 0, recording.stopped >= 0], ["diverged", "timeout"], "ok"),
        recording=recording,
    )


def _pass(run: Run, parts: Parts, settings: Sequence[Setting], seeds: list[int], *, curves: bool) -> Outcome:
    """All settings on all seeds; with less at once where memory runs out."""
    chosen = [values for _, values in settings for _ in seeds]
    optimizer, memory = run.build_optimizer(chosen, parts.problem), run.memory or BYTES_AT_ONCE
    asked = run.trials_at_once
    while True:
        try:
            return run_trials(
                parts.problem,
                optimizer,
                parts.schedule,
                parts.modifiers,
                seeds * len(settings),
                run.budget,
                curves=curves,
                test=curves,
                trials_at_once=asked,
                timeout=run.timeout,
                memory=memory,
                instruments=run.build_instruments() if curves else None,
                compiled=run.compile,
            )
        except (MemoryError, RuntimeError) as error:
            problem = changed(parts.problem, parts.modifiers)
            asked = at_once(problem, optimizer, len(chosen), asked, memory) // 2
            if asked < 2 or not out_of_memory(error):
                raise
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
