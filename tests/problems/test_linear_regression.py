import numpy as np
import pytest
import torch
from optbench.problems.linear_regression import LinearRegression
from sklearn.linear_model import LinearRegression as Reference


@pytest.mark.parametrize("settings", [{}, {"data": "sparse_regression"}, {"split": 2, "fraction": 0.5}])
def test_the_minimum_is_that_of_scikit_learn(settings):
    problem = LinearRegression(dtype=torch.float64, **settings)
    x, y = problem.train.x.numpy(), problem.train.y.numpy()
    fitted = Reference().fit(x, y)
    assert problem.minimum() == pytest.approx(np.mean((fitted.predict(x) - y) ** 2), rel=1e-10)
    expected = np.concatenate([fitted.coef_.ravel(), fitted.intercept_])
    np.testing.assert_allclose(problem.minimiser().numpy(), expected, rtol=1e-6, atol=1e-8)


def test_the_loss_is_the_mean_squared_error():
    problem = LinearRegression(dtype=torch.float64)
    params = problem.start([0, 1])
    x, y = problem.train.x, problem.train.y
    expected = ((x @ params[1, :10] + params[1, 10] - y[:, 0]) ** 2).mean()
    torch.testing.assert_close(problem.loss(params, problem.stream([0, 1]).at(0))[1], expected)


def test_labels_are_refused():
    with pytest.raises(ValueError, match="needs values to predict, and digits has labels"):
        LinearRegression(data="digits").start([0])
