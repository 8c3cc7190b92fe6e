import math

import pytest
import torch
from optbench.problems.coordinate_network import CoordinateNetwork


def test_places_become_waves_of_one_length():
    problem = CoordinateNetwork(features=5, dtype=torch.float64)
    x = problem.train.x
    assert x.shape == (2458, 10)
    torch.testing.assert_close(x[:, :5] ** 2 + x[:, 5:] ** 2, torch.ones(2458, 5, dtype=torch.float64))


def test_waves_are_those_of_a_fixed_matrix():
    plain, waves = (
        CoordinateNetwork(features=0, dtype=torch.float64),
        CoordinateNetwork(features=3, dtype=torch.float64),
    )
    place, seen = plain.splits.test.x, waves.splits.test.x
    phase = torch.atan2(seen[:, :3], seen[:, 3:])
    step = place[1:] - place[:-1]
    # the phase is linear in the place: the same matrix explains the test and the training part
    other, places = torch.atan2(waves.train.x[:, :3], waves.train.x[:, 3:]), plain.train.x
    near = places.norm(dim=1) < 0.08  # no full turns there
    matrix = torch.linalg.lstsq(places[near], other[near]).solution
    turned = (phase[1:] - phase[:-1] - step @ matrix) / (2 * math.pi)
    torch.testing.assert_close(turned, turned.round(), rtol=0, atol=1e-6)


def test_the_scale_is_the_standard_deviation_of_the_waves():
    plain = CoordinateNetwork(features=0, dtype=torch.float64).train.x
    near = plain.norm(dim=1) < 0.12  # no full turns there
    for scale in (0.5, 1.0):
        seen = CoordinateNetwork(features=400, scale=scale, dtype=torch.float64).train.x[near]
        turns = torch.linalg.lstsq(plain[near], torch.atan2(seen[:, :400], seen[:, 400:])).solution / (2 * math.pi)
        assert turns.std().item() == pytest.approx(scale, rel=0.1)


def test_psnr_is_ten_decibels_for_a_tenth_of_the_error():
    problem = CoordinateNetwork()
    y = torch.zeros(1, 4, 3)
    assert problem.scores(y + 0.1, y)["psnr"].item() == pytest.approx(20, rel=1e-5)


def test_it_has_as_many_parameters_as_stated():
    assert CoordinateNetwork().layout.n == 12675
