"""The penalty on activations, against a plain module and by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.cnn import CNN
from optbench.problems.mlp import MLP
from optbench.problems.rnn import RNN
from torch import nn

from optbench.interfaces import Problem
from optbench.modifiers.activation_l1 import ActivationL1
from optbench.modifiers.adversarial import Adversarial
from optbench.nn.blocks import HIDDEN
from optbench.optimizers.adam import Adam
from optbench.schedules.constant import Constant
from optbench.trials import Trials

PROBLEMS: dict[str, Any] = {
    "mlp": MLP(hidden=(7, 5), activation="tanh", batch_size=6, dtype=torch.float64),
    "skip": MLP(hidden=(6, 6), skip=True, batch_size=6, dtype=torch.float64),
    "cnn": CNN(batch_size=6, dtype=torch.float64),
}


def noted(outputs: list[torch.Tensor], layer: nn.Module, x: Any, out: torch.Tensor) -> None:
    outputs.append(out)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_it_adds_the_absolute_activations_of_a_plain_module(name: str, seeds: list[int]) -> None:
    problem = PROBLEMS[name]
    params, batch = problem.start(seeds), problem.stream(seeds).at(0)
    loss, grad = ActivationL1(strength=0.3).change(problem).loss_and_grad(params, batch)
    for k in range(len(seeds)):
        module = problem.module().double()
        nn.utils.vector_to_parameters(params[k], module.parameters())
        outputs: list[torch.Tensor] = []
        watch = [m for m in module.modules() if isinstance(m, (nn.ReLU, nn.Tanh))]
        for layer in watch:
            layer.register_forward_hook(partial(noted, outputs))
        theirs = F.cross_entropy(module(batch.x[k]), batch.y[k])
        assert len(outputs) == 2
        theirs = theirs + 0.3 * sum(h.abs().sum() for h in outputs) / 6
        theirs.backward()
        torch.testing.assert_close(loss[k], theirs.detach(), rtol=1e-12, atol=0)
        flat = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
        torch.testing.assert_close(grad[k], flat, rtol=1e-9, atol=1e-12)


def test_a_penalty_worked_by_hand() -> None:
    problem = MLP(data="iris", hidden=(2,), batch_size=2, dtype=torch.float64)
    params = torch.zeros(1, problem.layout.n, dtype=torch.float64)
    problem.layout.split(params)["1.bias"][0] = torch.tensor([1.5, -4.0])  # relu gives 1.5 and 0 for every sample
    batch = problem.stream([0]).at(0)
    added = ActivationL1(strength=0.1).change(problem).loss(params, batch) - problem.loss(params, batch)
    assert added.item() == pytest.approx(0.15, rel=1e-12)


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_the_hidden_vectors_of_a_recurrent_network_are_its_activations(seeds: list[int]) -> None:
    problem = RNN(batch_size=3, width=5, dtype=torch.float64)
    params, batch = problem.start(seeds), problem.stream(seeds).at(0)
    added = ActivationL1(strength=0.1).change(problem).loss(params, batch) - problem.loss(params, batch)
    for k in range(len(seeds)):
        module = problem.module().double()
        nn.utils.vector_to_parameters(params[k], module.parameters())
        hidden = module[:2](batch.x[k])
        assert hidden.shape == (3, 16, 5)
        torch.testing.assert_close(added[k], 0.1 * hidden.abs().sum() / 3, rtol=1e-9, atol=0)


def test_another_that_watches_still_sees_every_layer() -> None:
    problem, names = PROBLEMS["mlp"], []
    batch = problem.stream([0, 1]).at(0)._replace(watch=lambda name, layer, out: names.append((name, out.shape[:2])))
    ActivationL1().change(problem).loss(problem.start([0, 1]), batch)
    assert names == [(str(k), (2, 6)) for k in range(6)]


@pytest.mark.parametrize("seeds", [[3], [0, 1]])
def test_with_adversarial_inputs_the_activations_of_the_inputs_as_they_are_count_once(seeds: list[int]) -> None:
    problem = PROBLEMS["mlp"]
    params, batch = problem.start(seeds), problem.stream(seeds).at(0)

    def loss(of: Problem) -> torch.Tensor:
        return of.loss(params, batch)

    moved = Adversarial(eps=0.2).change(problem)
    together = loss(ActivationL1(strength=0.3).change(moved)) - loss(moved)
    alone = loss(ActivationL1(strength=0.3).change(problem)) - loss(problem)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)


def test_representations_become_sparse() -> None:
    def active(modifiers: list[Any]) -> float:
        problem = MLP(data="wine", hidden=(16,), dtype=torch.float64)
        trials = Trials(problem, Adam(lr=0.01), Constant(), modifiers, [0, 1], 200)
        for step in range(200):
            trials.step(step)
        found: list[torch.Tensor] = []
        problem.outputs_of(
            trials.params,
            problem.train.x,
            watch=lambda name, layer, out: (
                found.append((out > 1e-3).double().mean()) if isinstance(layer, HIDDEN) else None
            ),
        )
        return found[0].item()

    assert active([ActivationL1(strength=0.03)]) < 0.5 * active([])


def test_networks_without_activations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^activation_l1 needs a network with activation layers .* MLP shows none$"):
        ActivationL1().change(MLP(hidden=()))
    with pytest.raises(ValueError, match=r"^ActivationL1: strength must lie in \[0, inf\), got -1$"):
        ActivationL1(strength=-1.0)
