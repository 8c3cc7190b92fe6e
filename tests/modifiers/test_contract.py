"""What every modifier of the table must do, with every optimizer."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from contracts import ROOT, TinyNet, assert_is_documented, assert_yaml_repeats_the_code, of_trial, varied
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import (
    Modifier,
    Optimizer,
    OracleModifier,
    Problem,
    ProblemModifier,
    TrialsModifier,
    UpdateModifier,
    select,
)
from optbench.modifiers import MODIFIERS
from optbench.optimizers import OPTIMIZERS
from optbench.oracle import BatchOracle
from optbench.schedules.constant import Constant
from optbench.trials import Trials, changed

PROBLEMS: dict[str, Problem] = {
    "rosenbrock": Rosenbrock(n=3),
    "network": TinyNet(),
    "data": MLP(data="iris", hidden=(4,), activation="tanh", batch_size=8, dtype=torch.float64),
}
NEEDS_DATA = ("label_smoothing", "activation_l1", "adversarial", "early_stopping")
NEEDS_MATRICES = ("orthogonal",)
STRONG = {"strength": 0.3, "sigma": 0.1, "every": 2, "patience": 2, "then": "retrain", "eps": 0.3}
OWN = {  # what is felt by one problem is too much for another
    "gradient_penalty": {"strength": 3e-5},
    "clip_norm": {"max_norm": 0.1},
    "clip_value": {"max_value": 0.01},
    "gradient_noise": {"eta": 1.0},
    "project": {"low": -0.1, "high": 0.1},
    "max_norm": {"limit": 0.3},
    "ema": {"decay": 0.9},
    "swa": {"start": 0.3, "every": 2},
}
NOT_FELT = {  # by a point: it has no matrix and no minibatches; nor does momentum turn in its first steps
    "rosenbrock": ("accumulation", "centralisation", "max_norm", "cautious"),
    "network": (),
    "data": (),
}


def of_place(kind: Any) -> list[str]:
    return [name for name, m in MODIFIERS.items() if issubclass(m, kind)]


def suits(name: str, problem: str) -> bool:
    unfit = {"rosenbrock": (*NEEDS_DATA, *NEEDS_MATRICES), "network": NEEDS_DATA, "data": ()}
    return name not in unfit[problem]


names = pytest.mark.parametrize("name", MODIFIERS)
pairs = pytest.mark.parametrize(("name", "problem"), [(n, p) for n in MODIFIERS for p in PROBLEMS if suits(n, p)])
penalties = pytest.mark.parametrize("name", [n for n, m in MODIFIERS.items() if m.place == "objective"])


def settings_of(name: str, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Settings strong enough to be felt, that differ between five trials where the modifier allows it."""
    cls, strong = MODIFIERS[name], STRONG | OWN.get(name, {})
    if issubclass(cls, (OracleModifier, UpdateModifier)):
        return varied(cls, 5, dtype, **strong)
    return {f.name: strong[f.name] for f in fields(cls) if f.name in strong}


def trials_of(problem: Problem, rule: Optimizer[Any], seeds: Any, modifiers: list[Modifier]) -> Trials:
    return Trials(problem, rule, Constant(), modifiers, list(seeds), 20)


def run(trials: Trials, steps: int, first: int = 0) -> torch.Tensor:
    """The points at which the trials were judged, [steps, trials, n]."""
    path = []
    for step in range(first, first + steps):
        trials.step(step)
        path.append(trials.judged)
    return torch.stack(path)


@pairs
def test_a_batch_of_trials_equals_the_trials_one_by_one(name: str, problem: str) -> None:
    settings, momentum = settings_of(name), OPTIMIZERS["momentum"](lr=1e-3)
    together = run(trials_of(PROBLEMS[problem], momentum, range(5), [MODIFIERS[name](**settings)]), 20)
    for trial in range(5):
        modifier = MODIFIERS[name](**of_trial(settings, trial))
        alone = run(trials_of(PROBLEMS[problem], momentum, [trial], [modifier]), 20)
        torch.testing.assert_close(together[:, trial], alone[:, 0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "problem"), [(n, p) for n in MODIFIERS for p in PROBLEMS if suits(n, p) and n not in NOT_FELT[p]]
)
def test_it_does_something(name: str, problem: str) -> None:
    momentum, modifier = OPTIMIZERS["momentum"](lr=1e-3), MODIFIERS[name](**of_trial(settings_of(name), 0))
    with_it = trials_of(PROBLEMS[problem], momentum, [0, 1], [modifier])
    without = trials_of(PROBLEMS[problem], momentum, [0, 1], [])
    at_end = with_it.problem.point(run(with_it, 20)[-1])
    assert not torch.allclose(at_end, run(without, 20)[-1], rtol=1e-6)


@names
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "from_torch"])
def test_a_trial_does_not_depend_on_its_company(name: str, optimizer: str) -> None:
    """Also with methods that ask for some rows alone, and when trials leave."""
    more = {"cls": torch.optim.LBFGS, "settings": {"max_iter": 2}} if optimizer == "from_torch" else {}
    rule, problem = OPTIMIZERS[optimizer](**more), PROBLEMS["data" if name in NEEDS_DATA else "network"]
    everyone = run(trials_of(problem, rule, range(5), [MODIFIERS[name](**settings_of(name))]), 15)
    few: Any = [select(MODIFIERS[name](**settings_of(name)), torch.tensor([3, 1]))]
    assert torch.equal(run(trials_of(problem, rule, [3, 1], few), 15), everyone[:, [3, 1]])
    leaving = trials_of(problem, rule, range(5), [MODIFIERS[name](**settings_of(name))])
    run(leaving, 6)
    leaving.keep(torch.tensor([4, 0]))
    assert torch.equal(run(leaving, 9, first=6), everyone[6:, [4, 0]])


