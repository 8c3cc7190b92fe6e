from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from optbench.errors import UsageError
from optbench.plan import plan, resolved
from optbench.schedules import SCHEDULES


def labels(*words: str, config_dir: str | None = None) -> list[tuple[str, ...]]:
    return [tuple(run.labels.values()) for run in plan(words, config_dir).runs]


def names(kind: str, *words: str, config_dir: str | None = None) -> list[str]:
    at = ("problem", "optimizer", "schedule", "modifier").index(kind)
    return [label[at] for label in labels(*words, config_dir=config_dir)]


def test_commas_cross_groups_and_values() -> None:
    found = labels("problem=rosenbrock,beale", "optimizer=adam,sgd", "steps=5,6")
    assert len(found) == 8
    assert {p for p, *_ in found} == {"rosenbrock", "beale"}
    runs = plan(["problem=rosenbrock,beale", "optimizer=adam,sgd", "steps=5,6"]).runs
    assert sorted(run.budget for run in runs) == [5] * 4 + [6] * 4


@pytest.mark.parametrize(
    ("word", "kind", "expected"),
    [
        ("optimizer=choice(adam,sgd)", "optimizer", ["adam", "sgd"]),
        ("optimizer=glob(adagr*)", "optimizer", ["adagrad"]),
        ("schedule=glob(*in*, exclude=[*_*,c*])", "schedule", ["halving", "inverse", "linear"]),
        ("problem.n=range(2,5)", "problem", ["rosenbrock", "rosenbrock(n=3)", "rosenbrock(n=4)"]),
        ("optimizer.lr=0.1,0.2", "optimizer", ["adam(lr=0.1)", "adam(lr=0.2)"]),
        ("modifier=l1,l2", "modifier", ["l1", "l2"]),
        ("modifier=[l1,l2]", "modifier", ["l1+l2"]),
        ("modifier=none,[l1,clip_norm]", "modifier", ["", "l1+clip_norm"]),
        ("modifier=[]", "modifier", [""]),
        ("optimizer='adam'", "optimizer", ["adam"]),
        ("schedule=cosine,cosine", "schedule", ["cosine"]),
        ("++optimizer.lr=0.1", "optimizer", ["adam(lr=0.1)"]),
    ],
)
def test_the_grammar_of_overrides(word: str, kind: str, expected: list[str]) -> None:
    assert names(kind, word) == expected


def test_a_modifiers_setting_is_named_by_its_modifier() -> None:
    found = names("modifier", "modifier=[l2,clip_norm]", "modifier.l2.strength=0.5", "modifier.clip_norm.max_norm=2,3")
    assert found == ["l2(strength=0.5)+clip_norm(max_norm=2)", "l2(strength=0.5)+clip_norm(max_norm=3)"]


def test_a_suite_gives_overrides_and_what_is_typed_counts_over_it() -> None:
    planned = plan(["optimizer=adam", "suite=smoke", "steps=7"])
    assert planned.suite == "smoke"
    assert planned.results == Path("results/smoke")
    assert {run.labels["optimizer"] for run in planned.runs} == {"adam"}
    assert len({run.labels["problem"] for run in planned.runs}) == 3
    assert {run.budget for run in planned.runs} == {7}
    assert planned.runs[0].tuning["method"] == "grid"


@pytest.mark.parametrize("suite", ["smoke", "smoke_optimizers", "quick", "deep"])
def test_every_suite_can_be_planned(suite: str) -> None:
    planned = plan([f"suite={suite}"])
    assert len(planned.runs) == len({run.run_id for run in planned.runs}) > 8


def test_a_fixed_setting_is_not_searched() -> None:
    assert list(plan(["tuning.method=grid"]).runs[0].spaces) == ["lr"]
    fixed = plan(["tuning.method=grid", "optimizer.lr=0.1"]).runs[0]
    assert fixed.spaces == {}
    assert fixed.trial_count == 5


def test_a_search_on_the_command_line_replaces_or_adds_to_the_optimizers_own() -> None:
    run = plan(["tuning.method=grid", "search.lr=[1e-3,1]", "search.eps={uniform: [0,1]}"]).runs[0]
    assert run.spaces == {"lr": {"log_uniform": [1e-3, 1.0]}, "eps": {"uniform": [0.0, 1.0]}}
    both = plan(["tuning.method=none,grid", "search.lr=[1e-3,1]"]).runs
    assert [list(run.spaces) for run in both] == [[], ["lr"]]


def test_options_of_ones_own_build_on_those_there_are(tmp_path: Path) -> None:
    for group, name, text in (
        ("optimizer", "keen", "defaults: [adam, _self_]\nlr: 0.1\n"),
        ("problem", "wide", "name: rosenbrock\nn: 12\n"),
        ("suite", "ours", "overrides: [optimizer=keen, problem=wide, steps=3]\n"),
    ):
        (tmp_path / group).mkdir()
        (tmp_path / group / f"{name}.yaml").write_text(text)
    own = str(tmp_path)
    assert labels("suite=ours", config_dir=own) == [("rosenbrock(n=12)", "adam(lr=0.1)", "constant", "")]
    assert set(names("optimizer", "optimizer=keen,sgd", config_dir=own)) == {"adam(lr=0.1)", "sgd"}
    (run,) = plan(["optimizer=keen", "tuning.method=grid"], own).runs
    assert list(run.spaces) == ["lr"]
    with pytest.raises(UsageError, match="no optimizer is called 'keem'; did you mean 'keen'"):
        plan(["optimizer=keem"], own)


