"""The networks of DeepOBS: layer by layer as its source has them."""

import pytest
import torch
from optbench.problems.cifar10_3c3d import Cifar103c3d
from optbench.problems.digits_2c2d import Digits2c2d
from optbench.problems.digits_vae import DigitsVAE
from optbench.problems.fmnist_2c2d import Fmnist2c2d
from optbench.problems.mnist_vae import MnistVAE
from optbench.problems.patches_3c3d import Patches3c3d

from optbench.data import Dataset
from optbench.nn.forward import Pass


def grey() -> Dataset:
    """Images in the format of MNIST and Fashion-MNIST."""
    x = (torch.arange(60 * 784, dtype=torch.float64) ** 2 % 251).view(60, 1, 28, 28)
    return Dataset("grey", 1, x, torch.arange(60) % 10, 10, image=True)


def colour() -> Dataset:
    """Images in the format of CIFAR-10."""
    x = (torch.arange(60 * 3072, dtype=torch.float64) ** 2 % 253).view(60, 3, 32, 32)
    return Dataset("colour", 1, x, torch.arange(60) % 10, 10, image=True)


def little_grey() -> Dataset:
    """Small grey images, on which networks are quick."""
    return Dataset(
        "little_grey", 1, grey().x[:, :, ::4, ::4][:, :, 1:, :].repeat(1, 1, 2, 2)[:, :, :8, :8], grey().y, 10, True
    )


def little_colour() -> Dataset:
    """Small images in colour, on which networks are quick."""
    return Dataset("little_colour", 1, colour().x[:, :, ::2, ::2], colour().y, 10, image=True)


def shapes(problem) -> list[tuple[int, ...]]:
    return [shape for shape in problem.layout.shapes if len(shape) > 1]


def test_2c2d_has_the_layers_of_the_source():
    problem = Fmnist2c2d(data=f"{__name__}.grey", batch_size=4)
    assert shapes(problem) == [(32, 1, 5, 5), (64, 32, 5, 5), (1024, 3136), (10, 1024)]
    assert problem.layout.n == 3_274_634
    assert Digits2c2d().layout.n == 325_514


def test_3c3d_has_the_layers_of_the_source():
    problem = Cifar103c3d(data=f"{__name__}.colour", batch_size=4)
    kernels = [(64, 3, 5, 5), (96, 64, 3, 3), (128, 96, 3, 3)]
    assert shapes(problem) == [*kernels, (512, 3 * 3 * 128), (256, 512), (10, 256)]
    assert problem.layout.n == 895_210
    assert Patches3c3d().layout.n == 893_154


def test_3c3d_pools_as_tensorflow_does():
    problem = Patches3c3d(dtype=torch.float64)
    sizes = []
    run = Pass(
        watch=lambda name, layer, out: sizes.append(out.shape[-1]) if isinstance(layer, torch.nn.MaxPool2d) else None
    )
    problem.network(problem.start([0]), problem.train.x[None, :2], run)
    assert sizes == [14, 6, 3]  # of 28, 12 and 6 places


def test_the_penalty_of_3c3d_is_on_weights_alone_and_no_part_of_the_objective():
    problem, plain = (Patches3c3d(batch_size=4, l2=value, dtype=torch.float64) for value in (0.002, 0.0))
    for seeds in ([0], [0, 1]):
        params, batch = problem.start(seeds) + 0.1, problem.stream(seeds).at(0)
        loss, grad = problem.loss_and_grad(params, batch)
        loss0, grad0 = plain.loss_and_grad(params, batch)
        values = problem.layout.split(params)
        weights = sum((values[name] ** 2).flatten(1).sum(dim=1) for name in values if name.endswith("weight"))
        torch.testing.assert_close(loss - loss0, 0.001 * weights)
        slopes = problem.layout.split(grad - grad0)
        for name, value in values.items():
            expected = 0.002 * value if name.endswith("weight") else torch.zeros_like(value)
            torch.testing.assert_close(slopes[name], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("make", [DigitsVAE, lambda: MnistVAE(data=f"{__name__}.grey", batch_size=4)])
def test_vae_has_the_layers_of_the_source(make):
    problem = make()
    quarter = 4 if problem.shape[-1] == 8 else 49
    expected = [(64, 1, 4, 4), (64, 64, 4, 4), (64, 64, 4, 4), (16, 64 * quarter)]
    expected += [(24, 8), (quarter, 24), (1, 64, 4, 4), (64, 64, 4, 4), (64, 64, 4, 4)]
    assert shapes(problem) == [*expected, (16 * quarter, 64 * 4 * quarter)]
    assert problem.train.y.min() == 0
    assert problem.train.y.max() == 1
    rebuilt, mean, _ = problem.outputs_of(problem.start([0, 1]), problem.train.x[:3])
    assert rebuilt.shape == (2, 3, 16 * quarter)
    assert mean.shape == (2, 3, 8)
    assert problem.network.template.draw is not None
