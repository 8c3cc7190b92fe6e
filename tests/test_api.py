from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from optbench.problems.rosenbrock import Rosenbrock

import optbench
from optbench.errors import UsageError
from optbench.interfaces import Optimizer
from optbench.optimizers.adam import Adam


def test_one_thing_is_built_by_its_name() -> None:
    assert optbench.problem("rosenbrock", n=4) == Rosenbrock(n=4)
    assert optbench.optimizer("adam", lr=1e-2) == Adam(lr=1e-2)
    assert optbench.schedule("cosine", warmup=0.1).warmup == 0.1
    assert optbench.problem("rosenbrock", dtype="float32") == Rosenbrock(dtype=torch.float32)
    assert optbench.problem("rosenbrock", dtype=torch.float32).start([0]).dtype == torch.float32
    with pytest.raises(UsageError, match="did you mean 'rosenbrock'"):
        optbench.problem("rosenbrok")
    with pytest.raises(UsageError, match="did you mean 'float32'"):
        optbench.problem("rosenbrock", dtype="float31")
    with pytest.raises(UsageError, match="device must be cpu, cuda or cuda:0, got 'mars'"):
        optbench.problem("rosenbrock", device="mars")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = optbench.nothing


def test_a_torch_class_becomes_an_optimizer(mine: Path) -> None:
    for name in ("torch.optim.NAdam", "./mine.py:Mine"):
        built = optbench.optimizer(name, lr=0.01)
        assert isinstance(built, Optimizer)
        assert built.lr == 0.01


def test_a_sweep_runs_in_the_grammar_of_the_command_line_and_is_read_back(folder: Path) -> None:
    results = optbench.run("problem=rosenbrock", "optimizer=adam,sgd", steps=30, seeds=2, results=folder / "my results")
    assert sorted(results.runs.optimizer) == ["adam", "sgd"]
    assert len(results.trials) == 4
    assert results.curves.groupby(["optimizer", "trial"], observed=True).step.max().tolist() == [30] * 4
    read = optbench.load(folder / "my results")
    pd.testing.assert_frame_equal(read.trials, results.trials)
    pd.testing.assert_frame_equal(read.curves, results.curves)
    assert read.sweeps[0]["command"].startswith("optbench run problem=rosenbrock")


def test_keywords_take_python_values(folder: Path) -> None:
    results = optbench.run(
        problem="rosenbrock",
        optimizer=["adam", "sgd"],
        schedule=("constant", "cosine"),
        modifier=["clip_norm"],
        steps=5,
        seeds=1,
        timeout=None,
        tuning={"method": "grid", "trials": 2, "seeds": 1},
        **{"search.lr": {"log_uniform": [1e-3, 1e-1]}},
    )
    assert len(results.runs) == 4
    assert set(results.trials.modifier) == {"clip_norm"}
    assert set(results.trials[results.trials.role == "tuning"].lr) == {1e-3, 1e-1}
    with pytest.raises(UsageError, match="cannot write"):
        optbench.run(steps=object())


def test_results_do_not_touch_the_global_random_generator(folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    optbench.run(steps=5, seeds=1)
    assert torch.equal(torch.rand(2), expected)


OWN = '''
from dataclasses import dataclass
from optbench.checks import check_settings, setting
from optbench.interfaces import Hyper, Schedule, UpdateModifier

@dataclass(frozen=True, kw_only=True)
class Saw(Schedule):
    """Teeth."""
    teeth: int = setting(5, least=1)

    def __post_init__(self):
        check_settings(self)

    def factor(self, step, steps, state):
        return 1 - (step * self.teeth % steps) / steps

@dataclass(frozen=True, kw_only=True)
class Shrink(UpdateModifier):
    """Shrinks."""
    by: Hyper = setting(0.0, least=0)

    def apply(self, before, after, lr, state):
        return after * (1 - self.by), state
'''


def test_schedules_and_modifiers_of_ones_own_are_named_by_their_file(folder: Path) -> None:
    (folder / "own.py").write_text(OWN)
    words = ["problem=rosenbrock", "problem.n=2", "optimizer=sgd", "optimizer.lr=1e-4", "tuning.method=none"]
    own = ["schedule=./own.py:Saw", "schedule.teeth=2", "modifier=./own.py:Shrink", "modifier.Shrink.by=0.5"]
    own += ["schedules.Shrink.by=./own.py:Saw"]
    results = optbench.run(*words, *own, steps=10, seeds=2, results=folder / "own")
    assert results.runs.schedule.tolist() == ["Saw(teeth=2, Shrink.by=./own.py:Saw)"]
    assert results.runs.modifier.tolist() == ["Shrink(by=0.5)"]
    problem = Rosenbrock(n=2)
    x = problem.start(results.trials.seed.tolist())
    for step in range(10):
        grad = problem.loss_and_grad(x, None)[1]
        x = (x - 1e-4 * (1 - 2 * step % 10 / 10) * grad) * (1 - 0.5 * (1 - 5 * step % 10 / 10))
    assert results.trials.final_loss.to_numpy() == pytest.approx(problem.loss(x, None).numpy(), rel=1e-12)
    (folder / "other.py").write_text(OWN.replace("5, least", "3, least"))
    told = optbench.run(*words, "schedule=./own.py:Saw,./other.py:Saw", steps=10, seeds=2, results=folder / "two")
    assert sorted(told.runs.schedule) == ["./other.py:Saw", "./own.py:Saw"]
    both = "modifier=[],[./own.py:Shrink],[./other.py:Shrink]"
    told = optbench.run(*words, both, steps=10, seeds=2, results=folder / "three")
    assert sorted(told.runs.modifier) == ["", "./other.py:Shrink", "./own.py:Shrink"]
    parts = ["schedule=product", "schedule.parts=[cosine,./own.py:Saw]", "schedule.parts.Saw.teeth=2"]
    told = optbench.run(*words, *parts, steps=10, seeds=2, results=folder / "parts")
    assert told.runs.schedule.tolist() == ["product(parts=[cosine,./own.py:Saw(teeth=2)])"]
    with pytest.raises(UsageError, match="two classes have the same name; give one of them another"):
        optbench.run(*words, "modifier=[./own.py:Shrink,./other.py:Shrink]")
    (folder / "own.py").write_text(OWN.replace("/ steps", "/ (1 - step)"))
    with pytest.raises(UsageError, match=r"schedule Saw fails at step 1 of 9 \(ZeroDivisionError: "):
        optbench.run(*words, "schedule=./own.py:Saw", "steps=9")
    (folder / "own.py").write_text(OWN.replace("/ steps", "/ steps * (float('nan') if step == 3 else 1)"))
    with pytest.raises(UsageError, match=r"schedule Saw fails at step 3 of 9 \(ValueError: its factor is nan\)"):
        optbench.run(*words, "schedule=./own.py:Saw", "steps=9")
    with pytest.raises(UsageError, match=r"own.py:Saw is no subclass of optbench's ProblemModifier nor .* modifier=…"):
        optbench.run(*words, "modifier=./own.py:Saw")