def test_the_long_form_of_a_class_is_the_short_one() -> None:
    short = plan(["optimizer=torch.optim.NAdam", "optimizer.lr=0.1"]).runs[0]
    for words in (["optimizer=from_torch", "optimizer.class=torch.optim.NAdam"], ["optimizer.class=torch.optim.NAdam"]):
        assert plan([*words, "optimizer.lr=0.1"]).runs[0].run_id == short.run_id
    with pytest.raises(UsageError, match="goes with optimizer=from_torch, not with sgd"):
        plan(["optimizer=sgd", "optimizer.class=torch.optim.NAdam"])


def test_the_resolved_configuration_is_yaml_with_everything_in_it() -> None:
    planned = plan(["optimizer=adam,sgd", "modifier=l2", "steps=9"])
    texts = list(resolved(planned.configs))
    assert [yaml.safe_load(text)["optimizer"]["name"] for text in texts] == ["adam", "sgd"]
    loaded = yaml.safe_load(texts[0])
    assert loaded["steps"] == 9
    assert loaded["modifier"][0]["name"] == "l2"
    assert loaded["optimizer"]["betas"] == [0.9, 0.999]
    assert list(loaded["optimizer"]["search"]) == ["lr"]


def test_options_are_composed_together_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from optbench import options

    composed: list[Any] = []
    compose = options.compose
    monkeypatch.setattr(options, "compose", lambda *a, **k: composed.append((a, k)) or compose(*a, **k))
    runs = plan(["problem.n=range(2,127)", "optimizer=sgd,momentum,nesterov,adagrad,rmsprop,adam,adamw,lion"]).runs
    assert len(runs) == 1000
    assert len(composed) == 1
    with options.Options(None) as known:
        for name in ("adam", "sgd", "adam"):
            known.load({group: ["sgd", name] if group == "optimizer" else [] for group in options.GROUPS})
    assert [len(call[1]["overrides"]) for call in composed[1:]] == [2]  # sgd and adam; what is known is not read again


def test_results_go_where_they_are_asked_to() -> None:
    assert plan(["steps=1"]).results == Path("results/sweep")
    assert plan(["results=here/there"]).results == Path("here/there")


def test_pairs_that_do_not_fit_are_left_out_with_a_line_each() -> None:
    planned = plan(["problem=rosenbrock,logistic_regression", "optimizer=adam,kfac"])
    assert [(r.labels["problem"], r.labels["optimizer"]) for r in planned.runs] == [
        ("rosenbrock", "adam"),
        ("logistic_regression", "adam"),
        ("logistic_regression", "kfac"),
    ]
    (line,) = planned.left_out
    assert line.startswith("kfac on rosenbrock: K-FAC needs a network with linear or convolution layers")


@pytest.mark.parametrize("name", ["newton", "gauss_newton", "natural_gradient", "kfac", "shampoo", "soap", "psgd_kron"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_methods_that_solve_with_matrices_are_left_out_where_torch_cannot(name: str, dtype: str) -> None:
    problem = ["problem=mlp", "problem.data=iris", "problem.hidden=[4]"]
    planned = plan([*problem, f"optimizer=sgd,{name}", f"dtype={dtype}"])
    assert [run.labels["optimizer"] for run in planned.runs] == ["sgd"]
    (line,) = planned.left_out
    assert line.endswith(
        f"it solves with matrices, which torch does in float32 and float64, not in {dtype}; set dtype=float32"
    )


def test_a_schedule_that_never_comes_to_its_rate_is_told_once() -> None:
    words = ["problem=rosenbrock,beale", "optimizer=adam,sgd", "steps=200"]
    (line,) = plan([*words, "schedule=cosine", "schedule.warmup=1000"]).remarks
    assert line == "schedule cosine(warmup=1000): of its full rate, 0.2 is the most that it comes to within steps=200"
    assert plan([*words, "schedule=cosine", "schedule.warmup=100"]).remarks == []
    assert plan(["steps=991", "schedule=cyclic", "schedule.up=5"]).remarks == []  # every tenth step is at its floor


def test_no_schedule_as_it_stands_is_told_of() -> None:
    usual = [f"schedule={name}" for name in SCHEDULES]
    assert [line for word in usual for line in plan(["steps=500", word]).remarks] == []


def test_a_sweep_of_nothing_but_misfits_is_refused() -> None:
    with pytest.raises(UsageError, match="kfac on rosenbrock: K-FAC needs a network"):
        plan(["problem=rosenbrock", "optimizer=kfac"])


def test_glob_takes_every_optimizer_but_the_stand_in() -> None:
    names = {
        run.labels["optimizer"] for run in plan(["problem=logistic_regression", "optimizer=glob(*)", "steps=5"]).runs
    }
    assert {"adam", "kfac", "bfgs"} <= names
    assert "from_torch" not in names


WRAPPER = """
import torch

class Wrapper(torch.optim.Optimizer):
    def __init__(self, params, inner, rho=0.1, **kwargs):
        super().__init__(params, dict(rho=rho, **kwargs))
        self.inner = inner(self.param_groups, **kwargs)

    def step(self, closure=None):
        self.inner.step()
"""


def test_the_rate_of_a_wrapped_optimizer_can_be_searched(folder: Path) -> None:
    (folder / "wrapper.py").write_text(WRAPPER)
    words = [
        "problem=rosenbrock",
        "optimizer=./wrapper.py:Wrapper",
        "optimizer.inner=torch.optim.SGD",
        "optimizer.lr=0.1",
    ]
    (run,) = plan([*words, "search.lr=[1e-3,1]", "tuning.method=grid", "tuning.trials=3"]).runs
    assert list(run.spaces) == ["lr"]
    with pytest.raises(UsageError, match=r"rho.* must be|refuses"):
        plan([*words, "optimizer.rho=much"])
