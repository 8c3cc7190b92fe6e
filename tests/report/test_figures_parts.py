"""What figures are made of: labels that do not cover each other, ticks, short paths, unique file names."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.optimize import minimize

from optbench.report.figures.canvas import log_ticks, short, thinned, tick_text
from optbench.report.figures.labels import spread
from optbench.report.figures.names import file_stem, stems
from optbench.report.figures.trajectories import TOLERANCE, simplified
from optbench.report.svg import short_path


@pytest.mark.parametrize("seed", range(5))
def test_spread_labels_keep_order_distance_and_room(seed):
    wanted = np.sort(np.random.default_rng(seed).uniform(0, 300, 12))
    places = np.array(spread(wanted.tolist(), 14.5, 0, 300))
    assert (np.diff(places) >= 14.5 - 1e-9).all()
    assert places[0] >= -1e-9
    assert places[-1] <= 300 + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_spread_labels_lie_as_near_as_possible_to_where_they_want_to_be(seed):
    wanted = np.sort(np.random.default_rng(seed).uniform(80, 160, 6))
    places = spread(wanted.tolist(), 14.5, -1000, 1000)
    rule = [{"type": "ineq", "fun": lambda p, i=i: p[i + 1] - p[i] - 14.5} for i in range(5)]
    best = minimize(lambda p: ((p - wanted) ** 2).sum(), np.arange(6) * 20 + 60, constraints=rule)
    np.testing.assert_allclose(places, best.x, atol=1e-3)


def test_labels_with_room_stay_where_they_are():
    assert spread([10, 50, 90], 14.5, 0, 100) == [10, 50, 90]
    assert spread([], 14.5, 0, 100) == []
    assert spread([-50, 500], 14.5, 0, 100) == [0, 100]


def test_log_ticks_are_decades_and_few():
    assert log_ticks(1, 600) == [1, 10, 100]
    assert log_ticks(1e-9, 1e9, most=7) == [1e-9, 1e-6, 1e-3, 1, 1e3, 1e6, 1e9]
    assert log_ticks(2, 8) == [2, 5]
    assert log_ticks(0.3, 4) == [0.5, 1, 2]
    assert log_ticks(1.1, 1.3) == [1.1, 1.3]


def test_ticks_are_written_with_superscripts_and_never_with_an_e():
    assert [tick_text(v) for v in (1e-4, 0.01, 0.1, 1, 100, 1000, 600)] == [
        "10⁻⁴",
        "10⁻²",
        "0.1",
        "1",
        "100",
        "10³",
        "600",
    ]


def test_long_names_lose_their_middle():
    assert short("adamw") == "adamw"
    assert short("momentum · constant") == "momentu…nstant"
    assert len(short("x" * 99)) == 14
    assert short("optimizer number 17") != short("optimizer number 18")


def test_thinning_keeps_both_ends():
    assert thinned(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert thinned(1000, 3).tolist() == [0, 500, 999]


def test_file_names_are_plain_and_different():
    assert file_stem("rosenbrock(n=10) · 200 steps") == "rosenbrock-n-10-200-steps"
    assert file_stem("<b>/../é") == "b"
    assert file_stem("∑") == "x"
    assert list(stems(["a b", "a-b", "A_B", "a-b-2"]).values()) == ["a-b", "a-b-2", "a-b-3", "a-b-2-2"]


def absolute(d):
    """Vertices of a path of M and l commands."""
    points, at = [], np.zeros(2)
    for command, numbers in re.findall(r"([Ml])([^Ml]*)", d):
        for pair in np.array([float(v) for v in re.findall(r"-?[\d.]+", numbers)]).reshape(-1, 2):
            at = pair if command == "M" else at + pair
            points.append(at)
    return np.array(points)


def test_short_paths_stay_within_a_twentieth_of_a_pixel_however_long_they_are():
    points = np.cumsum(np.random.default_rng(0).normal(size=(2000, 2)), axis=0) + 500
    d = "M " + "\nL ".join(f"{x:.6f} {y:.6f}" for x, y in points)
    assert np.abs(absolute(short_path(d)) - points).max() <= 0.05 + 1e-6
    assert len(short_path(d)) < 0.5 * len(d)


def test_short_paths_know_curves_gaps_and_closing():
    d = "M 0 0 \nC 1 0 2 1 2 2 \nL 4 4 \nz\nM 10 10 \nL 10 10 \nL 11.04 9.96 "
    assert short_path(d) == "M0 0c1 0 2 1 2 2l2 2zM10 10l0 0 1 0"


def test_asimplified_path_stays_near_the_recorded_one():
    t = np.linspace(0, 6, 500)
    points = np.stack([40 * np.cos(t), 40 * np.sin(t) + t], axis=1)
    kept = simplified(points)
    assert len(kept) < 60
    np.testing.assert_array_equal(kept[[0, -1]], points[[0, -1]])
    a, b = kept[:-1], kept[1:]
    share = np.clip(((points[:, None] - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1), 0, 1)
    distance = np.linalg.norm(points[:, None] - a - share[..., None] * (b - a), axis=-1).min(axis=1)
    assert distance.max() <= TOLERANCE + 1e-9


def test_what_swings_along_a_line_is_drawn_with_its_turns():
    points = np.array([[0, 0], [100, 0], [50, 0], [60, 0], [55, 0], [55, 0]], float)
    np.testing.assert_array_equal(simplified(points)[:4], points[:4])
    straight = np.array([[0, 0], [1, 1], [4, 4], [9, 9]], float)
    np.testing.assert_array_equal(simplified(straight), straight[[0, -1]])


def test_a_path_that_stands_still_can_besimplified():
    assert len(simplified(np.ones((50, 2)))) == 2
    assert len(simplified(np.ones((1, 2)))) == 1
