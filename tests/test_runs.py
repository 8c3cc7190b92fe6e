from __future__ import annotations

import importlib
import json
import linecache
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from optbench import registry
from optbench.errors import UsageError
from optbench.execute import execute
from optbench.plan import plan
from optbench.runs import Run, columns


def only(*words: str) -> Run:
    (run,) = plan(words).runs
    return run


def cell(run: Run, table: str, column: str) -> list[Any]:
    return getattr(execute(run), table)[column].to_pylist()


@pytest.mark.parametrize(
    "word",
    [
        "optimizer.lr=0.5",
        "problem.n=3",
        "steps=7",
        "seeds=4",
        "schedule=cosine",
        "modifier=l2",
        "dtype=float32",
        "tuning.method=grid",
        "trials_at_once=1",
    ],
)
def test_a_run_is_another_where_a_setting_differs(word: str) -> None:
    assert only(word).run_id != only().run_id
    assert only(word).config_id != only().config_id


@pytest.mark.parametrize(
    "word",
    [
        "executor=serial",
        "executor.workers=2",
        "results=elsewhere",
        "trials_at_once=8",
        "trials_at_once=auto",
        "timeout=60",
        "steps=3000",
        "optimizer.lr=0.001",
        "seeds=5",
        "tuning.trials=3",
    ],
)
def test_a_run_is_the_same_wherever_and_however_it_is_done(word: str) -> None:
    assert only(word).run_id == only().run_id


def test_a_run_is_another_with_another_version_of_its_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    old = only()
    before = old.run_id
    monkeypatch.setattr(old.classes[0], "version", 2)
    assert only().run_id != before
    assert only().config_id == old.config_id


def test_a_run_is_another_when_the_optimizers_file_is_edited(mine: Path) -> None:
    old = only("optimizer=./mine.py:Mine")
    before = old.run_id, old.config_id
    mine.write_text(mine.read_text().replace("p -= group", "p -= 2 * group"))
    new = only("optimizer=./mine.py:Mine")
    assert new.run_id != before[0]
    assert new.config_id == before[1]


def test_a_run_is_another_when_the_optimizer_within_a_wrapper_is_edited(mine: Path) -> None:
    pytest.importorskip("pytorch_optimizer")
    words = ("optimizer=pytorch_optimizer.SAM", "optimizer.base_optimizer=./mine.py:Mine", "tuning.method=none")
    before = only(*words).run_id
    assert only(*words).run_id == before
    mine.write_text(mine.read_text().replace("p -= group", "p -= 2 * group"))
    assert only(*words).run_id != before


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ([], ("rosenbrock", "adam", "constant", "")),
        (["problem.n=10", "optimizer.lr=0.1"], ("rosenbrock(n=10)", "adam(lr=0.1)", "constant", "")),
        (["optimizer.betas=[0.8,0.999]"], ("rosenbrock", "adam(betas=[0.8,0.999])", "constant", "")),
        (["problem.n=2", "optimizer.lr=1e-3", "problem.factor=100"], ("rosenbrock", "adam", "constant", "")),
        (["dtype=float64"], ("rosenbrock", "adam", "constant", "")),
        (["dtype=float32"], ("rosenbrock(dtype=float32)", "adam", "constant", "")),
        (["tuning.method=grid"], ("rosenbrock", "adam", "constant", "")),
        (["modifier=[clip_norm,l2]"], ("rosenbrock", "adam", "constant", "l2+clip_norm")),
        (["modifier=[ema,project,weight_decay]"], ("rosenbrock", "adam", "constant", "weight_decay+project+ema")),
        (
            ["modifier=clip_norm", "modifier.clip_norm.max_norm=7"],
            ("rosenbrock", "adam", "constant", "clip_norm(max_norm=7)"),
        ),
        (["schedule=cosine", "schedule.warmup=0.25"], ("rosenbrock", "adam", "cosine(warmup=0.25)", "")),
        (["optimizer=torch.optim.NAdam"], ("rosenbrock", "NAdam", "constant", "")),
        (["optimizer=torch.optim.NAdam", "optimizer.lr=0.1"], ("rosenbrock", "NAdam(lr=0.1)", "constant", "")),
    ],
)
def test_labels_tell_what_is_neither_default_nor_searched(words: list[str], labels: tuple[str, ...]) -> None:
    assert tuple(only(*words).labels.values()) == labels


