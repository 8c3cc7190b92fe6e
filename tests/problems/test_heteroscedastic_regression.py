import pytest
import torch
from optbench.problems.heteroscedastic_regression import HeteroscedasticRegression
from torch import nn


def test_the_loss_is_that_of_torch():
    problem = HeteroscedasticRegression(dtype=torch.float64)
    mean, log_variance, y = (torch.randn(1, 20, 1, dtype=torch.float64) for _ in range(3))
    expected = nn.GaussianNLLLoss(eps=1e-300)(mean, y, log_variance.exp())
    torch.testing.assert_close(problem.criterion((mean, log_variance), y)[0], expected)


def test_the_reference_is_the_best_constant():
    problem = HeteroscedasticRegression(dtype=torch.float64)
    y = problem.train.y[None]
    constants = torch.tensor([y.mean(), y.var(correction=0).log()], dtype=torch.float64, requires_grad=True)
    loss = problem.criterion((constants[0].expand_as(y), constants[1].expand_as(y)), y)
    assert loss.item() == pytest.approx(problem.reference_loss())
    assert torch.autograd.grad(loss, constants)[0].abs().max() < 1e-12


def test_mean_and_variance_come_from_networks_of_their_own():
    problem = HeteroscedasticRegression(dtype=torch.float64)
    assert problem.layout.n == 770
    params = problem.start([0]).requires_grad_()
    mean, _ = problem.network(params, problem.train.x[None, :5])
    (slope,) = torch.autograd.grad(mean.sum(), params)
    assert (slope != 0).sum() <= 385


def test_labels_are_refused():
    with pytest.raises(ValueError, match="needs values to predict, and wine has labels"):
        HeteroscedasticRegression(data="wine").start([0])
