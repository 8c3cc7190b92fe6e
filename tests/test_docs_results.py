"""docs/results.md names every column of the frames, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from contracts import ROOT

import optbench
from optbench.store import Results

TABLES = ("runs", "trials", "curves", "hits", "slices")


def documented() -> dict[str, set[str]]:
    """Columns of each table: the first cells of its rows, and the list in the text of `hits`."""
    text = (ROOT / "docs" / "results.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    found = {name: set[str]() for name in TABLES}
    for name in ("runs", "trials", "curves", "slices"):
        for row in re.findall(r"^\| (`.*?) \|", sections[name], re.MULTILINE):
            found[name] |= set(re.findall(r"`(\w+)", row))
    found["trials"] |= set(re.findall(r"`([\w, ]+)` of the run", sections["trials"])[0].split(", "))
    found["hits"] = set(re.findall(r"`(.*?)`", sections["hits"])[0].split(", "))
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    path = tmp_path_factory.mktemp("results")
    words = ["optimizer=adam", "steps=20", "seeds=2", "tuning.method=grid", "tuning.trials=2", "tuning.seeds=2"]
    words += ["instruments=[gradient_norm,loss_line]"]
    return optbench.run("problem=rosenbrock,logistic_regression", *words, results=path / "r")


@pytest.mark.parametrize("name", TABLES)
def test_the_documented_columns_are_those_of_the_frames(results: Results, name: str) -> None:
    metrics = (
        {c for c in results.curves if c.startswith(("validation_", "train_", "gradient_norm"))}
        if name == "curves"
        else set()
    )
    finals = {c for c in results.trials if c.startswith("final_") and c != "final_loss"} | {"lr"}
    told = documented()[name] - {"final_", "lr"}
    assert set(getattr(results, name).columns) - metrics - finals == told


def test_roles_seeds_and_settings_are_as_documented(results: Results) -> None:
    trials = results.trials
    assert set(trials.role) == {"tuning", "tuned", "default"}
    assert set(trials[trials.role == "tuning"].seed) == {1_000_000, 1_000_001}
    assert set(trials[trials.role != "tuning"].seed) == {0, 1}
    assert set(trials[trials.role == "default"].setting) == {-1}
    assert (trials[trials.status == "ok"].status_step == -1).all()
    assert set(results.curves.role) <= {"tuned", "default"}
    assert set(results.hits.run_id) == set(results.runs.run_id)


def test_times_and_states_follow_their_definitions(results: Results) -> None:
    merged = results.curves.merge(results.runs[["run_id", "step_seconds", "n"]], on="run_id")
    assert merged.seconds.tolist() == pytest.approx((merged.step * merged.step_seconds).tolist())
    runs = results.runs.set_index("problem")
    assert runs.state_bytes["rosenbrock"] == 2 * 2 * 8
    assert (runs.trials_at_once >= 2).all()
    assert (results.runs.peak_bytes.isna()).all()


def test_hits_agree_with_the_trials(results: Results) -> None:
    joined = results.hits.merge(results.runs[["run_id", "target"]], on=["run_id", "target"])
    merged = results.trials.merge(joined, on=["run_id", "trial"])
    assert len(merged) == len(results.trials)
    assert merged.steps_to_target.tolist() == merged.step.tolist()
    assert merged.evaluations_to_target.tolist() == merged["evaluations_y"].tolist()


def test_curves_hold_the_start_and_the_end_and_at_most_about_200_points(results: Results) -> None:
    curves = results.curves
    for _, rows in curves.groupby(["run_id", "trial"], observed=True):
        assert rows.step.iloc[0] == 0
        assert rows.step.iloc[-1] == 20
        assert rows.loss.isna().tolist() == [False] * (len(rows) - 1) + [True]
        assert rows.step.is_monotonic_increasing
        assert len(rows) <= 205
    path = Path(results.path)
    assert (path / "sweep.json").exists()
