import numpy as np
import pytest
import torch
from scipy.special import erf, erfinv

from optbench.data.regression import sparse_regression, teacher_student


def test_the_sparse_rule_has_so_many_weights_of_one():
    data = sparse_regression(noise=0.0)
    weights, *_ = np.linalg.lstsq(data.x.numpy(), data.y[:, 0].numpy(), rcond=None)
    assert (np.abs(weights) > 0.5).sum() == 10
    assert np.sort(np.abs(weights)) == pytest.approx([0.0] * 90 + [1.0] * 10, abs=1e-12)
    assert set(np.sign(weights[np.abs(weights) > 0.5])) == {-1.0, 1.0}


def test_what_is_left_of_the_sparse_rule_is_noise():
    data = sparse_regression(samples=4000)
    x, y = data.x.numpy(), data.y[:, 0].numpy()
    weights, *_ = np.linalg.lstsq(x, y, rcond=None)
    assert (y - x @ np.round(weights)).std() == pytest.approx(0.5, rel=0.05)
    assert np.cov(x.T) == pytest.approx(np.eye(100), abs=0.1)


def test_more_relevant_inputs_than_there_are_are_refused():
    with pytest.raises(ValueError, match=r"relevant must lie in \[0, 5\], got 6"):
        sparse_regression(inputs=5, relevant=6)


def test_one_hidden_unit_teaches_an_error_function_of_one_projection():
    data = teacher_student(inputs=5, hidden=1, noise=0.0)
    x, y = data.x.numpy(), data.y[:, 0].numpy()
    inner = np.abs(y) < 0.99
    weights, *_ = np.linalg.lstsq(x[inner], np.sqrt(2) * erfinv(y[inner]), rcond=None)
    assert erf(x @ weights / np.sqrt(2)) == pytest.approx(y, abs=1e-9)


def test_the_noise_of_the_teacher_has_the_stated_deviation():
    clean, noisy = teacher_student(noise=0.0), teacher_student()
    assert torch.equal(clean.x, noisy.x)
    assert (noisy.y - clean.y).std().item() == pytest.approx(0.1, rel=0.08)


def test_teachers_values_have_the_size_of_one_unit():
    # E erf(z/√2)² = (2/π) asin(q/(1 + q)) for z ~ N(0, q) (Saad & Solla); here q = |w|² ≈ 1
    data = teacher_student(inputs=400, hidden=8, noise=0.0)
    assert (data.y**2).mean().item() == pytest.approx(2 / np.pi * np.arcsin(1 / 2), rel=0.15)


@pytest.mark.parametrize("make", [teacher_student, sparse_regression])
def test_values_have_one_column_and_are_left_unscaled(make):
    data = make(seed=3)
    assert data.task == "values"
    assert data.y.shape == (len(data), 1)
    assert not data.scale_inputs
    assert not data.scale_targets
    assert not torch.equal(data.x, make(seed=4).x)
