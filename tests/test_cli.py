from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from optbench import __version__, registry, store
from optbench.api import load
from optbench.data import DATASETS
from optbench.executors import EXECUTORS
from optbench.instruments import INSTRUMENTS

SMALL = ["steps=20", "seeds=2", "executor=serial"]


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(word: str) -> None:
    code = (
        "import sys\nfrom optbench.cli import main\nmain([sys.argv[1]])\n"
        "print('heavy:', [m for m in ('torch', 'numpy', 'pandas', 'matplotlib', 'hydra', 'rich', 'yaml') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code, word], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "heavy: []"
    assert ("usage: optbench" if word == "--help" else f"optbench {__version__}") in said.stdout


def test_a_sweep_ends_with_a_table_and_the_command_that_makes_the_report(typed, mine: Path) -> None:
    said = typed("run", "optimizer=adam,sgd,./mine.py:Mine,torch.optim.NAdam,mine.Mine", *SMALL)
    assert said.status == 0
    assert "5 runs done in" in said.out
    assert "Report:  optbench report results/sweep" in said.out
    for name in ("rosenbrock", "adam", "sgd", "./mine.py:Mine", "NAdam", "mine.Mine"):
        assert name in said.out
    assert "Traceback" not in said.err
    assert "Warning" not in said.err
    results = load("results/sweep")
    final = results.trials.groupby("optimizer", observed=True).final_loss.apply(list)
    assert final["sgd"] == pytest.approx(final["./mine.py:Mine"], rel=1e-12)
    assert final["mine.Mine"] == final["./mine.py:Mine"]
    again = typed("run", "optimizer=adam,sgd", *SMALL)
    assert "0 runs done in" in again.out
    assert "2 found finished" in again.out


def test_an_optimizer_of_optbenchs_own_kind_runs_from_a_file(typed, folder: Path) -> None:
    (folder / "ours.py").write_text(
        "from dataclasses import dataclass\nfrom optbench.optimizers.sgd import SGD\n\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Ours(SGD):\n    search = {'lr': {'log_uniform': [1e-4, 1e-3]}}\n"
    )
    said = typed(
        "run", "optimizer=sgd,./ours.py:Ours", "tuning.method=grid", "tuning.trials=2", "tuning.seeds=1", *SMALL
    )
    assert said.status == 0, said.err
    trials = load("results/sweep").trials
    assert sorted(set(trials[(trials.optimizer == "Ours") & (trials.role == "tuning")].lr)) == [1e-4, 1e-3]


def test_a_dry_run_tells_the_runs_and_does_nothing(typed, folder: Path) -> None:
    said = typed("run", "optimizer=adam,sgd", "tuning.method=grid", "tuning.trials=4", "--dry-run")
    assert said.status == 0
    assert said.err == ""
    assert len(said.out.splitlines()) == 3
    assert "2 runs, 60 trials, results in results/sweep" in said.out
    assert list(folder.iterdir()) == []


def test_cfg_prints_yaml_that_loads_and_options_may_stand_anywhere(typed, folder: Path) -> None:
    (folder / "conf" / "optimizer").mkdir(parents=True)
    (folder / "conf" / "optimizer" / "keen.yaml").write_text("defaults: [adam, _self_]\nlr: 0.1\n")
    said = typed("run", "--cfg", "optimizer=keen,sgd", "--config-dir", "conf", "steps=9")
    assert (said.status, said.err) == (0, "")
    first, second = yaml.safe_load_all(said.out)
    assert (first["optimizer"]["lr"], second["optimizer"]["name"], second["steps"]) == (0.1, "sgd", 9)
    assert not (folder / "results").exists()


def test_a_failed_run_is_one_line_and_exit_status_one(typed, folder: Path) -> None:
    (folder / "bad.py").write_text(
        "from optbench.problems.rosenbrock import Rosenbrock\n\n\nclass Raises(Rosenbrock):\n"
        "    def loss(self, params, batch):\n        raise ArithmeticError('two\\nlines')\n"
    )
    said = typed("run", "problem=./bad.py:Raises,rosenbrock", "optimizer=adam", *SMALL)
    assert said.status == 1
    told = [line for line in said.err.splitlines() if line.startswith("optbench: ")]
    assert len(told) == 1
    assert told[0].startswith("optbench: Raises × adam × constant: error: ArithmeticError: two lines (loss, bad.py:6)")
    assert "Traceback" not in said.err
    assert "1 of them failed" in said.out
    assert set(load("results/sweep").runs.status) == {"ok", "error"}


def test_a_sweep_in_which_every_run_failed_still_ends_in_a_table(typed, folder: Path) -> None:
    (folder / "bad.py").write_text(
        "from optbench.problems.rosenbrock import Rosenbrock\n\n\nclass Nan(Rosenbrock):\n"
        "    def start(self, seeds):\n        return super().start(seeds) * float('nan')\n"
    )
    said = typed("run", "problem=./bad.py:Nan", *SMALL)
    assert said.status == 1
    assert "the objective is nan at the start of every trial; look at its start() and its data" in said.err
    assert "Nan" in said.out


def test_a_damaged_shard_is_one_line_and_its_runs_are_done_again(typed, folder: Path) -> None:
    typed("run", "optimizer=adam,sgd", *SMALL)
    (shard,) = Path("results/sweep").glob("trials-*.parquet")
    shard.write_bytes(shard.read_bytes()[:-9])
    said = typed("run", "optimizer=adam,sgd", *SMALL)
    assert said.status == 0
    told = [line for line in said.err.splitlines() if line.startswith("optbench: ")]
    assert set(told) == {told[0]}
    assert shard.name in told[0]
    assert "2 runs done" in said.out
    assert "store.py" not in said.err


def test_a_full_disk_is_one_line_and_exit_status_one(typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*unused: object, **also: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(store.pq, "write_table", full)
        said = typed("run", *SMALL)
    assert said.status == 1
    (told,) = [line for line in said.err.splitlines() if line.startswith("optbench: ")]
    assert told.startswith("optbench: results/sweep: No space left on device; 0 finished runs are safe there")
    assert "Traceback" not in said.err
    assert typed("run", *SMALL).status == 0


def test_an_interrupt_is_one_line_and_exit_status_130(typed, monkeypatch: pytest.MonkeyPatch) -> None:
    from optbench.verbs import run

    def interrupted(*unused: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "sweep", interrupted)
    said = typed("run", *SMALL)
    assert said.status == 130
    assert "the same command goes on from them" in said.line


TABLES = {
    "executor": EXECUTORS,
    "suite": ["smoke", "smoke_optimizers", "quick", "deep"],
    "data": DATASETS,
    "instrument": INSTRUMENTS,
}


@pytest.mark.parametrize(
    "kind",
    ["problems", "optimizers", "schedules", "modifiers", "executors", "suites", "optimizer", "data", "instruments"],
)
def test_list_names_everything_with_a_line_on_each(typed, kind: str) -> None:
    said = typed("list", kind)
    assert (said.status, said.err) == (0, "")
    singular = kind.removesuffix("s")
    entries = TABLES.get(singular) or registry.table(singular)
    lines = {line.split()[0]: line.split() for line in said.out.splitlines()[1:]}
    wrapped = {name for name in lines if "/" in name}
    assert set(lines) - wrapped == set(entries)
    assert ("torch/nadam" in wrapped) == (singular == "optimizer")
    assert all(len(words) > 3 for name, words in lines.items() if name not in wrapped)


@pytest.mark.parametrize("name", [*DATASETS, *INSTRUMENTS])
def test_show_tells_of_data_and_instruments(typed, name: str) -> None:
    said = typed("show", name)
    assert (said.status, said.err) == (0, "")
    assert "Source" in said.out


def test_list_data_prints_brackets_as_they_are(typed) -> None:
    assert "[a, b, =]" in typed("list", "data").out


@pytest.mark.parametrize("kind", registry.KINDS)
def test_show_tells_all_about_every_name(typed, kind: str) -> None:
    for name in registry.table(kind):
        said = typed("show", name)
        assert (said.status, said.err) == (0, "")
        assert said.out.startswith(f"{name} ({kind})")
        assert "Source" in said.out


def test_show_tells_what_a_suite_and_an_executor_are(typed) -> None:
    assert "problem=rosenbrock,quadratic" in typed("show", "smoke").out
    assert "retries: 2" in typed("show", "local").out


@pytest.mark.parametrize("name", ["NAdam", "LBFGS", "SGD", "Adafactor"])
def test_show_tells_of_a_torch_class_without_markup(typed, name: str) -> None:
    said = typed("show", f"torch.optim.{name}")
    assert said.status == 0
    assert f"torch.optim.{name} (optimizer)" in said.out
    assert "lr = " in said.out
    for mark in ("\\begin", "\\text", ":math:", "::", "`"):
        assert mark not in said.out
    assert issubclass(getattr(torch.optim, name), torch.optim.Optimizer)


def test_check_passes_what_is_right_and_names_what_is_not(typed, mine: Path) -> None:
    good = typed("check", "./mine.py:Mine")
    assert good.status == 0
    assert "✗" not in good.out
    mine.write_text(mine.read_text().replace("p -= group", "p.zero_(); p -= 0 * group"))
    assert typed("check", "./mine.py:Mine").status == 0
    mine.write_text(mine.read_text().replace("p.zero_(); p -= 0 * group", "p -= 0 * group"))
    bad = typed("check", "./mine.py:Mine")
    assert bad.status == 1
    assert "✗ steps move the parameters" in bad.out


@pytest.mark.parametrize("name", ["adam", "rosenbrock", "torch.optim.NAdam"])
def test_check_takes_names_and_dotted_paths(typed, name: str) -> None:
    said = typed("check", name)
    assert said.status == 0, said.out


def test_the_table_that_a_sweep_ends_with_holds_its_own_runs_alone(typed) -> None:
    words = ("optimizer=sgd", "results=r", *SMALL)
    assert "rosenbrock" in typed("run", "problem=rosenbrock", *words).out
    second = typed("run", "problem=beale", *words).out
    assert "beale" in second
    assert "rosenbrock" not in second
    assert "rosenbrock" in typed("run", "problem=rosenbrock,beale", *words).out


@pytest.mark.parametrize("width", [80, 120])
def test_numbers_stand_in_the_table_however_long_the_words_are(
    typed, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("optbench.verbs.summary.WIDTH", width)
    monkeypatch.setenv("COLUMNS", str(width))
    words = [
        "problem=quadratic",
        "problem.condition=12345",
        "problem.noise=0.125",
        "optimizer=adamw",
        "optimizer.betas=[0.8,0.99]",
    ]
    words += ["modifier=[clip_norm,weight_decay,cautious,lookahead,ema]", "modifier.clip_norm.max_norm=0.125"]
    words += ["tuning.method=sobol", "tuning.trials=2", "search.weight_decay=[1e-4,1e-1]", "search.eps=[1e-9,1e-3]"]
    out = typed("run", *SMALL, *words).out
    assert "…" not in out
    assert {"reached", "steps", "target", "final", "gap", "failed", "trials"} <= set(out.split())
    assert "0/2" in out
    assert max(map(len, out.splitlines())) <= width
