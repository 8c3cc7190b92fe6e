"""What the tests of the problems share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """The tensors here are small, and more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def hessian():
    """(problem, point) → Hessian of the noise-free objective there, by differentiating twice."""

    def at(problem, point):
        point = torch.as_tensor(point, dtype=torch.float64)
        return torch.autograd.functional.hessian(lambda x: problem.loss(x[None].expand(2, -1), None)[0], point)

    return at
