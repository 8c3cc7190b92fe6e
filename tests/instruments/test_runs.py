"""Instruments in sweeps: they change nothing, see what the problem gives, and bear with trials that fail."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import optbench
from optbench.errors import UsageError
from optbench.instruments import INSTRUMENTS
from optbench.registry import build
from optbench.runner import run_trials

SMALL = ["problem=mlp", "problem.data=iris", "problem.hidden=[5]", "steps=12", "tuning.method=none"]
ALL = [name for name in INSTRUMENTS if name != "saturation"]


def trials(names, problem=None, optimizer=None, modifiers=(), seeds=(0, 1, 2, 3, 4), steps=12, **more):
    if problem is None:
        problem = build("problem", "mlp", {"data": "iris", "hidden": (5,), "batch_size": 8})
    optimizer = optimizer or build("optimizer", "momentum", {"lr": 0.1})
    instruments = {name: INSTRUMENTS[name]() for name in names}
    schedule = build("schedule", "constant")
    return run_trials(problem, optimizer, schedule, modifiers, seeds, steps, instruments=instruments, **more).recording


def test_the_trials_are_bit_for_bit_the_same_with_and_without_instruments():
    for modifiers in ([], [build("modifier", "clip_norm", {"max_norm": 0.1})], [build("modifier", "label_smoothing")]):
        plain, looked = trials([], modifiers=modifiers), trials(ALL, modifiers=modifiers)
        assert np.array_equal(plain.final_loss, looked.final_loss)
        assert np.array_equal(plain.hit_steps, looked.hit_steps)
        assert len(looked.curves) > len(plain.curves) > 3
        for name, values in plain.curves.items():
            assert np.array_equal(values, looked.curves[name], equal_nan=True), name


def test_what_is_measured_of_a_trial_does_not_depend_on_its_company():
    whole, parts = trials(ALL), trials(ALL, trials_at_once=3)
    assert whole.curves.keys() == parts.curves.keys()
    for name, values in whole.curves.items():
        if name.startswith("hessian"):  # second derivatives of a batch may differ in their last bits
            assert parts.curves[name] == pytest.approx(values, rel=1e-4, nan_ok=True), name
        else:
            assert np.array_equal(values, parts.curves[name], equal_nan=True), name
    assert whole.slices.keys() == parts.slices.keys()
    for name, values in whole.slices.items():
        assert np.array_equal(values, parts.slices[name]), name
    assert set(whole.slices["trial"][whole.slices["instrument"] == "loss_plane"]) == {0}


def test_trials_one_at_a_time_give_the_same_but_for_rounding():
    whole, single = trials(ALL), trials(ALL, trials_at_once=1)
    assert np.array_equal(
        single.slices["other"], whole.slices["other"]
    )  # solutions of different tensors are joined too
    assert single.slices["objective"] == pytest.approx(whole.slices["objective"], rel=1e-3)
    for name in ("gradient_norm", "update_ratio", "hessian_eigenvalue", "gradient_variance"):
        assert single.curves[name] == pytest.approx(whole.curves[name], rel=1e-3, nan_ok=True), name


def test_the_gradient_is_that_of_the_problem_and_not_what_clipping_makes_of_it():
    problem = build("problem", "rosenbrock")
    clipped = trials(["gradient_norm"], problem, modifiers=[build("modifier", "clip_norm", {"max_norm": 0.5})])
    start = problem.start([0, 1, 2, 3, 4])
    x, y = start[:, 0], start[:, 1]
    by_hand = torch.stack([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)], 1).norm(dim=1)
    assert clipped.curves["gradient_norm"][0].tolist() == pytest.approx(by_hand.tolist(), rel=1e-12)
    assert (by_hand > 0.5).all()


def test_a_penalty_that_a_modifier_adds_is_not_measured():
    problem = build("problem", "mlp", {"data": "iris", "hidden": (5,), "batch_size": 8})
    plain = trials(["gradient_norm"], problem)
    for name, settings in (("l2", {"strength": 3.0}), ("label_smoothing", {"eps": 0.4})):
        changed = trials(["gradient_norm"], problem, modifiers=[build("modifier", name, settings)])
        assert np.array_equal(changed.curves["gradient_norm"][0], plain.curves["gradient_norm"][0]), name
        assert not np.array_equal(changed.curves["gradient_norm"][-2], plain.curves["gradient_norm"][-2]), name


def test_on_a_landscape_the_step_of_gradient_descent_is_lr_times_the_gradient():
    problem = build("problem", "quadratic", {"n": 4})
    names = ["gradient_norm", "weight_norm", "update_ratio", "hessian_eigenvalue", "hessian_trace"]
    found = trials(names, problem, build("optimizer", "sgd", {"lr": 0.01})).curves
    steps = found["gradient_norm"][:-1] * 0.01 / found["weight_norm"][:-1]
    assert found["update_ratio"][:-1] == pytest.approx(steps, rel=1e-9)
    assert np.isnan(found["update_ratio"][-1]).all()
    assert np.isfinite(found["gradient_norm"]).all()
    bends = found["hessian_eigenvalue"]
    assert bends[np.isfinite(bends)] == pytest.approx(bends[0, 0], rel=1e-9)


@pytest.mark.parametrize("rate", [1e3, [0.01, 1e3, 0.01, 1e3, 0.02]])
def test_trials_that_diverge_disturb_nobody(rate):
    problem = build("problem", "rosenbrock")
    column = rate if isinstance(rate, float) else torch.tensor(rate, dtype=torch.float64)[:, None] * 0.01
    names = ["gradient_norm", "update_ratio", "hessian_eigenvalue", "hessian_trace", "loss_line", "loss_plane"]
    found = trials(names, problem, build("optimizer", "sgd", {"lr": column}), steps=300)
    if isinstance(rate, float):
        assert (found.died >= 0).all()
        assert not found.slices
        return
    assert (found.died >= 0).tolist() == [False, True, False, True, False]
    pairs = {(t, o) for t, o in zip(found.slices["trial"].tolist(), found.slices["other"].tolist(), strict=True)}
    assert pairs == {(0, -1), (2, -1), (4, -1)}  # no two neighbours came to their end
    well = trials(names, problem, build("optimizer", "sgd", {"lr": 1e-4}), steps=300)
    for name in ("gradient_norm", "hessian_eigenvalue", "update_ratio"):
        assert np.array_equal(found.curves[name][:, [0, 2]], well.curves[name][:, [0, 2]], equal_nan=True), name


def test_a_sweep_stores_what_was_measured_and_says_what_it_is(tmp_path):
    words = [*SMALL, "optimizer=sgd", "seeds=3", "tuning.method=grid", "tuning.trials=2", "tuning.seeds=2"]
    words += ["instruments=[gradient_norm,dead_units,loss_line,loss_plane]"]
    results = optbench.run(*words, results=tmp_path / "r")
    told = json.loads(results.runs["about"].iloc[0])["instruments"]
    assert told["dead_units"]["columns"] == ["dead_units"]
    assert told["loss_line"]["summary"].startswith("The objective along")
    roles = results.trials.set_index("trial")["role"].astype(str)
    assert set(roles[results.slices["trial"].unique()]) == {"tuned", "default"}
    planes = results.slices[results.slices["instrument"] == "loss_plane"]
    seeds = results.trials.set_index("trial")["seed"]
    assert seeds[planes["trial"].unique()].tolist() == [0, 0]
    lines = results.slices[(results.slices["other"] < 0) & (results.slices["instrument"] == "loss_line")]
    for place, column in ((0.0, "start_loss"), (1.0, "final_loss")):
        there = lines[np.isclose(lines["alpha"], place)].set_index("trial")["objective"].sort_index()
        known = results.trials.set_index("trial")[column][there.index]
        assert there.tolist() == pytest.approx(known.tolist(), rel=1e-5)


def test_solutions_on_small_landscapes_are_looked_at_where_both_stages_share_a_tensor(tmp_path):
    words = ["problem=rosenbrock", "optimizer=sgd", "steps=20", "seeds=2", "tuning.trials=2", "tuning.seeds=2"]
    results = optbench.run(*words, "instruments=[loss_line,loss_plane]", results=tmp_path / "r")
    roles = results.trials.set_index("trial")["role"].astype(str)
    counts = results.slices.groupby(["instrument", "trial"], observed=True).size()
    assert set(roles[results.slices["trial"].unique()]) <= {"tuned", "default"}
    assert set(np.asarray(counts.loc["loss_plane"]).tolist()) == {441}
    final = results.trials.set_index("trial")["final_loss"]
    middle = results.slices[(results.slices["instrument"] == "loss_plane") & np.isclose(results.slices["alpha"], 0)]
    middle = middle[np.isclose(middle["beta"], 0)].set_index("trial")["objective"]
    assert middle.tolist() == pytest.approx(final[middle.index].tolist(), rel=1e-9)


def test_a_run_with_instruments_is_found_finished_and_is_another_than_one_without(tmp_path, capfd):
    words = [*SMALL, "optimizer=sgd", "seeds=2"]
    first = optbench.run(*words, "instruments=[gradient_norm]", results=tmp_path / "r")
    again = optbench.run(*words, "instruments=[gradient_norm]", results=tmp_path / "r")
    assert again.runs["finished"].tolist() == first.runs["finished"].tolist()
    other = optbench.run(*words, "instruments=[weight_norm]", results=tmp_path / "r")
    assert len(other.runs) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["problem=rosenbrock", "instruments=[dead_units]"], "dead_units needs a problem that learns from data"),
        (["problem=rosenbrock", "instruments=[gradent_norm]"], "did you mean 'gradient_norm'"),
        (["problem=mlp", "instruments=[saturation]"], "saturation needs layers torch.nn.Tanh or Sigmoid"),
        (["problem=mlp", "problem.normalisation=batch", "instruments=[gradient_noise]"], "gradient_noise needs"),
        (["problem=mlp", "problem.batch_size=1", "instruments=[gradient_noise]"], "at least two samples"),
        (["problem=deep_linear", "instruments=[dead_units]"], "dead_units needs a network with layers"),
        (["problem=mlp", "instruments=3"], "instruments must be a list of names"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line_before_anything_runs(tmp_path, words, told):
    with pytest.raises(UsageError) as error:
        optbench.run(*words, "optimizer=sgd", "steps=5", results=tmp_path / "r")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "r").exists()