def test_the_function_that_builds_parameter_groups_belongs_to_the_run(folder: Path) -> None:
    def words(scale: str) -> list[str]:
        body = f"def groups(module):\n    return [{{'params': list(module.parameters()), 'weight_decay': {scale}}}]\n"
        (folder / "grouped.py").write_text(body)
        return ["optimizer=torch.optim.AdamW", "optimizer.params=./grouped.py:groups", "steps=3", "seeds=1"]

    decayed, plain = only(*words("0.5")), only(*words("0.0"))
    losses = []
    for scale in ("0.5", "0.0"):
        run = only(*words(scale))
        losses.append((run.run_id, *cell(run, "trials", "final_loss")))
    assert decayed.run_id != plain.run_id
    assert losses[0][1] != losses[1][1]


def test_classes_of_one_name_are_labelled_by_their_paths(mine: Path, folder: Path) -> None:
    (folder / "other.py").write_text(mine.read_text().replace("p -= group", "p -= 2 * group"))
    runs = plan(["optimizer=adam,./mine.py:Mine,./other.py:Mine"]).runs
    assert [r.labels["optimizer"] for r in runs] == ["adam", "./mine.py:Mine", "./other.py:Mine"]
    alone = only("optimizer=./mine.py:Mine")
    assert alone.labels["optimizer"] == "Mine"
    assert alone.run_id == runs[1].run_id


def test_a_run_travels_to_a_worker_as_plain_values(mine: Path) -> None:
    run = only("optimizer=./mine.py:Mine", "tuning.method=grid", "search.lr=[1e-3,1]")
    assert (run.labels["optimizer"], len(run.run_id), len(run.classes)) == ("Mine", 16, 3)
    sent = pickle.dumps(run)
    assert b"optbench_file_" not in sent
    assert pickle.loads(sent) == run
    assert pickle.loads(sent).run_id == run.run_id


def test_settings_of_many_trials_become_columns() -> None:
    kind = {"dtype": torch.float64, "device": torch.device("cpu")}
    made = columns([{"lr": 0.1, "betas": [0.9, 0.99]}, {"lr": 1, "betas": [0.8, 0.99]}], kind)
    assert made["lr"].tolist() == [[0.1], [1.0]]
    assert [b.tolist() for b in made["betas"]] == [[[0.9], [0.8]], [[0.99], [0.99]]]
    assert columns([{"lr": 0.1}], kind) == {"lr": 0.1}
    assert columns([{"way": "up"}, {"way": "up"}], kind) == {"way": "up"}
    with pytest.raises(UsageError, match="only numbers can differ between trials"):
        columns([{"way": "up"}, {"way": "down"}], kind)


def test_the_tuned_setting_is_chosen_as_the_documents_say() -> None:
    run = only("tuning.method=grid", "tuning.trials=6", "tuning.seeds=3", "seeds=2", "steps=300", "search.lr=[1e-5,10]")
    tables = execute(run)
    trials = tables.trials.to_pandas()
    tuning = trials[trials.role == "tuning"]
    assert tuning.seed.tolist() == [1_000_000, 1_000_001, 1_000_002] * 6
    assert tuning.setting.tolist() == [k for k in range(6) for _ in range(3)]
    ranking = [
        (sorted(rows.steps_to_target)[1], sorted(rows.selection_loss)[1], number)
        for number, rows in tuning.groupby("setting")
    ]
    winner = min(ranking)[2]
    tuned, default = trials[trials.role == "tuned"], trials[trials.role == "default"]
    assert tuned.setting.tolist() == [winner] * 2
    assert tuned.lr.tolist() == tuning[tuning.setting == winner].lr.tolist()[:2]
    assert tuned.seed.tolist() == default.seed.tolist() == [0, 1]
    assert default.setting.tolist() == [-1, -1]
    assert default.lr.tolist() == [1e-3, 1e-3]
    assert trials.trial.tolist() == list(range(6 * 3 + 4))
    assert run.trial_count == len(trials)
    assert set(tables.curves.to_pandas().trial) <= set(range(18, 22))
    assert (trials.selection_loss == trials.final_loss).all()


