from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import optbench
from optbench import store as store_module
from optbench.errors import StoreWarning, UsageError
from optbench.store import SCHEMA, Results, Store
from optbench.tables import NAMES, Tables


def a_run(run_id: str, *, config_id: str = "", status: str = "ok", finished: float = 1.0, loss: float = 0.5) -> Tables:
    """The tables of a small made-up run with two trials."""
    row = {"run_id": run_id, "config_id": config_id or run_id, "status": status, "finished": finished}
    row |= {"problem": "p", "optimizer": "o", "schedule": "s", "modifier": "", "step_seconds": 1e-3}
    row |= {"state_bytes": 8.0, "peak_bytes": float("nan")}
    ids = np.full(2, run_id)
    trials = {"run_id": ids, "trial": [0, 1], "role": ["default"] * 2, "seed": [0, 1], "final_loss": [loss, loss]}
    curves = {"run_id": ids, "trial": [0, 1], "step": [0, 0], "seconds": [0.0, 0.0], "loss": [loss, 1.0]}
    hits = {"run_id": ids, "trial": [0, 1], "target": [0.1, 0.1], "step": [np.inf, 3.0], "evaluations": [np.inf, 3.0]}
    return Tables.of(row, trials, curves, hits)


def filled(path: Path, *runs: str, **changes: Any) -> Store:
    """A folder with these runs, each in a shard of its own."""
    made = Store(path, {"run_ids": list(runs)})
    for run_id in runs:
        made.add(a_run(run_id, **changes))
        made.flush()
    return made


def test_what_was_added_is_read_back(tmp_path: Path) -> None:
    filled(tmp_path / "r", "b", "a")
    results = Results(tmp_path / "r")
    assert results.runs.run_id.tolist() == ["b", "a"]
    assert results.trials[["run_id", "trial", "seed", "problem", "state_bytes"]].values.tolist() == [
        [run_id, k, k, "p", 8.0] for run_id in results.trials.run_id.unique() for k in (0, 1)
    ]
    assert len(results.curves) == 4
    assert results.curves.role.tolist() == ["default"] * 4
    assert results.hits.step.tolist() == [np.inf, 3.0] * 2
    assert "2 runs, 4 trials" in repr(results)


def test_rows_and_columns_stand_in_an_order_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = []
    for folder, first in (("one", "b"), ("two", "a")):
        made = Store(tmp_path / folder, {"run_ids": ["b", "a"]})
        for run_id in (first, "ab".replace(first, "")):
            tables = a_run(run_id)
            extra = tables.curves.append_column("x", [[1.0, 2.0]]) if run_id == "a" else tables.curves
            made.add(Tables(tables.runs, tables.trials, extra.select(extra.column_names[::-1]), tables.hits))
            monkeypatch.setattr(store_module.uuid, "uuid4", lambda hexes=run_id: SimpleNamespace(hex=hexes))
            made.flush()
        frames.append(Results(tmp_path / folder))
    assert frames[0].curves.equals(frames[1].curves)
    assert frames[0].curves.run_id.tolist() == ["b", "b", "a", "a"]
    assert list(frames[0].curves)[:6] == ["run_id", "trial", "step", "seconds", "loss", "x"]


def test_a_run_done_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    filled(tmp_path, "old", config_id="c", finished=1.0, loss=1.0)
    filled(tmp_path, "new", config_id="c", finished=2.0, loss=2.0)
    results = Results(tmp_path)
    assert results.runs.run_id.tolist() == ["new"]
    assert results.trials.final_loss.tolist() == [2.0, 2.0]
    assert set(results.curves.run_id) == set(results.hits.run_id) == {"new"}


def test_runs_that_failed_are_not_finished(tmp_path: Path) -> None:
    filled(tmp_path, "bad", status="error")
    assert filled(tmp_path, "good").finished() == {"good"}


def test_unfinished_files_are_never_read(tmp_path: Path) -> None:
    done = filled(tmp_path, "a")
    shard = next(tmp_path.glob("runs-*.parquet"))
    shard.rename(shard.with_name(shard.name + ".tmp"))
    (tmp_path / "runs-x.parquet.tmp").write_bytes(b"PAR1")
    assert done.finished() == set()
    with pytest.raises(UsageError, match="holds no finished run"):
        _ = Results(tmp_path).runs


@pytest.mark.parametrize("name", [name for name in NAMES if name != "slices"])  # which these runs have not
@pytest.mark.parametrize("damage", ["cut short", "missing", "empty"])
def test_a_damaged_shard_is_named_in_a_line_and_its_runs_are_not_finished(
    tmp_path: Path, name: str, damage: str
) -> None:
    done = filled(tmp_path, "a", "b")
    shard = next(p.stem for p in tmp_path.glob("runs-*") if pq.read_table(p)["run_id"][0].as_py() == "a")
    file = tmp_path / f"{name}-{shard.removeprefix('runs-')}.parquet"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: -20 if damage == "cut short" else 0])
    if (name, damage) == ("runs", "missing"):
        assert Results(tmp_path).runs.run_id.tolist() == ["b"]
        return
    with pytest.warns(StoreWarning, match=file.name) as told:
        assert Results(tmp_path).runs.run_id.tolist() == ["b"]
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    with pytest.warns(StoreWarning):
        assert done.finished() == {"b"}


