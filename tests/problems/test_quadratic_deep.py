import numpy as np
import pytest
import torch
from optbench.problems.quadratic_deep import QuadraticDeep


def parts():
    problem = QuadraticDeep()
    curvatures, rotation = (t.numpy() for t in problem._curvatures)
    return problem, rotation @ np.diag(curvatures) @ rotation.T, problem.samples.numpy() @ rotation.T


def test_the_spectrum_is_that_of_the_source():
    problem, matrix, samples = parts()
    values = np.linalg.eigvalsh(matrix)
    assert ((values[:90] > 0) & (values[:90] < 1)).all()
    assert ((values[90:] > 30) & (values[90:] < 60)).all()
    assert samples.std() == pytest.approx(0.6, rel=0.02)
    np.testing.assert_allclose(problem._curvatures[1].T @ problem._curvatures[1], np.eye(100), atol=1e-12)


def test_the_objective_is_the_mean_over_all_samples():
    problem, matrix, samples = parts()
    theta = problem.start([0, 1]) * torch.tensor([[1.0], [0.3]])
    away = theta[1].numpy() - samples
    expected = 0.5 * np.einsum("ki,ij,kj->k", away, matrix, away).mean()
    assert problem.objective(theta, 0)[1].item() == pytest.approx(expected, rel=1e-10)


def test_a_minibatch_is_the_mean_over_its_samples():
    problem, matrix, _ = parts()
    batch = problem.stream([0, 1]).at(3)
    samples = batch.x[1].numpy() @ problem._curvatures[1].numpy().T
    away = 1.0 - samples
    expected = 0.5 * np.einsum("ki,ij,kj->k", away, matrix, away).mean()
    assert problem.loss(problem.start([0, 1]), batch)[1].item() == pytest.approx(expected, rel=1e-10)
    assert batch.x.shape == (2, 128, 100)


def test_the_minimum_lies_at_the_mean_of_the_samples():
    problem, _, samples = parts()
    np.testing.assert_allclose(problem.minimiser().numpy(), samples.mean(axis=0), atol=1e-12)
    at = problem.minimiser()[None].expand(2, -1)
    assert problem.objective(at, 0)[0].item() == pytest.approx(problem.minimum(), rel=1e-12)
