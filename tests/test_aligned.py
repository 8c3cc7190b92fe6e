"""Aligned products and inverses are those of torch, and have the same bits in any company."""

from __future__ import annotations

import pytest
import torch

from optbench.aligned import eigen, inverse, orthonormal, product, solved, square

SIZES = [(1, 1, 1), (3, 65, 7), (16, 32, 48), (17, 5, 33)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", SIZES)
def test_products_are_those_of_torch_and_do_not_depend_on_the_other_trials(
    sizes: tuple[int, int, int], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    a, b = torch.randn(5, sizes[0], sizes[1], dtype=dtype), torch.randn(5, sizes[1], sizes[2], dtype=dtype)
    torch.testing.assert_close(product(a, b), a @ b)
    torch.testing.assert_close(square(a), a.transpose(1, 2) @ a)
    for rows in ([3, 1], [4, 0, 2]):
        assert torch.equal(product(a[rows], b[rows]), product(a, b)[rows])
        assert torch.equal(square(a[rows]), square(a)[rows])


@pytest.mark.parametrize("n", [1, 7, 16, 33])
def test_an_inverse_is_that_of_the_damped_matrix(n: int) -> None:
    torch.manual_seed(0)
    a = torch.randn(4, 2 * n, n, dtype=torch.float64)
    matrix, damping = a.transpose(1, 2) @ a, torch.tensor([[0.0], [0.1], [1.0], [10.0]], dtype=torch.float64)
    kept = matrix.clone()
    found = inverse(matrix, damping)
    expected = torch.linalg.inv(matrix + damping[:, :, None] * torch.eye(n, dtype=torch.float64))
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    assert torch.equal(matrix, kept)
    assert torch.equal(inverse(matrix[[2, 0]], damping[[2, 0]]), found[[2, 0]])


def test_a_matrix_without_an_inverse_is_nan_and_leaves_the_others_as_they_are() -> None:
    eye = torch.eye(3, dtype=torch.float64)
    found = inverse(torch.stack([eye, -eye, eye * torch.nan, 4 * eye]), torch.zeros(4, 1, dtype=torch.float64))
    assert torch.equal(found[[0, 3]], torch.stack([eye, eye / 4]))
    assert found[1:3].isnan().all()


@pytest.mark.parametrize("n", [3, 13, 16, 65])
def test_factors_are_those_of_torch_and_do_not_depend_on_the_other_trials(n: int) -> None:
    torch.manual_seed(0)
    a, b = torch.randn(5, n, n, dtype=torch.float64), torch.randn(5, n, 7, dtype=torch.float64)
    symmetric, triangle = a + a.mT, a.tril() + 2 * n * torch.eye(n, dtype=torch.float64)
    values, columns = eigen(symmetric)
    torch.testing.assert_close(values, torch.linalg.eigvalsh(symmetric))
    torch.testing.assert_close(symmetric @ columns, columns * values[:, None])
    q = orthonormal(a)
    torch.testing.assert_close(q.mT @ q, torch.eye(n, dtype=torch.float64).expand_as(a))
    torch.testing.assert_close((q.mT @ a).tril(-1), torch.zeros_like(a))
    torch.testing.assert_close(triangle @ solved(triangle, b, upper=False), b)
    torch.testing.assert_close(solved(triangle, b.mT, upper=False, left=False) @ triangle, b.mT)
    for rows in ([3, 1], [4, 0, 2]):
        assert torch.equal(eigen(symmetric[rows])[1], columns[rows])
        assert torch.equal(orthonormal(a[rows]), q[rows])
        assert torch.equal(solved(triangle[rows], b[rows], upper=False), solved(triangle, b, upper=False)[rows])


def test_a_matrix_that_is_not_finite_has_no_eigenvalues_and_leaves_the_others_theirs() -> None:
    eye = torch.eye(3, dtype=torch.float64)
    values, _ = eigen(torch.stack([eye, eye * torch.nan, 4 * eye]))
    torch.testing.assert_close(values[[0, 2]], torch.tensor([[1.0] * 3, [4.0] * 3], dtype=torch.float64))
    assert values[1].isnan().all()
