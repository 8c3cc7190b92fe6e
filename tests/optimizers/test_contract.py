"""What every optimizer of the table must do."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from contracts import (
    Loop,
    TinyNet,
    assert_is_documented,
    assert_yaml_repeats_the_code,
    of_trial,
    read_yaml,
    tensors,
    varied,
)
from optbench.problems.rosenbrock import Rosenbrock

from optbench.checks import UsageError
from optbench.optimizers import OPTIMIZERS
from optbench.registry import build

TRIALS = 5
PROBLEMS = {"rosenbrock": Rosenbrock(n=3), "network": TinyNet()}
FLOWS = ("gradient_flow", "sign_flow", "adam_flow")
"""Solved in few steps, each of many evaluations."""
LAYERED = ("kfac",)
"""Methods that look into the layers of a network; they run on a small one instead."""
SLOW = (*FLOWS, *LAYERED, "newton", "gauss_newton", "natural_gradient", "hessian_free", "trust_region")
"""Those of which a step is many evaluations."""
names = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in OPTIMIZERS]
)
problems = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def settings_of(name: str, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Settings that differ between the trials."""
    if name == "from_torch":
        lr = torch.linspace(1e-3, 3e-3, TRIALS, dtype=dtype)[:, None]
        betas = [torch.linspace(0.8, 0.9, TRIALS, dtype=dtype)[:, None], 0.99]
        return {"cls": torch.optim.NAdam, "settings": {"lr": lr, "betas": betas}}
    return varied(OPTIMIZERS[name], TRIALS, dtype)


def suited(name: str, problem: Any) -> Any:
    """The problem, or a network of layers where the method needs one."""
    if name not in LAYERED:
        return problem
    return build("problem", "mlp", {"hidden": [3], "batch_size": 16, "dtype": problem.kind["dtype"]})