@pytest.mark.parametrize("name", of_place(OracleModifier))
def test_some_rows_are_answered_as_they_are_among_all(name: str) -> None:
    modifier: Any = MODIFIERS[name](**settings_of(name))
    problem, seeds = Rosenbrock(n=4), list(range(5))
    params, inner = problem.start(seeds), BatchOracle(problem, problem.stream(seeds), 5)
    oracle, _ = modifier.wrap(inner, modifier.init(params, problem.layout, seeds), 0)
    loss, grad = oracle(params)
    for rows in ([2], [4, 1]):
        some_loss, some_grad = oracle(params[rows], torch.tensor(rows))
        assert torch.equal(some_loss, loss[rows])
        assert torch.equal(some_grad, grad[rows])


@names
def test_a_trial_that_turns_nan_leaves_the_others_as_they_are(name: str) -> None:
    problem = PROBLEMS["data" if name in NEEDS_DATA else "network"]

    def path(ill: bool) -> tuple[torch.Tensor, torch.Tensor]:
        trials = trials_of(problem, OPTIMIZERS["sgd"](lr=0.01), range(5), [MODIFIERS[name](**settings_of(name))])
        run(trials, 3)
        trials.params = trials.params.clone()
        trials.params[2] = torch.nan if ill else trials.params[2]
        judged = run(trials, 1, first=3)
        return trials.params, torch.cat([judged, run(trials, 9, first=4)])

    (broken, judged), (_, healthy) = path(True), path(False)
    assert torch.equal(judged[:, [0, 1, 3, 4]], healthy[:, [0, 1, 3, 4]])
    assert broken[2].isnan().all()


@names
def test_float32_stays_float32(name: str) -> None:
    modifier = MODIFIERS[name](**settings_of(name, torch.float32))
    problem = MLP(data="iris", hidden=(4,), batch_size=8) if name in NEEDS_DATA else TinyNet(dtype=torch.float32)
    trials = trials_of(problem, OPTIMIZERS["sgd"](), range(5), [modifier])
    assert run(trials, 20).dtype == torch.float32
    assert trials.problem.loss(trials.params, trials.oracle.stream.at(20)).dtype == torch.float32


@penalties
def test_a_penalty_is_the_gradient_of_what_it_adds_to_the_loss(name: str) -> None:
    """Central differences of the modified loss."""
    modifier: Any = MODIFIERS[name](**settings_of(name))
    problem = TinyNet()
    seeds = list(range(5))
    params = problem.start(seeds)
    oracle, _ = modifier.wrap(BatchOracle(problem, problem.stream(seeds), 5), (), 0)
    torch.testing.assert_close(oracle(params)[1], slopes(lambda at: oracle(at)[0], params), rtol=1e-6, atol=1e-8)


def slopes(loss: Any, params: torch.Tensor, h: float = 1e-6) -> torch.Tensor:
    """Central differences, one parameter after the other."""
    found = torch.empty_like(params)
    for i in range(params.shape[1]):
        shift = torch.zeros_like(params)
        shift[:, i] = h
        found[:, i] = ((loss(params + shift) - loss(params - shift)) / (2 * h)).detach()
    return found


@pytest.mark.parametrize("name", of_place(ProblemModifier))
@pytest.mark.parametrize("seeds", [[3], [0, 1, 2]])
def test_the_gradient_of_a_changed_problem_is_that_of_its_loss(name: str, seeds: list[int]) -> None:
    problem = changed(PROBLEMS["data"], [MODIFIERS[name](**settings_of(name))])
    params, batch = problem.start(seeds), problem.stream(seeds).at(0)
    loss, grad = problem.loss_and_grad(params, batch)
    torch.testing.assert_close(loss, problem.loss(params, batch).detach(), rtol=1e-12, atol=1e-12)
    assert not loss.requires_grad
    torch.testing.assert_close(grad, slopes(lambda at: problem.loss(at, batch), params), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", [*NEEDS_DATA, *NEEDS_MATRICES])
def test_a_problem_that_does_not_suit_is_refused_with_one_line(name: str) -> None:
    needs = "weight matrices, and Rosenbrock has none" if name in NEEDS_MATRICES else "learns from data, not Rosenbrock"
    with pytest.raises(ValueError, match=rf"^{name} needs a problem (with|that) {needs}$"):
        Trials(Rosenbrock(), OPTIMIZERS["sgd"](), Constant(), [MODIFIERS[name]()], [0, 1], 100)


def test_every_modifier_has_one_of_the_four_places() -> None:
    kinds = (ProblemModifier, OracleModifier, UpdateModifier, TrialsModifier)
    assert sorted(n for kind in kinds for n in of_place(kind)) == sorted(MODIFIERS)


@names
def test_the_yaml_repeats_the_defaults_of_the_code_and_places_itself(name: str) -> None:
    assert_yaml_repeats_the_code("modifier", name, MODIFIERS[name])
    header = (ROOT / "conf" / "modifier" / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert header == f"# @package modifier.{name}"


@names
def test_it_is_documented_and_has_one_name_everywhere(name: str) -> None:
    assert_is_documented("modifier", name, MODIFIERS[name])
