import numpy as np
import pytest
import torch
from optbench.problems.logistic_regression import LogisticRegression
from scipy.optimize import linprog, minimize
from sklearn.linear_model import LogisticRegression as Reference
from sklearn.metrics import log_loss

from optbench.data import DATASETS
from optbench.data.splits import split


def parts():
    return split(DATASETS["breast_cancer"](), 0, torch.float64, torch.device("cpu"))


def reference_value(p: np.ndarray, l2: float) -> tuple[float, np.ndarray]:
    x, s = parts().train.x.numpy(), 2.0 * parts().train.y.numpy() - 1
    margin = s * (x @ p[:30] + p[30])
    value = np.logaddexp(0, -margin).mean() + 0.5 * l2 * p[:30] @ p[:30]
    pull = -s * np.exp(-np.logaddexp(0, margin)) / len(s)
    return value, np.append(x.T @ pull + l2 * p[:30], pull.sum())


def test_value_and_gradient_equal_a_formula_in_numpy():
    problem = LogisticRegression(dtype=torch.float64)
    params = problem.start(range(3))
    for row, value, slope in zip(params, *problem.loss_and_grad(params, None), strict=True):
        expected, expected_slope = reference_value(row.numpy(), 1e-3)
        assert value.item() == pytest.approx(expected, rel=1e-13)
        np.testing.assert_allclose(slope.numpy(), expected_slope, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("l2", [1e-3, 1e-1])
def test_the_minimum_is_that_of_scipy_to_1e_12(l2):
    found = minimize(reference_value, np.zeros(31), args=(l2,), jac=True, method="BFGS", options={"gtol": 1e-9})
    assert LogisticRegression(l2=l2, dtype=torch.float64).minimum() == pytest.approx(found.fun, abs=1e-12)


def test_the_minimiser_is_that_of_scikit_learn():
    train = parts().train
    reference = Reference(C=1 / (1e-3 * len(train)), tol=1e-10, solver="newton-cholesky", max_iter=1000)
    reference.fit(train.x.numpy(), train.y.numpy())
    ours = LogisticRegression(dtype=torch.float64).minimiser().numpy()
    np.testing.assert_allclose(ours, np.append(reference.coef_, reference.intercept_), atol=1e-6)


@pytest.mark.parametrize("data", ["moons", "circles", "xor", "parity"])
def test_with_other_data_the_minimum_is_that_of_scikit_learn(data):
    problem = LogisticRegression(data=data, l2=0.01, dtype=torch.float64)
    train = split(DATASETS[data](), 0, torch.float64, torch.device("cpu")).train
    x, y = train.x.numpy(), train.y.numpy()
    reference = Reference(C=100 / len(train), tol=1e-12, solver="newton-cholesky", max_iter=1000).fit(x, y)
    np.testing.assert_allclose(problem.minimiser(), np.append(reference.coef_, reference.intercept_), atol=1e-8)
    least = log_loss(y, reference.predict_proba(x)) + 0.005 * np.sum(reference.coef_**2)
    assert problem.minimum() == pytest.approx(least, abs=1e-12)
    assert problem.layout.n == x.shape[1] + 1


def test_images_of_two_classes_are_read_as_rows_of_numbers():
    problem = LogisticRegression(data="patches", dtype=torch.float64)
    params = problem.start([0, 1])
    train = split(DATASETS["patches"](), 0, torch.float64, torch.device("cpu")).train
    z = train.x.numpy().reshape(len(train), -1) @ params[1, :-1].numpy() + params[1, -1].item()
    probability = 1 / (1 + np.exp(-z))
    expected = log_loss(train.y.numpy(), probability) + 0.0005 * params[1, :-1].square().sum().item()
    assert problem.loss(params, None)[1].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("data", "kind"),
    [("digits", "10 classes"), ("diabetes", "values"), ("xor_sequence", "tokens"), ("copying", "tokens")],
)
def test_data_without_two_classes_are_refused(data, kind):
    with pytest.raises(ValueError, match=f"needs numbers of two classes, and {data} has {kind}$"):
        LogisticRegression(data=data).start([0])


def test_accuracies_are_those_of_scikit_learn():
    problem = LogisticRegression(dtype=torch.float64)
    solution = problem.minimiser()
    rows = solution.expand(2, -1)
    reference = Reference().fit(parts().train.x.numpy(), parts().train.y.numpy())
    reference.coef_, reference.intercept_ = solution[None, :30].numpy(), solution[30:].numpy()
    expected = reference.score(parts().test.x.numpy(), parts().test.y.numpy())
    assert problem.test(rows)["test_accuracy"][0].item() == pytest.approx(expected, abs=1e-12)
    expected = reference.score(parts().validation.x.numpy(), parts().validation.y.numpy())
    assert problem.evaluate(rows, 0)["validation_accuracy"][0].item() == pytest.approx(expected, abs=1e-12)
    assert expected > 0.94


def test_without_the_l2_term_the_classes_could_be_separated():
    x, s = parts().train.x.numpy(), 2.0 * parts().train.y.numpy() - 1
    rows = -s[:, None] * np.hstack([x, np.ones((len(x), 1))])
    separation = linprog(np.zeros(31), A_ub=rows, b_ub=-np.ones(len(x)), bounds=(None, None))
    assert separation.status == 0  # a plane exists with every margin at least 1


def test_the_minibatch_losses_of_an_epoch_average_to_the_objective():
    problem = LogisticRegression(batch_size=31, dtype=torch.float64)  # 341 samples are 11 batches of 31
    params, stream = problem.start([0, 1]), problem.stream([0, 1])
    losses = torch.stack([problem.loss(params, stream.at(step)) for step in range(11)])
    torch.testing.assert_close(losses.mean(dim=0), problem.evaluate(params, 0)["objective"], rtol=1e-12, atol=0)


def test_a_batch_larger_than_the_data_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"batch_size must lie in \[1, 341\], the number of training samples, got 342"):
        LogisticRegression(batch_size=342).stream([0])


def test_a_batch_of_a_fractional_size_is_refused():
    with pytest.raises(TypeError, match="batch_size must be a whole number"):
        LogisticRegression(batch_size=2.5)