def test_both_stages_give_the_same_in_one_pass_as_in_two() -> None:
    words = ["tuning.method=grid", "tuning.trials=4", "tuning.seeds=2", "seeds=3", "steps=100", "search.lr=[1e-3,1e6]"]
    together, apart = (execute(only(*words, word)) for word in ("trials_at_once=auto", "trials_at_once=3"))
    for name in ("trials", "hits", "curves"):
        left, right = getattr(together, name).to_pandas(), getattr(apart, name).to_pandas()
        assert left.drop(columns="seconds", errors="ignore").equals(right.drop(columns="seconds", errors="ignore")), (
            name
        )
    assert set(together.trials.to_pandas().status) == {"ok", "diverged"}


def test_a_searched_setting_need_not_have_a_default(folder: Path) -> None:
    source = "import torch\n\n\nclass Bare(torch.optim.SGD):\n    def __init__(self, params, lr):\n        super().__init__(params, lr)\n"
    (folder / "bare.py").write_text(source)
    run = only(
        "optimizer=./bare.py:Bare",
        "search.lr=[1e-4,1e-2]",
        "tuning.method=grid",
        "tuning.trials=2",
        "steps=5",
        "seeds=2",
    )
    roles = cell(run, "trials", "role")
    assert roles == ["tuning"] * 10 + ["tuned"] * 2
    assert run.trial_count == len(roles)


def test_a_run_that_fails_keeps_its_trials_in_the_denominators(folder: Path) -> None:
    (folder / "bad.py").write_text(
        "import torch\n\n\nclass Bad(torch.optim.SGD):\n    taken = 0\n\n    def step(self, closure=None):\n"
        "        self.taken += 1\n        if self.taken == 5:\n            raise KeyError('fifth')\n        return super().step(closure)\n"
    )
    tables = execute(only("optimizer=./bad.py:Bad", "steps=10", "seeds=3"))
    row = tables.runs.to_pylist()[0]
    assert row["status"] == "error"
    assert "Bad.step failed in trial 0: 'fifth'" in row["error"]
    assert "\n" not in row["error"]
    trials = tables.trials.to_pandas()
    assert trials.status.tolist() == ["error"] * 3
    assert trials.seed.tolist() == [0, 1, 2]
    assert trials.final_loss.tolist() == [float("inf")] * 3


def test_a_timeout_is_a_status_with_its_step() -> None:
    tables = execute(only("timeout=0.02", "steps=100000", "seeds=2"))
    trials = tables.trials.to_pandas()
    assert tables.runs["status"].to_pylist() == ["timeout"]
    assert trials.status.tolist() == ["timeout"] * 2
    assert ((trials.status_step > 0) & (trials.status_step < 100_000)).all()
    assert (trials.evaluations == trials.status_step).all()
    assert json.loads(tables.runs["about"][0].as_py())["problem"]["target"] == 0.01


def test_a_run_is_another_when_a_module_beside_the_optimizers_file_is_edited(mine: Path, folder: Path) -> None:
    mine.write_text("from rule_beside import scaled\n" + mine.read_text())
    ids = []
    for scale in (1, 1, 2):
        (folder / "rule_beside.py").write_text(f"def scaled(x):\n    return {scale} * x\n")
        for name in [n for n in sys.modules if n == "rule_beside" or n.startswith("optbench_file_mine")]:
            del sys.modules[name]  # as in a new process
        linecache.checkcache()
        for cache in (registry.fingerprint, registry._beside, registry._source):
            cache.cache_clear()
        importlib.invalidate_caches()
        ids.append(only("optimizer=./mine.py:Mine").run_id)
    del sys.modules["rule_beside"]
    assert ids[0] == ids[1] != ids[2]