def test_a_folder_that_is_missing_foreign_damaged_or_newer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no results folder"):
        Results(tmp_path / "none")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "letter.txt").write_text("Dear reader")
    for use in (Results, lambda path: Store(path, {"run_ids": []})):
        with pytest.raises(UsageError, match=r"is not a results folder of optbench .*results=…"):
            use(tmp_path / "foreign")
    assert [p.name for p in (tmp_path / "foreign").iterdir()] == ["letter.txt"]
    filled(tmp_path / "r", "a")
    header = tmp_path / "r" / "sweep.json"
    for content in ("{", "[]", "{}", '{"optbench_schema": 1}', "\xff"):
        header.write_text(content)
        with pytest.raises(UsageError, match="is damaged"):
            Results(tmp_path / "r")
    header.write_text(json.dumps({"optbench_schema": SCHEMA + 1, "sweeps": []}))
    with pytest.raises(UsageError, match=f"newer optbench .schema {SCHEMA + 1}, this one reads {SCHEMA}.; update"):
        Results(tmp_path / "r")


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match=r"cannot be written to: .*choose another with results=…"):
            Store(path, {"run_ids": []})


def test_a_start_killed_before_its_header_was_in_place_is_no_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "sweep.json.tmp").write_text('{"optb')
    assert filled(tmp_path, "a").finished() == {"a"}


@pytest.mark.parametrize("fails_at", range(4))
def test_a_full_disk_leaves_a_shard_whole_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    filled(tmp_path, "early")
    late = Store(tmp_path, {"run_ids": ["late"]})
    before = {p.name for p in tmp_path.iterdir()}
    write, count = pq.write_table, iter(range(100))

    def full(*args: Any, **kwargs: Any) -> None:
        write(*args, **kwargs)
        if next(count) == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store_module.pq, "write_table", full)
    late.add(a_run("late"))
    with pytest.raises(OSError, match="No space left"):
        late.flush()
    assert {p.name for p in tmp_path.iterdir()} == before
    assert late.finished() == {"early"}
    late.flush()
    assert late.finished() == {"early", "late"}


def test_runs_wait_for_a_shard_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RUNS_A_SHARD", 3)
    monkeypatch.setattr(store_module, "SECONDS_A_SHARD", 1e9)
    made = Store(tmp_path, {"run_ids": []})
    for k in range(7):
        made.add(a_run(f"r{k}"))
    assert len(list(tmp_path.glob("runs-*.parquet"))) == 2
    made.flush()
    made.flush()
    assert len(list(tmp_path.glob("runs-*.parquet"))) == 3
    assert len(made.finished()) == 7
    assert all(pq.read_schema(p).metadata[b"optbench_schema"] == b"1" for p in tmp_path.glob("*.parquet"))


def test_columns_that_only_some_runs_have_are_unknown_in_the_others(tmp_path: Path) -> None:
    made = Store(tmp_path, {"run_ids": ["a", "b"]})
    a, b = a_run("a"), a_run("b")
    made.add(Tables(a.runs, a.trials.append_column("lr", [[0.1, 0.2]]), a.curves, a.hits))
    made.flush()
    made.add(Tables(b.runs, b.trials, b.curves.slice(0, 0), b.hits))
    made.flush()
    rates = Results(tmp_path).trials.set_index("run_id").lr
    assert rates["a"].tolist() == [0.1, 0.2]
    assert rates["b"].isna().all()
    assert set(Results(tmp_path).curves.run_id) == {"a"}


def test_sweeps_that_begin_together_in_one_folder_are_all_noted(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: Store(tmp_path / "r", {"run_ids": [k]}), range(24)))
    noted = json.loads((tmp_path / "r" / "sweep.json").read_text())["sweeps"]
    assert sorted(sweep["run_ids"] for sweep in noted) == [[k] for k in range(24)]


def test_measured_columns_stand_in_the_order_of_the_layers(tmp_path):
    results = optbench.run(
        "problem=mlp", "problem.hidden=[4,4,4,4,4]", "optimizer=sgd", "tuning.method=none", "instruments=[weight_norm]",
        "executor=serial", steps=1, seeds=1, results=tmp_path,
    )  # fmt: skip
    layers = [c for c in results.curves.columns if c.startswith("weight_norm.") and c.endswith("weight")]
    assert layers == [f"weight_norm.{k}.weight" for k in (1, 3, 5, 7, 9, 11)]
