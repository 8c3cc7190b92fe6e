"""Dropout and its two kinds of prediction, against every mask of small networks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch
from optbench.problems.mlp import MLP
from optbench.problems.module import Module
from torch import Tensor, nn

import optbench
from optbench.optimizers.sgd import SGD
from optbench.schedules.constant import Constant
from optbench.trials import Trials

HIDDEN = 4


def masks(units: int, dropped: float) -> Iterator[tuple[float, Tensor]]:
    """Every mask of so many units with its probability, scaled as in training."""
    for kept in product([0.0, 1.0], repeat=units):
        chance = dropped ** kept.count(0.0) * (1 - dropped) ** kept.count(1.0)
        yield chance, torch.tensor(kept, dtype=torch.float64) / (1 - dropped)


def linear(inputs: int, outputs: int) -> nn.Module:
    """One hidden layer without an activation."""
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.Dropout(0.3), nn.Linear(HIDDEN, outputs))


def test_in_a_linear_network_mean_field_is_the_mean_over_all_masks() -> None:
    problem = Module(network_class=f"{__name__}.linear", data="diabetes", dtype=torch.float64)
    params, x = problem.start([0, 1]), problem.train.x[:7]
    found = problem.predicted(params, x)
    w1, b1, w2, b2 = problem.layout.split(params).values()
    for k in range(2):
        hidden = x @ w1[k].T + b1[k]
        mean = sum(chance * ((hidden * mask) @ w2[k].T + b2[k]) for chance, mask in masks(HIDDEN, 0.3))
        torch.testing.assert_close(found[k], mean, rtol=1e-12, atol=1e-14)


def exact(problem: MLP, params: Tensor, x: Tensor) -> Tensor:
    """Mean probabilities over all masks of inputs and hidden units, [trials, samples, classes]."""
    w1, b1, w2, b2 = (value[:, None] if value.ndim == 2 else value for value in problem.layout.split(params).values())
    total = torch.zeros(len(params), len(x), problem.outputs, dtype=torch.float64)
    for first, outer in masks(x.shape[1], problem.input_dropout):
        hidden = torch.tanh((x * outer) @ w1.mT + b1)
        for second, inner in masks(HIDDEN, problem.hidden_dropout):
            total += first * second * ((hidden * inner) @ w2.mT + b2).softmax(dim=-1)
    return total


def test_monte_carlo_comes_to_the_mean_over_all_masks_and_mean_field_does_not() -> None:
    settings = {"data": "iris", "hidden": (HIDDEN,), "activation": "tanh", "input_dropout": 0.2, "hidden_dropout": 0.5}
    problem = MLP(predictions=2000, dtype=torch.float64, **settings)  # type: ignore[arg-type]
    params, x = 4 * problem.start([0, 1]), problem.train.x[:6]
    truth = exact(problem, params, x)
    assert truth.sum(dim=2) == pytest.approx(torch.ones(2, 6, dtype=torch.float64), rel=1e-12)
    errors = {}
    for count in (20, 2000):
        sampled = MLP(predictions=count, dtype=torch.float64, **settings)  # type: ignore[arg-type]
        errors[count] = (sampled.predicted(params, x).exp() - truth).abs().max().item()
    assert errors[2000] < 5 * 0.5 / 2000**0.5  # a probability has a deviation of at most a half
    assert errors[2000] < 0.5 * errors[20]
    mean_field = MLP(dtype=torch.float64, **settings).predicted(params, x).softmax(dim=-1)  # type: ignore[arg-type]
    assert (mean_field - truth).abs().max() > 3 * errors[2000]


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_predictions_do_not_depend_on_the_company_of_a_trial(data: str) -> None:
    problem = MLP(data=data, hidden_dropout=0.5, predictions=5)
    params = problem.start([0, 1, 2, 3])
    assert torch.equal(
        problem.predicted(params, problem.train.x)[[2, 0]], problem.predicted(params[[2, 0]], problem.train.x)
    )


def test_training_drops_by_the_trials_own_masks_at_the_rates_asked_for() -> None:
    problem = MLP(data="wine", hidden=(50,), hidden_dropout=0.3, input_dropout=0.1, dtype=torch.float64)
    shares: dict[str, list[Tensor]] = {}

    def watch(name: str, layer: nn.Module, out: Tensor) -> None:
        if isinstance(layer, nn.Dropout):
            shares.setdefault(name, []).append((out == 0).double().mean(dim=(1, 2)))

    params = torch.full((2, problem.layout.n), 0.01, dtype=torch.float64)
    problem.layout.split(params)["2.bias"].fill_(1.0)  # no hidden unit is zero by itself
    stream = problem.stream([0, 1])
    for step in range(20):
        problem.loss(params, stream.at(step)._replace(watch=watch))
    inputs, hidden = (torch.stack(found) for found in shares.values())
    assert inputs.mean().item() == pytest.approx(0.1, abs=5 * (0.09 / (20 * 2 * 64 * 13)) ** 0.5)
    assert hidden.mean().item() == pytest.approx(0.3, abs=5 * (0.21 / (20 * 2 * 64 * 50)) ** 0.5)
    assert not torch.equal(hidden[:, 0], hidden[:, 1])


def test_it_works_from_end_to_end(tmp_path: Path) -> None:
    words = ["problem=mlp", "problem.data=iris", "problem.hidden_dropout=0.5", "problem.input_dropout=0.2"]
    losses = []
    for predictions in (0, 8):
        found = optbench.run(
            *words, f"problem.predictions={predictions}", steps=20, seeds=2, results=str(tmp_path / str(predictions))
        ).trials
        assert list(found["status"]) == ["ok", "ok"]
        losses.append(found["final_loss"].to_numpy())
    assert (losses[0] != losses[1]).all()


def test_dropout_makes_hidden_units_useful_alone() -> None:
    """A network trained with dropout loses less when half of its units are taken away."""

    def harm(dropped: float) -> float:
        problem = MLP(data="wine", hidden=(32,), hidden_dropout=dropped, dtype=torch.float64)
        trials = Trials(problem, SGD(lr=0.3), Constant(), [], [0, 1, 2, 3], 300)
        for step in range(300):
            trials.step(step)
        thinned = MLP(data="wine", hidden=(32,), hidden_dropout=0.5, predictions=1, dtype=torch.float64)
        intact = MLP(data="wine", hidden=(32,), dtype=torch.float64)
        return (thinned.objective(trials.params, 0) - intact.objective(trials.params, 0)).mean().item()

    assert harm(0.5) < 0.7 * harm(0.0)
