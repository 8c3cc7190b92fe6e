import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.datasets import make_circles, make_moons
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from optbench.data.points import circles, gaussian_mixture, moons, parity, spirals, xor

GENERATED = [circles, gaussian_mixture, moons, spirals, xor]


@pytest.mark.parametrize("make", GENERATED)
def test_classes_are_of_equal_size_and_drawn_by_the_seed(make):
    data, again, other = make(samples=400), make(samples=400, seed=0), make(samples=400, seed=1)
    assert len(set(torch.bincount(data.y).tolist())) == 1
    assert len(data) == 400
    assert torch.equal(data.x, again.x)
    assert (data.x != other.x).all()


@pytest.mark.parametrize(("make", "peer"), [(moons, make_moons), (circles, lambda n: make_circles(n, factor=0.5))])
def test_without_noise_every_point_lies_on_the_curves_of_scikit_learn(make, peer):
    data = make(noise=0.0)
    x, y = peer(20_000)
    for label in (0, 1):
        curve, own = torch.from_numpy(x[y == label]), data.x[data.y == label]
        gaps = torch.cdist(own, curve).min(dim=1).values
        assert gaps.max() < 4e-4  # half the distance of neighbours on the outer circle: 2π/20,000
        assert torch.cdist(curve[::500], own).min(dim=1).values.max() < 0.1  # and no stretch is left out


@pytest.mark.parametrize("make", [moons, circles, spirals])
def test_noise_has_the_stated_deviation(make):
    difference = (make(noise=0.3).x - make(noise=0.0).x) / 0.3
    assert difference.std().item() == pytest.approx(1, abs=0.07)
    assert difference.mean().item() == pytest.approx(0, abs=0.1)


def test_spirals_turn_as_often_as_stated_and_are_one_another_turned():
    data = spirals(samples=3000, arms=3, turns=2.0, noise=0.0)
    radius = data.x.norm(dim=1)
    angle = torch.atan2(data.x[:, 1], data.x[:, 0])
    expected = 2 * math.pi * (2 * radius + data.y / 3)
    assert (torch.cos(angle - expected) > 1 - 1e-9).all()
    assert (radius**2).mean().item() == pytest.approx(0.5, abs=0.03)  # evenly over the disc


def test_the_mixture_has_the_stated_distances_and_is_told_apart_by_a_plane():
    data = gaussian_mixture(samples=20_000, classes=40, inputs=50, distance=4.0)
    centres = torch.stack([data.x[data.y == k].mean(dim=0) for k in range(40)])
    distances = torch.pdist(centres)
    assert (distances**2).mean().sqrt().item() == pytest.approx(4, rel=0.05)
    within = (data.x - centres[data.y]).numpy()
    assert np.cov(within.T) == pytest.approx(np.eye(50), abs=0.06)


def test_the_default_mixture_cannot_be_learnt_without_error():
    data = gaussian_mixture()
    found = LinearDiscriminantAnalysis().fit(data.x.numpy(), data.y.numpy()).score(data.x.numpy(), data.y.numpy())
    assert 0.75 < found < 0.95


def test_xor_has_its_label_where_the_signs_differ():
    data = xor(noise=0.0)
    seen = {(*x, y) for x, y in zip(data.x.tolist(), data.y.tolist(), strict=True)}
    assert seen == {(-1, -1, 0), (-1, 1, 1), (1, -1, 1), (1, 1, 0)}
    assert (xor(samples=8000).x - xor(samples=8000, noise=0.0).x).std().item() == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(("bits", "relevant"), [(4, None), (6, 3)])
def test_parity_has_every_string_once_with_the_product_of_its_signs(bits, relevant):
    data = parity(bits, relevant)
    assert sorted(map(tuple, data.x.tolist())) == sorted(itertools.product((-1.0, 1.0), repeat=bits))
    signs = (-data.x[:, : relevant or bits]).prod(dim=1)  # −1 for an odd number of ones
    assert torch.equal(data.y, ((1 - signs) / 2).long())


def test_no_input_says_anything_of_the_parity():
    data = parity()
    assert len(data) == 1024
    assert (data.x * (2 * data.y - 1)[:, None]).mean(dim=0).tolist() == [0.0] * 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 1}, r"bits must lie in \[2, 20\]"),
        ({"bits": 4, "relevant": 5}, r"relevant must lie in \[1, 4\], got 5"),
    ],
)
def test_parity_refuses_what_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        parity(**settings)


def test_the_inner_circle_has_the_stated_radius_to_the_last_digit() -> None:
    data = circles(samples=20, noise=0.0, ratio=0.3)
    torch.testing.assert_close(
        data.x.norm(dim=1), torch.tensor([1.0, 0.3] * 10, dtype=torch.float64), rtol=1e-15, atol=0
    )
