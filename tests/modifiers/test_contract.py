"""What every modifier of the table must do, with every optimizer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import ROOT, Loop, TinyNet, assert_is_documented, assert_yaml_repeats_the_code, of_trial, varied
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import OracleModifier, select
from optbench.modifiers import MODIFIERS
from optbench.optimizers import OPTIMIZERS
from optbench.oracle import BatchOracle

names = pytest.mark.parametrize("name", MODIFIERS)
on_oracle = pytest.mark.parametrize("name", [n for n, m in MODIFIERS.items() if issubclass(m, OracleModifier)])
penalties = pytest.mark.parametrize("name", [n for n, m in MODIFIERS.items() if m.place == "objective"])
problems = pytest.mark.parametrize("problem", [Rosenbrock(n=3), TinyNet()], ids=["rosenbrock", "network"])
STRONG = {"strength": 0.3}


def settings_of(name: str, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Settings that differ between five trials, strong enough to be felt."""
    return varied(MODIFIERS[name], 5, dtype, **STRONG)


@names
@problems
def test_a_batch_of_trials_equals_the_trials_one_by_one(name: str, problem: Any) -> None:
    settings, momentum = settings_of(name), OPTIMIZERS["momentum"](lr=1e-3)
    together = Loop(problem, momentum, range(5), modifiers=[MODIFIERS[name](**settings)]).run(20)
    for trial in range(5):
        modifier = MODIFIERS[name](**of_trial(settings, trial))
        alone = Loop(problem, momentum, [trial], modifiers=[modifier]).run(20)
        torch.testing.assert_close(together[:, trial], alone[:, 0], rtol=1e-10, atol=1e-10)


@names
def test_it_does_something(name: str) -> None:
    momentum = OPTIMIZERS["momentum"](lr=1e-3)
    with_it = Loop(Rosenbrock(), momentum, [0, 1], modifiers=[MODIFIERS[name](**of_trial(settings_of(name), 0))]).run(
        10
    )
    assert not torch.allclose(with_it, Loop(Rosenbrock(), momentum, [0, 1]).run(10), rtol=1e-6)


@names
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "from_torch"])
def test_a_trial_does_not_depend_on_its_company(name: str, optimizer: str) -> None:
    """Also with methods that ask for some rows alone, and when trials leave."""
    more = {"cls": torch.optim.LBFGS, "settings": {"max_iter": 2}} if optimizer == "from_torch" else {}
    rule, problem = OPTIMIZERS[optimizer](**more), TinyNet()
    everyone = Loop(problem, rule, range(5), modifiers=[MODIFIERS[name](**settings_of(name))]).run(15)
    few = [select(MODIFIERS[name](**settings_of(name)), torch.tensor([3, 1]))]
    assert torch.equal(Loop(problem, rule, [3, 1], modifiers=few).run(15), everyone[:, [3, 1]])
    leaving = Loop(problem, rule, range(5), modifiers=[MODIFIERS[name](**settings_of(name))])
    leaving.run(6)
    leaving.keep([4, 0])
    assert torch.equal(leaving.run(9), everyone[6:, [4, 0]])


@on_oracle
def test_some_rows_are_answered_as_they_are_among_all(name: str) -> None:
    modifier, problem = MODIFIERS[name](**settings_of(name)), Rosenbrock(n=4)
    seeds = list(range(5))
    params, inner = problem.start(seeds), BatchOracle(problem, problem.stream(seeds), 5)
    oracle, _ = modifier.wrap(inner, modifier.init(params, problem.layout, seeds), 0)
    loss, grad = oracle(params)
    for rows in ([2], [4, 1]):
        some_loss, some_grad = oracle(params[rows], torch.tensor(rows))
        assert torch.equal(some_loss, loss[rows])
        assert torch.equal(some_grad, grad[rows])


@names
def test_a_trial_that_turns_nan_leaves_the_others_as_they_are(name: str) -> None:
    def path(ill: bool) -> torch.Tensor:
        run = Loop(TinyNet(), OPTIMIZERS["sgd"](lr=0.01), range(5), modifiers=[MODIFIERS[name](**settings_of(name))])
        run.run(3)
        run.params = run.params.clone()
        run.params[2] = torch.nan if ill else run.params[2]
        return run.run(10)

    assert torch.equal(path(True)[:, [0, 1, 3, 4]], path(False)[:, [0, 1, 3, 4]])
    assert path(True)[-1, 2].isnan().all()


@names
def test_float32_stays_float32(name: str) -> None:
    modifier = MODIFIERS[name](**settings_of(name, torch.float32))
    problem = TinyNet(dtype=torch.float32)
    assert Loop(problem, OPTIMIZERS["sgd"](), range(5), modifiers=[modifier]).run(2).dtype == torch.float32


@penalties
def test_a_penalty_is_the_gradient_of_what_it_adds_to_the_loss(name: str) -> None:
    """Central differences of the modified loss."""
    modifier, problem = MODIFIERS[name](**settings_of(name)), TinyNet()
    seeds, h = list(range(5)), 1e-6
    params = problem.start(seeds)
    inner = BatchOracle(problem, problem.stream(seeds), 5)
    oracle, _ = modifier.wrap(inner, (), 0)
    _, grad = oracle(params)
    for i in range(problem.layout.n):
        shift = torch.zeros_like(params)
        shift[:, i] = h
        slope = (oracle(params + shift)[0] - oracle(params - shift)[0]) / (2 * h)
        torch.testing.assert_close(grad[:, i], slope, rtol=1e-6, atol=1e-8)


@names
def test_the_yaml_repeats_the_defaults_of_the_code_and_places_itself(name: str) -> None:
    assert_yaml_repeats_the_code("modifier", name, MODIFIERS[name])
    header = (ROOT / "conf" / "modifier" / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert header == f"# @package modifier.{name}"


@names
def test_it_is_documented_and_has_one_name_everywhere(name: str) -> None:
    assert_is_documented("modifier", name, MODIFIERS[name])
