"""The networks of DeepOBS: layer by layer as its source has them."""

import pytest
import torch
from optbench.problems.cifar10_3c3d import Cifar103c3d
from optbench.problems.digits_2c2d import Digits2c2d
from optbench.problems.digits_vae import DigitsVAE
from optbench.problems.fmnist_2c2d import Fmnist2c2d
from optbench.problems.mnist_vae import MnistVAE
from optbench.problems.patches_3c3d import Patches3c3d

from optbench.nn.forward import Pass
from optbench.registry import build
from optbench.verbs.listing import listing
from optbench.verbs.show import show

LITTLE = "tests.problems.little"


def shapes(problem) -> list[tuple[int, ...]]:
    return [tuple(p.shape) for p in problem.module().parameters() if p.ndim > 1]


def count(problem) -> int:
    return sum(p.numel() for p in problem.module().parameters())


def test_2c2d_has_the_layers_of_the_source():
    problem = Fmnist2c2d(data=f"{LITTLE}.grey", batch_size=4)
    assert shapes(problem) == [(32, 1, 5, 5), (64, 32, 5, 5), (1024, 3136), (10, 1024)]
    assert count(problem) == 3_274_634
    assert count(Digits2c2d()) == 325_514


def test_3c3d_has_the_layers_of_the_source():
    problem = Cifar103c3d(data=f"{LITTLE}.colour", batch_size=4)
    kernels = [(64, 3, 5, 5), (96, 64, 3, 3), (128, 96, 3, 3)]
    assert shapes(problem) == [*kernels, (512, 3 * 3 * 128), (256, 512), (10, 256)]
    assert count(problem) == 895_210
    assert count(Patches3c3d()) == 893_154


def test_3c3d_pools_as_tensorflow_does():
    problem = Patches3c3d(dtype=torch.float64)
    sizes = []
    run = Pass(
        watch=lambda name, layer, out: sizes.append(out.shape[-1]) if isinstance(layer, torch.nn.MaxPool2d) else None
    )
    problem.network(problem.start([0]), problem.train.x[None, :2], run)
    assert sizes == [14, 6, 3]  # of 28, 12 and 6 places


def test_the_penalty_of_3c3d_is_on_weights_alone_and_no_part_of_the_objective():
    little = {"data": f"{LITTLE}.little_colour", "batch_size": 2, "dtype": torch.float64}
    problem, plain = (Patches3c3d(l2=value, **little) for value in (0.002, 0.0))
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


@pytest.mark.parametrize("make", [DigitsVAE, lambda: MnistVAE(data=f"{LITTLE}.grey", batch_size=4)])
def test_vae_has_the_layers_of_the_source(make):
    problem = make()
    quarter = 4 if problem.shape[-1] == 8 else 49
    expected = [(64, 1, 4, 4), (64, 64, 4, 4), (64, 64, 4, 4), (16, 64 * quarter)]
    expected += [(24, 8), (quarter, 24), (1, 64, 4, 4), (64, 64, 4, 4), (64, 64, 4, 4)]
    module = problem.module()
    found = [tuple(p.shape) for name, p in module.named_parameters() if name.endswith("weight")]
    assert found == [*expected, (16 * quarter, 64 * 4 * quarter)]
    assert problem.layout.n == {4: 334_604, 49: 10_151_489}[quarter]
    assert problem.train.y.min() == 0
    assert problem.train.y.max() == 1
    rebuilt, mean, _ = module(problem.train.x[:3])
    assert rebuilt.shape == (3, 16 * quarter)
    assert mean.shape == (3, 8)


@pytest.mark.parametrize("name", ["fmnist_2c2d", "mnist_vae", "cifar10_3c3d"])
def test_to_be_listed_and_shown_they_download_nothing(name, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OPTBENCH_DATA", str(tmp_path))
    assert listing("problems") == 0
    assert show(name) == 0
    said = capfd.readouterr()
    assert said.err == ""
    data = build("problem", name).data
    assert f"parameters and targets are known once {data} is downloaded" in said.out
    assert not list(tmp_path.iterdir())