def loop(name: str, problem: Any, rows: list[int], settings: dict[str, Any] | None = None) -> Loop:
    """A run of these of the trials 0 … 4, each with its own settings and seed."""
    index = torch.tensor(rows)

    def pick(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value[index]
        if isinstance(value, dict):
            return {key: pick(item) for key, item in value.items()}
        return type(value)(pick(item) for item in value) if isinstance(value, (tuple, list)) else value

    return Loop(suited(name, problem), OPTIMIZERS[name](**pick(settings or settings_of(name))), rows)


@names
@problems
def test_a_batch_of_trials_equals_the_trials_one_by_one(name: str, problem: Any) -> None:
    together = loop(name, problem, list(range(TRIALS))).run(20)
    for trial in range(TRIALS):
        alone = Loop(suited(name, problem), OPTIMIZERS[name](**of_trial(settings_of(name), trial)), [trial]).run(20)
        torch.testing.assert_close(together[:, trial], alone[:, 0], rtol=1e-9, atol=1e-10)


@names
def test_trials_with_different_settings_go_different_ways(name: str) -> None:
    settings = settings_of(name)
    path = Loop(suited(name, Rosenbrock()), OPTIMIZERS[name](**settings), [0] * TRIALS).run(5)
    assert len({tuple(row.tolist()) for row in path[-1]}) == TRIALS


@names
@problems
def test_a_trial_does_not_depend_on_its_company(name: str, problem: Any) -> None:
    everyone = loop(name, problem, list(range(TRIALS))).run(25)
    for rows in ([3, 1], [1, 4, 3], [2, 0, 4, 1]):
        assert torch.equal(loop(name, problem, rows).run(25), everyone[:, rows])


@names
@problems
def test_trials_that_stay_do_not_notice_that_others_left(name: str, problem: Any) -> None:
    everyone = loop(name, problem, list(range(TRIALS))).run(25)
    leaving = loop(name, problem, list(range(TRIALS)))
    leaving.run(7)
    leaving.keep([0, 3, 4])
    leaving.run(6)
    leaving.keep([2, 1])
    assert torch.equal(leaving.run(12), everyone[13:, [4, 3]])


@names
@problems
def test_a_trial_that_turns_nan_leaves_the_others_as_they_are(name: str, problem: Any) -> None:
    healthy = loop(name, problem, list(range(TRIALS))).run(20)
    ill = loop(name, problem, list(range(TRIALS)))
    ill.run(6)
    ill.params = ill.params.clone()
    ill.params[2] = math.nan
    path = ill.run(14)
    assert torch.equal(path[:, [0, 1, 3, 4]], healthy[6:, [0, 1, 3, 4]])
    assert path[-1, 2].isnan().all()


@names
@problems
def test_state_has_trials_first(name: str, problem: Any) -> None:
    run = loop(name, problem, list(range(TRIALS)))
    for rows in (TRIALS, 2):
        run.run(3)
        assert all(t.shape[0] == rows for t in tensors(run.state))
        if name == "from_torch":
            assert len(run.state.optimizers) == rows
        if rows == TRIALS:
            run.keep([4, 1])


@names
def test_float32_stays_float32(name: str) -> None:
    problem = TinyNet(dtype=torch.float32)
    run = loop(name, problem, list(range(TRIALS)), settings_of(name, torch.float32))
    assert run.run(3).dtype == torch.float32
    assert {t.dtype for t in tensors(run.state)} <= {
        torch.float32,
        torch.bool,
        torch.int64,
    }  # counts by trial are whole


@names
@problems
def test_a_step_changes_none_of_its_arguments(name: str, problem: Any) -> None:
    run = loop(name, problem, list(range(TRIALS)))
    run.run(3)
    params, state = run.params, run.state
    kept_params, kept_state = params.clone(), copy.deepcopy(state)
    run.run(1)
    assert torch.equal(params, kept_params)
    for now, then in zip(tensors(state), tensors(kept_state), strict=True):
        assert torch.equal(now, then)


@names
def test_a_factor_of_zero_leaves_the_trials_where_they_are(name: str) -> None:
    run = loop(name, Rosenbrock(), list(range(TRIALS)))
    before = run.params
    run.oracle.move(0)
    after, _ = run.optimizer.step(before, run.state, run.oracle, 0.0)
    assert torch.equal(after, before)


@names
def test_a_factor_multiplies_the_rate_of_each_trial(name: str) -> None:
    settings = settings_of(name)
    factor = torch.linspace(0.2, 1.0, TRIALS, dtype=torch.float64)[:, None]
    run = loop(name, Rosenbrock(), list(range(TRIALS)))
    by_factor, _ = run.optimizer.step(run.params, run.state, run.oracle, factor)
    own = settings["settings"] if name == "from_torch" else settings
    rates = own.keys() & {"lr", "final_lr"}
    scaled = {**own, **{key: own[key] * factor for key in rates}}
    other = loop(
        name, Rosenbrock(), list(range(TRIALS)), settings | ({"settings": scaled} if own is not settings else scaled)
    )
    by_rate, _ = other.optimizer.step(other.params, other.state, other.oracle, 1.0)
    torch.testing.assert_close(by_factor, by_rate, rtol=1e-14, atol=1e-14)


@names
def test_it_solves_an_easy_problem_at_some_rate_of_its_search_space(name: str) -> None:
    low, high = read_yaml("optimizer", name)["search"]["lr"]["log_uniform"]
    assert high / low >= 1e4
    rates = torch.logspace(math.log10(low), math.log10(high), 8, dtype=torch.float64)[:, None]
    settings = {"cls": torch.optim.NAdam, "settings": {"lr": rates}} if name == "from_torch" else {"lr": rates}
    optimizer = OPTIMIZERS[name](**settings)
    problem = (
        build("problem", "linear_regression", {"dtype": torch.float64})
        if name in LAYERED
        else build("problem", "beale")
    )
    steps = {
        "lbfgs": 60,
        "newton": 60,
        "gauss_newton": 60,
        "trust_region": 60,
        "hessian_free": 60,
        "from_torch": 300,
        "adadelta": 3000,
        **dict.fromkeys(FLOWS, 8),
    }.get(name, 1000)
    last = Loop(problem, optimizer, [0] * 8).run(steps)[-1]
    objective = problem.evaluate(last, steps)["objective"].nan_to_num(math.inf)
    assert objective.min() - problem.minimum() < 1e-2


@names
def test_a_negative_rate_is_refused_and_the_trial_named(name: str) -> None:
    bad = torch.tensor([[0.1], [0.1], [-1.0]], dtype=torch.float64)
    if name == "from_torch":
        with pytest.raises(UsageError, match=r"NAdam .*-1"):
            OPTIMIZERS[name](cls=torch.optim.NAdam, settings={"lr": bad})
        return
    with pytest.raises(ValueError, match=r"lr must lie in \[0, inf\), got -1 in trial 2"):
        OPTIMIZERS[name](lr=bad)


@names
def test_the_yaml_repeats_the_defaults_of_the_code(name: str) -> None:
    if name == "from_torch":  # its settings are those of the class that is wrapped
        read = read_yaml("optimizer", name)
        assert (read["class"], read["params"]) == ("???", None)
        assert read.keys() == {"name", "class", "params", "search"}
        return
    assert_yaml_repeats_the_code("optimizer", name, OPTIMIZERS[name])


@names
def test_it_is_documented_and_has_one_name_everywhere(name: str) -> None:
    assert_is_documented("optimizer", name, OPTIMIZERS[name])
