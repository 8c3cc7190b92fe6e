from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("types_unchecked")

CASES = [
    (["rnu"], "no verb is called 'rnu'; did you mean 'run'?"),
    (["run", "steps"], "settings read KEY=VALUE"),
    (["run", "problem=rosenbrok"], "no problem is called 'rosenbrok'; did you mean 'rosenbrock'?"),
    (["run", "optimizer=adam,sdg"], "no optimizer is called 'sdg'; did you mean 'sgd'"),
    (["run", "schedule=cosin"], "did you mean 'cosine'"),
    (["run", "modifier=clip_nrom"], "did you mean 'clip_norm'"),
    (["run", "modifier=[l2,l3]"], "no modifier is called 'l3'"),
    (["run", "optimizer=torch/*"], "for all that are called so write optimizer='glob(torch/*)'"),
    (["run", "optimizer=AdamW"], "no optimizer is called 'AdamW'; did you mean 'adamw'?"),
    (["run", "optimizer=SDG"], "did you mean 'sgd'"),
    (["run", "optimizer=RMSProp"], "did you mean 'rmsprop'?"),
    (["run", "optimizer=sam"], "no optimizer is called 'sam'; sam is a modifier: modifier=[sam]"),
    (["run", "optimizer=adam,cosine"], "no optimizer is called 'cosine'; cosine is a schedule: schedule=cosine"),
    (["run", "modifier=[l2,Adam]"], "no modifier is called 'Adam'; adam is an optimizer: optimizer=adam"),
    (["run", "schedule=rosenbrock"], "rosenbrock is a problem: problem=rosenbrock"),
    (["run", "schedule=StepLR"], "no schedule is called 'StepLR'; did you mean 'halving' or 'multistep'?"),
    (["run", "schedule=noam"], "did you mean 'inverse_sqrt'?"),
    (["run", "optimizer=agc"], "adaptive_clipping is a modifier: modifier=[adaptive_clipping]"),
    (["run", "schedules.momentum=sam"], "no schedule is called 'sam'; sam is a modifier"),
    (
        ["run", "modifier=[{name: clip_norm, max_norm: -2}]"],
        "settings stand apart from the name: modifier=[clip_norm] modifier.clip_norm.max_norm=…",
    ),
    (["run", "optimizer={name: adam, lr: 1}"], "optimizer=adam optimizer.lr=…"),
    (["run", "optimizer={lr: 1}"], "expected a name"),
    (["run", "suite=quik"], "no suite is called 'quik'; did you mean 'quick'"),
    (["run", "suite=quick,smoke"], "one suite at a time"),
    (["run", "executor=locale"], "did you mean 'local'"),
    (["run", "stesp=3"], "there is no key 'stesp'; did you mean 'steps'"),
    (["run", "tuning.metod=grid"], "there is no key 'tuning.metod'; did you mean 'tuning.method'"),
    (["run", "optimizer.lrr=1"], "adam has no setting 'lrr'; did you mean 'lr'"),
    (["run", "problem.m=3"], "rosenbrock has no setting 'm'"),
    (["run", "schedule.floor=0.1"], "constant has no setting 'floor'"),
    (["run", "modifier.l2.strength=1"], "modifier.l2.strength: l2 is not among the modifiers; add modifier=[l2]"),
    (["run", "modifier=l2", "modifier.l2.stregth=1"], "did you mean 'strength'"),
    (["run", "modifier=l2", "modifier.strength=1"], "name the modifier"),
    (["run", "optimizer.lr=fast"], "Adam: lr must be a number, got 'fast'"),
    (["run", "optimizer.lr=-0.1"], "Adam: lr must lie in [0, inf), got -0.1"),
    (["run", "optimizer.lr=null"], "lr must be a number"),
    (["run", "optimizer.lr=[1,2]"], "lr must be a number"),
    (["run", "optimizer.lr=true"], "lr must be a number, got True"),
    (["run", "optimizer.betas=0.9"], "betas must hold 2 numbers"),
    (["run", "problem=deep_linear", "problem.data={name: adam}"], "data is the name of a data set or PATH.py:NAME"),
    (["run", "problem=deep_linear", "problem.data=[a,b]"], "data is the name of a data set or PATH.py:NAME"),
    (["run", "problem.n=2.5"], "n must be a whole number"),
    (["run", "problem.n=1"], "n must lie in [2, inf)"),
    (["run", "steps=many"], "steps must be a whole number of at least 1 or null, got 'many'"),
    (["run", "steps=0"], "steps must be a whole number"),
    (["run", "steps=2.5"], "steps must be a whole number"),
    (["run", "seeds=-1"], "seeds must be a whole number"),
    (["run", "seeds=[1,2]"], "seeds must be a whole number"),
    (["run", "tuning.method=gird"], "did you mean 'grid'"),
    (["run", "tuning.trials=0"], "tuning.trials must be a whole number"),
    (["run", "tuning.seeds=x"], "tuning.seeds must be a whole number"),
    (["run", "tuning=grid"], "tuning=grid: expected settings, such as tuning.method=grid"),
    (["run", "search.lr=[1e-3,1]"], "search.lr has no effect while tuning.method is none; add tuning.method=grid"),
    (
        ["run", "optimizer=lbfgs", "tuning.method=grid", "search.history={choice: [1,20]}"],
        "LBFGS: history is one number for all trials and cannot be searched",
    ),
    (["run", "optimizer=.."], "'..' is no dotted path such as pkg.Class"),
    (["run", "problem=glob(zz*)"], "problem=glob(zz*): nothing matches"),
    (["run", "search=3"], "search=3: expected settings, such as search.lr=[1e-4,1]"),
    (["run", "tuning.method=grid", "search.lr=3"], "search.lr must read [low, high]"),
    (["run", "tuning.method=grid", "search.lr=[1,0.1]"], "low < high"),
    (["run", "tuning.method=grid", "search.lrr=[1,2]"], "has no setting 'lrr'; did you mean 'lr'"),
    (["run", "tuning.method=grid", "search.lr={uniform: [-1,1]}"], "Adam: lr must lie in [0, inf), got -1"),
    (["run", "dtype=float31"], "did you mean 'float32'"),
    (["run", "dtype=[1]"], "dtype must be one of"),
    (
        ["run", "search.sam.rho=[0,1]", "modifier=[sam]", "tuning.method=grid"],
        "only settings of the optimizer are searched",
    ),
    (["run", "search.lr=[-1,1]", "tuning.method=grid"], "Adam: lr must lie in [0, inf), got -1 in trial 0"),
    (["run", "problem.dtype=float32"], "problem.dtype: it is the run's, not the problem's; set dtype=float32"),
    (["run", "problem.device=mars"], "problem.device: it is the run's, not the problem's; set device=mars"),
    (["run", "problem.nn=2"], "it has n, factor"),
    (["run", "device=gpu"], "device must be cpu, cuda or cuda:0, got 'gpu'"),
    (["run", "trials_at_once=some"], "trials_at_once must be a whole number of at least 1 or auto"),
    (["run", "trials_at_once=0"], "trials_at_once must be"),
    (["run", "timeout=-1"], "timeout must be a positive number"),
    (["run", "timeout=soon"], "timeout must be a positive number"),
    (["run", "executor=serial,local"], "executor holds for the whole sweep"),
    (["run", "executor=local", "executor.workers=0"], "executor.workers must be a whole number of at least 1"),
    (["run", "executor.wrokers=2"], "did you mean 'executor.workers'"),
    (["run", "results=a,b"], "results holds for the whole sweep"),
    (["run", "optimizer=[adam,sgd]"], "optimizer=a,b"),
    (["run", "optimizer=3"], "expected a name"),
    (["run", "optimizer=null"], "expected a name"),
    (["run", "optimizer=glob(x*)"], "nothing matches"),
    (["run", "optimizer.name=sgd"], "write optimizer=sgd instead"),
    (["run", "~optimizer"], "keys cannot be deleted"),
    (["run", "optimizer.lr=interval(0,1)"], "sweeps are lists"),
    (["run", "optimizer=(adam"], "cannot be read"),
    (["run", "optimizer=from_torch"], "optimizer=from_torch needs optimizer.class="),
    (["run", "optimizer=from_torch", "optimizer.class=adamm"], "no optimizer is called 'adamm'"),
    (["run", "optimizer=torch.optim.NAdamm"], "did you mean 'NAdam'"),
    (["run", "optimizer=torch.optim.NAdam", "optimizer.lrr=1"], "NAdam has no setting 'lrr'; did you mean 'lr'"),
    (
        ["run", "optimizer=torch.optim.NAdam", "optimizer.lr=-1"],
        "NAdam refuses lr=-1, whose default is 0.002 (Invalid learning rate: -1)",
    ),
    (["run", "tuning=null"], "tuning=None: expected settings, such as tuning.method=grid"),
    (["run", "optimizer=nopackage.Class"], "there is no package 'nopackage'"),
    (["run", "optimizer=./none.py:Mine"], "there is no file ./none.py"),
    (["run", "optimizer=./mine.py:Mime"], "mine.py defines no 'Mime'; did you mean 'Mine'"),
    (["run", "optimizer=./mine.py"], "say which class of the file is meant"),
    (["run", "optimizer=math.sin"], "math.sin is no subclass of optbench's Optimizer nor torch's Optimizer"),
    (["run", "problem=torch.optim.NAdam"], "is no subclass of optbench's Problem"),
    (["run", "schedule=./mine.py:Mine"], "Mine is no subclass of optbench's Schedule, so it cannot be schedule="),
    (["run", "--config-dir", "none"], "--config-dir: there is no folder none"),
    (["run", "--config-dir"], "expected one argument"),
    (["run", "--dryrun"], "knows no --dryrun"),
    (["run", "results=foreign"], "foreign is not a results folder of optbench"),
    (["run", "results=mine.py", "steps=1"], "cannot be written to"),
    (["report"], "the following arguments are required: RESULTS"),
    (["report", "none"], "there is no results folder none"),
    (["report", "foreign"], "foreign is not a results folder"),
    (["compare", "none", "none"], "there is no results folder none"),
    (["compare", "foreign"], "required: NEW"),
    (["compare", "a", "b", "--format", "pdf"], "invalid choice: 'pdf'"),
    (["list"], "required: KIND"),
    (["list", "optimisers"], "did you mean 'optimizers'"),
    (["show", "adamm"], "nothing is called 'adamm'; did you mean 'adam"),
    (["show", "math.sin"], "math.sin is neither a problem, an optimizer"),
    (["show", "torch.optim"], "is neither"),
    (["check", "./mine.py:params"], "mine.py defines no 'params'"),
    (["check", "nothing"], "no optimizer is called 'nothing'"),
    (["check", "math.sin"], "is neither a Problem"),
    (["list", "optimizers", "more"], "optbench list knows no more"),
]


