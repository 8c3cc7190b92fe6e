import numpy as np
import pytest
import torch
from optbench.problems.deep_linear import DeepLinear


def test_the_minimum_is_that_of_least_squares():
    problem = DeepLinear(dtype=torch.float64)
    x, y = problem.train.x.numpy(), problem.train.y.numpy()
    residual = np.linalg.lstsq(x, y, rcond=None)[1]
    assert problem.minimum() == pytest.approx(residual.sum() / y.size, rel=1e-10)


def test_outputs_are_the_product_of_the_matrices():
    problem = DeepLinear(hidden=(7, 5), dtype=torch.float64)
    params, x = problem.start([0, 1]), problem.train.x[:4]
    first, second, third = (value[1] for value in problem.layout.split(params).values())
    torch.testing.assert_close(problem.outputs_of(params, x)[1], x @ (third @ second @ first).T)


def test_the_origin_is_stationary_and_no_minimum():
    problem = DeepLinear(dtype=torch.float64)
    origin = torch.zeros(2, problem.layout.n, dtype=torch.float64)
    loss, grad = problem.loss_and_grad(origin, None)
    assert grad.abs().max() == 0
    assert loss[0].item() == pytest.approx(problem.reference_loss())
    assert loss[0] > problem.minimum()


def test_labels_are_refused():
    with pytest.raises(ValueError, match="needs values to predict"):
        DeepLinear(data="digits").start([0])
