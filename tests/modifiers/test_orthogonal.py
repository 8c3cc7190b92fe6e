"""Orthogonal weights, against scipy's exponential and torch's parametrisation, and after training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from optbench.problems.cnn import CNN
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock
from scipy.linalg import expm
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from optbench.modifiers.orthogonal import Orthogonal, rotation
from optbench.optimizers.adam import Adam
from optbench.schedules.constant import Constant
from optbench.trials import Trials

SHAPES = [(5, 5), (6, 3), (3, 6), (1, 4), (4, 1)]


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_exponential_that_scipy_computes(shape: tuple[int, int]) -> None:
    v, m = drawn(*shape), max(shape)
    square = np.zeros((m, m))
    square[: shape[0], : shape[1]] = v.numpy()
    expected = expm(square - square.T)[: shape[0], : shape[1]]
    assert rotation(v).numpy() == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_columns_or_rows_are_orthonormal(shape: tuple[int, int]) -> None:
    w = rotation(3 * drawn(*shape))
    product = w.T @ w if shape[0] >= shape[1] else w @ w.T
    torch.testing.assert_close(product, torch.eye(min(shape), dtype=torch.float64), rtol=0, atol=1e-12)
    if shape[0] == shape[1]:
        assert torch.linalg.det(w).item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("shape", [(5, 5), (6, 3)])
def test_it_is_the_parametrisation_of_torch_for_a_lower_triangle(shape: tuple[int, int]) -> None:
    layer = orthogonal(
        nn.Linear(shape[1], shape[0], bias=False, dtype=torch.float64), "weight", "matrix_exp", use_trivialization=False
    )
    v = drawn(*shape).tril(-1)
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(v)  # type: ignore[union-attr]
    torch.testing.assert_close(rotation(v), layer.weight.detach(), rtol=1e-12, atol=1e-12)


def test_matrices_stay_orthogonal_while_they_are_trained_and_all_else_is_free() -> None:
    problem = MLP(data="wine", hidden=(13, 8), dtype=torch.float64)
    trials = Trials(problem, Adam(lr=0.02), Constant(), [Orthogonal()], [0, 1], 200)
    start = problem.layout.split(trials.problem.point(trials.params))
    losses = trials.problem.objective(trials.params, 0)
    for step in range(200):
        trials.step(step)
    end = problem.layout.split(trials.problem.point(trials.params))
    for name, w in end.items():
        assert not torch.allclose(w, start[name], atol=1e-2)
        if "weight" in name:
            product = w.mT @ w if w.shape[1] >= w.shape[2] else w @ w.mT
            torch.testing.assert_close(
                product, torch.eye(min(w.shape[1:]), dtype=torch.float64).expand_as(product), rtol=0, atol=1e-12
            )
    assert (trials.problem.objective(trials.params, 200) < 0.5 * losses).all()


def test_the_optimizer_starts_with_the_numbers_that_were_drawn() -> None:
    problem = MLP(data="iris", hidden=(4,), dtype=torch.float64)
    changed = Orthogonal().change(problem)
    assert torch.equal(changed.start([0, 1]), problem.start([0, 1]))
    seen, drawn_w = (
        problem.layout.split(p)["1.weight"][1] for p in (changed.point(problem.start([0, 1])), problem.start([0, 1]))
    )
    assert seen.numpy() == pytest.approx(expm((drawn_w - drawn_w.T).numpy()), abs=1e-13)


def test_kernels_of_convolutions_stay_free() -> None:
    problem = CNN(dtype=torch.float64)
    params = problem.start([0, 1])
    before, after = (problem.layout.split(p) for p in (params, Orthogonal().change(problem).point(params)))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "weight" in name and before[name].ndim == 3}
    assert any(before[name].ndim == 5 for name in before)


def test_problems_without_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^orthogonal needs a problem with weight matrices, and Rosenbrock has none$"):
        Orthogonal().change(Rosenbrock())
