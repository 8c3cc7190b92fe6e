import numpy as np
import pytest
import torch
from optbench.problems.autoencoder import Autoencoder
from torch import nn


def test_loss_is_the_mean_squared_error_of_a_plain_module():
    problem = Autoencoder(dtype=torch.float64)
    params, part = problem.start([0, 3]), problem.splits.validation
    module = problem.module().double()
    nn.utils.vector_to_parameters(params[1], module.parameters())
    expected = nn.functional.mse_loss(module(part.x), part.x.flatten(1)).item()
    assert problem.evaluate(params, 0)["validation_loss"][1].item() == pytest.approx(expected)


def test_the_reference_is_the_mean_variance_of_the_inputs():
    problem = Autoencoder(dtype=torch.float64)
    expected = problem.train.x.flatten(1).numpy().var(axis=0).mean()
    assert problem.reference_loss() == pytest.approx(expected)


def test_a_linear_one_of_eight_numbers_cannot_beat_the_principal_components():
    problem = Autoencoder(hidden=(), code=8, dtype=torch.float64)
    x = problem.train.x.flatten(1)
    mean = x.mean(dim=0)
    values, vectors = np.linalg.eigh(np.cov(x.T.numpy(), bias=True))
    best = torch.tensor(vectors[:, -8:].copy())
    row = torch.cat([best.T.flatten(), -(mean @ best), best.flatten(), mean])  # code, its shift, back, its shift
    found = problem.objective(row[None].expand(2, -1), 0)[0].item()
    assert found == pytest.approx(values[:-8].sum() / 64)


def test_it_has_as_many_parameters_as_stated():
    assert Autoencoder().layout.n == 9416


def test_changed_inputs_leave_the_targets_clean():
    batch = Autoencoder(augment={"noise": 0.5}).stream([0, 1]).at(0)
    assert (batch.x.flatten(2) - batch.y).std().item() == pytest.approx(0.5, rel=0.05)
