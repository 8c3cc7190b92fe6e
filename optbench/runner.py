"""The runner: all trials of a run from start to end, in as many tensors as memory asks for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from .columns import Stepper
from .instruments import Instrument, Surface
from .instruments.measured import Measured, slices
from .interfaces import Modifier, Optimizer, Problem, Schedule, select
from .memory import trial_bytes
from .meter import Clocks, state_bytes
from .oracle import chunks
from .record import Recorder, Recording
from .trials import Trials, changed

BYTES_AT_ONCE = 2**30
"""What the trials of one tensor may take, roughly, where nothing else is said."""


@dataclass(frozen=True)
class Outcome:
    """What became of a set of trials."""

    recording: Recording
    seconds: dict[str, float]
    state_bytes: int
    trials_at_once: int
    timed_out: bool


def at_once(
    problem: Problem, optimizer: Optimizer, trials: int, asked: int | None = None, memory: int = BYTES_AT_ONCE
) -> int:
    """Trials to hold in one tensor: as asked, else as many as fit into so many bytes by the prediction of `trial_bytes`."""
    if asked is not None:
        return min(asked, trials)
    return max(min(trials, 2), min(trials, memory // trial_bytes(problem, optimizer)))


def run_trials(
    problem: Problem,
    optimizer: Optimizer,
    schedule: Schedule,
    modifiers: Sequence[Modifier],
    seeds: Sequence[int],
    steps: int,
    *,
    curves: bool = True,
    test: bool = False,
    trials_at_once: int | None = None,
    timeout: float | None = None,
    memory: int = BYTES_AT_ONCE,
    instruments: Mapping[str, Instrument | Surface] | None = None,
    compiled: bool = False,
) -> Outcome:
    """Run trials to the end of their budget and record them.

    Args:
        problem, optimizer, schedule, modifiers: what is run; settings that differ between trials are columns
            `[len(seeds), 1]`.
        seeds: one a trial; trials of equal seed share start, data order and noise.
        steps: the budget.
        curves: keep curves, at most about 200 points for each trial and metric.
        test: read the test split after the last step.
        trials_at_once: None chooses by memory; 1 runs one trial after the other, and their curves have the training clock.
        timeout: seconds after which living trials stop.
        memory: bytes that the trials held in one tensor may take, where trials_at_once is None.
        instruments: what else is measured, by name.
        compiled: rules that treat elements apart are compiled.

    Raises:
        ValueError: the objective is not finite at the start of any trial.
    """
    size = at_once(changed(problem, modifiers), optimizer, len(seeds), trials_at_once, memory)
    parts = [slice(k, k + 1) for k in range(len(seeds))] if size == 1 else chunks(len(seeds), size)
    until = None if timeout is None else time.perf_counter() + timeout
    stepper = Stepper(compiled)
    outcomes: list[Outcome] = []
    looked: list[Measured] = []
    for part in parts:
        chosen = (optimizer, schedule, list(modifiers))
        if len(parts) > 1:
            chosen = select(chosen, torch.arange(len(seeds))[part])
        trials = Trials(problem, *chosen, list(seeds[part]), steps, stepper)
        if trials_at_once == 1 and not outcomes:  # warms up, so that the first clock is fair
            Trials(problem, *chosen, list(seeds[part]), steps, stepper).step(0)
        looked.append(Measured(trials, list(seeds[part]), instruments or {}))
        outcomes.append(_run(trials, len(seeds[part]), curves, test, trials_at_once == 1, until, looked[-1]))
    recording = _joined([o.recording for o in outcomes])
    if not np.isfinite(recording.start_loss).any():
        raise ValueError(
            f"{type(problem).__name__}: the objective is {recording.start_loss[0]:g} at the start of every trial; "
            "look at its start() and its data"
        )
    began = time.perf_counter()
    recording = replace(recording, slices=slices(looked, [part.start for part in parts], seeds))
    seconds = {name: sum(o.seconds[name] for o in outcomes) for name in outcomes[0].seconds}
    seconds["evaluate"] += time.perf_counter() - began
    return Outcome(
        recording,
        seconds,
        outcomes[0].state_bytes,
        size,
        any(o.timed_out for o in outcomes),
    )


def _run(
    trials: Trials, count: int, curves: bool, test: bool, timed: bool, until: float | None, measured: Measured
) -> Outcome:
    problem, steps = trials.problem, trials.steps
    clocks = Clocks(torch.device(problem.device))
    recorder = Recorder(problem, count, steps, curves)
    timed_out = False
    clocks.switch("evaluate")
    objective = problem.objective(trials.judged, 0)
    if objective.shape != (count,):
        raise ValueError(
            f"{type(problem).__name__}: loss() must give one number a trial, [{count}], got {list(objective.shape)}; "
            "sum or average over dim=1"
        )
    recorder.begin(objective)
    clocks.switch("train")
    step = 0
    state_size = 0
    for step in range(steps):
        params, made = trials.judged, trials.oracle.evaluations()
        if step in recorder.grid:
            with clocks.pause_for("evaluate"):
                values = problem.evaluate(params, step) if curves else {"objective": problem.objective(params, step)}
                recorder.metrics(step, values)
        recorder.path(step, params)
        if timed and step in recorder.index:
            recorder.clock(step, clocks.read("train"))
        looks = measured and step in recorder.index
        loss = trials.step(step, over=not looks and not problem.cheap)
        if looks:
            with clocks.pause_for("evaluate"):
                recorder.instruments(step, measured.at(step, params, costly=step in measured.grid))
        objective = None
        if problem.cheap:
            objective = trials.objective_seen(params)
            if objective is None:
                with clocks.pause_for("evaluate"):
                    objective = problem.objective(params, step)
        recorder.add(loss, objective, made)
        if step == 0:
            state_size = state_bytes(trials.state) // count
        if recorder.full:
            with clocks.pause_for("record"):
                finished = _leave(trials, recorder, measured, count)
            if finished:
                break
        if until is not None and step + 1 < steps and time.perf_counter() > until:
            timed_out = True
            break
    clocks.switch("record")
    if timed and not timed_out:
        recorder.clock(steps, clocks.read("train"))
    recorder.flush()
    if timed_out:
        recorder.stop(step + 1, trials.oracle.evaluations())
    clocks.switch("evaluate")
    if not timed_out and bool((recorder.died[recorder.rows] < 0).any()):
        recorder.path(steps, trials.judged)
        values = problem.evaluate(trials.judged, steps)
        recorder.end(values, problem.test(trials.judged) if test else {}, trials.oracle.evaluations())
        if measured:
            recorder.instruments(steps, measured.at(steps, trials.judged, costly=True))
    recording = recorder.recording()
    if measured and not timed_out:
        measured.end(recorder.rows, recording.died)
    clocks.switch("")
    return Outcome(recording, clocks.seconds, state_size, count, timed_out)


def _leave(trials: Trials, recorder: Recorder, measured: Measured, count: int) -> bool:
    """Dead trials leave once they are a quarter of those present; True when none is alive."""
    alive = recorder.flush()
    present = len(recorder.rows)
    if len(alive) == 0:
        return True
    if len(alive) <= 0.75 * present:
        if len(alive) == 1 and count > 1:
            dead = next(k for k in range(present) if k != int(alive[0]))
            alive = torch.tensor(sorted([int(alive[0]), dead]), device=alive.device)
        if len(alive) < present:
            trials.keep(alive)
            recorder.keep(alive)
            measured.keep(alive)
    return False


def _joined(parts: list[Recording]) -> Recording:
    """Recordings of several sets of trials as one."""
    if len(parts) == 1:
        return parts[0]
    joined = {}
    for f in fields(Recording):
        values = [getattr(part, f.name) for part in parts]
        if f.name == "steps":
            joined[f.name] = values[0]
        elif isinstance(values[0], dict):
            names = list(values[0]) + [n for v in values[1:] for n in v if n not in values[0]]
            joined[f.name] = {
                name: np.concatenate(
                    [_or_nan(v, name, part, f.name) for v, part in zip(values, parts, strict=True)], -1
                )
                for name in dict.fromkeys(names)
            }
        else:
            joined[f.name] = np.concatenate(values, axis=-1)
    return replace(parts[0], **joined)


def _or_nan(values: dict[str, np.ndarray], name: str, part: Recording, kind: str) -> np.ndarray:
    if name in values:
        return values[name]
    trials = len(part.final_loss)
    return np.full(trials if kind == "final" else (len(part.steps), trials), np.nan)