@pytest.mark.parametrize(("words", "said"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_one_clear_line_and_exit_status_two(typed, mine: Path, folder: Path, words: list[str], said: str) -> None:
    (folder / "foreign").mkdir()
    (folder / "foreign" / "letter.txt").write_text("Dear reader")
    before = sorted(folder.rglob("*"))
    result = typed(*words)
    assert said in result.line
    assert result.status == 2
    assert result.out == ""
    assert sorted(p for p in folder.rglob("*") if p.name != "__pycache__") == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "keen.yaml must hold settings"),
        ("lr: 1\n", "keen.yaml must hold settings"),
        ("{", "optimizer=keen"),
        ("- 1\n", "keen"),
    ],
)
def test_an_option_of_ones_own_that_cannot_be_used_is_named(typed, folder: Path, text: str, said: str) -> None:
    (folder / "conf" / "optimizer").mkdir(parents=True)
    (folder / "conf" / "optimizer" / "keen.yaml").write_text(text)
    result = typed("run", "--config-dir", "conf", "optimizer=keen")
    assert said in result.line
    assert result.status == 2


@pytest.mark.parametrize("text", ["", "overrides: 3\n", "{", "overrides:\n"])
def test_a_suite_without_overrides_is_named(typed, folder: Path, text: str) -> None:
    (folder / "conf" / "suite").mkdir(parents=True)
    (folder / "conf" / "suite" / "ours.yaml").write_text(text)
    result = typed("run", "--config-dir", "conf", "suite=ours")
    assert "ours.yaml must hold `overrides:` and a list" in result.line
    assert result.status == 2


def test_nothing_typed_prints_the_help(typed) -> None:
    said = typed()
    assert said.status == 2
    assert "usage: optbench" in said.out
