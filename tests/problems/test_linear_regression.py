import numpy as np
import pytest
import torch
from optbench.problems.linear_regression import LinearRegression
from sklearn.linear_model import LinearRegression as Reference
from sklearn.linear_model import Ridge


@pytest.mark.parametrize("settings", [{}, {"data": "sparse_regression"}, {"split": 2, "fraction": 0.5}])
def test_the_minimum_is_that_of_scikit_learn(settings):
    problem = LinearRegression(dtype=torch.float64, **settings)
    x, y = problem.train.x.numpy(), problem.train.y.numpy()
    fitted = Reference().fit(x, y)
    assert problem.minimum() == pytest.approx(np.mean((fitted.predict(x) - y) ** 2), rel=1e-10)
    expected = np.concatenate([fitted.coef_.ravel(), fitted.intercept_])
    np.testing.assert_allclose(problem.minimiser().numpy(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("data", ["diabetes", "photograph"])
def test_with_a_penalty_the_minimum_is_that_of_ridge_regression(data):
    problem = LinearRegression(data=data, l2=0.2, dtype=torch.float64)
    x, y = problem.train.x.numpy(), problem.train.y.numpy()
    fitted = Ridge(alpha=0.5 * 0.2 * y.size, solver="cholesky").fit(x, y)
    coefficients = fitted.coef_.reshape(y.shape[1], -1)
    least = np.mean((x @ coefficients.T + fitted.intercept_ - y) ** 2) + 0.1 * np.sum(coefficients**2)
    assert problem.minimum() == pytest.approx(least, rel=1e-12)
    rows = problem.minimiser().expand(2, -1)
    np.testing.assert_allclose(rows[0].numpy(), np.append(coefficients, fitted.intercept_), rtol=1e-9, atol=1e-12)
    assert problem.objective(rows, 0)[0].item() == pytest.approx(least, rel=1e-12)
    assert problem.evaluate(rows, 0)["objective"][1].item() == pytest.approx(least, rel=1e-12)
    assert problem.loss_and_grad(rows, None)[1].abs().max() < 1e-14


def test_without_weights_the_objective_is_the_reference_whatever_the_penalty():
    problem = LinearRegression(l2=3.0, dtype=torch.float64)
    assert problem.objective(torch.zeros(2, 11, dtype=torch.float64), 0)[0].item() == pytest.approx(
        problem.reference_loss()
    )


def test_the_loss_is_the_mean_squared_error():
    problem = LinearRegression(dtype=torch.float64)
    params = problem.start([0, 1])
    x, y = problem.train.x, problem.train.y
    expected = ((x @ params[1, :10] + params[1, 10] - y[:, 0]) ** 2).mean()
    torch.testing.assert_close(problem.loss(params, problem.stream([0, 1]).at(0))[1], expected)


def test_labels_are_refused():
    with pytest.raises(ValueError, match="needs values to predict, and digits has labels"):
        LinearRegression(data="digits").start([0])
