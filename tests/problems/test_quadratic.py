import pytest
import torch
from optbench.problems.quadratic import Quadratic


@pytest.mark.parametrize(
    ("spectrum", "expected"),
    [
        ("log", [0.01, 0.1, 1.0]),
        ("linear", [0.01, 0.505, 1.0]),
        ("two_clusters", [0.01, 1.0, 1.0]),
    ],
)
@pytest.mark.parametrize("rotation", [True, False])
def test_the_hessian_has_the_stated_eigenvalues(spectrum, expected, rotation, hessian):
    matrix = hessian(Quadratic(n=3, spectrum=spectrum, rotation=rotation), torch.zeros(3))
    assert torch.linalg.eigvalsh(matrix).tolist() == pytest.approx(expected, rel=1e-12)
    off_diagonal = (matrix - matrix.diagonal().diag()).abs().max().item()
    assert (off_diagonal > 0.01) is rotation
    assert rotation or off_diagonal == 0


def test_the_rotation_is_a_function_of_the_draw_alone(hessian):
    first, again, other = (hessian(Quadratic(n=5, draw=draw), torch.zeros(5)) for draw in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.01


def test_rotations_are_uniformly_distributed(hessian):
    quadratics = [Quadratic(n=2, condition=1e6, spectrum="linear", draw=draw) for draw in range(300)]
    stiff = torch.stack([torch.linalg.eigh(hessian(q, torch.zeros(2))).eigenvectors[:, 1] for q in quadratics])
    angle = torch.atan2(stiff[:, 1], stiff[:, 0]).remainder(torch.pi)
    assert torch.histc(angle, 3, 0, torch.pi).tolist() == pytest.approx([100] * 3, abs=30)


def test_the_value_is_that_of_the_matrix_form(hessian):
    problem = Quadratic(n=6, spectrum="linear")
    x = problem.start([4])[0]
    expected = 0.5 * (x - 1) @ hessian(problem, torch.zeros(6)) @ (x - 1)
    assert problem.loss(x[None], None).item() == pytest.approx(expected.item(), rel=1e-12)


def test_gradient_descent_contracts_by_the_textbook_factor():
    problem = Quadratic(n=4, condition=10, rotation=False)
    x = problem.start([0, 1])
    rate = 2 / (1 + 0.1)
    for _ in range(60):
        x, before = x - rate * problem.loss_and_grad(x, None)[1], x
    ratio = (x - 1).norm(dim=1) / (before - 1).norm(dim=1)
    assert ratio.tolist() == pytest.approx([9 / 11] * 2, rel=1e-4)


def test_gradient_noise_has_mean_zero_and_the_stated_deviation():
    problem = Quadratic(n=10, noise=0.5)
    seeds = range(400)
    x, stream = problem.start(seeds), problem.stream(seeds)
    clean = problem.loss_and_grad(x, None)[1]
    noise = torch.stack([problem.loss_and_grad(x, stream.at(step))[1] - clean for step in range(5)])
    assert noise.mean().abs() < 0.02
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    assert not torch.equal(noise[0], noise[1])


def test_noise_leaves_the_value_at_the_minimum_alone():
    problem = Quadratic(n=3, noise=2.0)
    assert problem.loss(problem.minimiser().expand(4, -1), problem.stream(range(4)).at(0)).tolist() == [0.0] * 4


def test_noise_lets_gradient_descent_stall_at_the_stated_floor():
    problem = Quadratic(n=5, condition=4, noise=1.0)
    seeds, rate = range(500), 0.05
    x, stream = problem.start(seeds), problem.stream(seeds)
    floors = []
    for step in range(600):
        x = x - rate * problem.loss_and_grad(x, stream.at(step))[1]
        if step >= 400:
            floors.append(problem.loss(x, None).mean().item())
    assert sum(floors) / len(floors) == pytest.approx(0.25 * rate * 1.0**2 * 5, rel=0.05)


def test_an_unknown_spectrum_is_refused_with_the_near_ones():
    with pytest.raises(ValueError, match=r"spectrum must be one of log, linear, two_clusters, got 'lin'"):
        Quadratic(spectrum="lin")
