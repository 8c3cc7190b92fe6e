from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from optbench.errors import UsageError
from optbench.search import draw, space

LR = {"log_uniform": [1e-4, 1.0]}
MU = {"uniform": [-1.0, 3.0]}
ABC = {"choice": ["a", "b", "c"]}


def test_a_grid_is_even_and_holds_both_ends() -> None:
    rates = [s["lr"] for s in draw({"lr": LR}, "grid", 5)]
    np.testing.assert_allclose(rates, [1e-4, 1e-3, 1e-2, 1e-1, 1], rtol=1e-12)
    assert rates[0] == 1e-4
    assert rates[-1] == 1.0
    assert [s["mu"] for s in draw({"mu": MU}, "grid", 3)] == [-1, 1, 3]
    assert draw({"lr": LR}, "grid", 1) == [{"lr": pytest.approx(1e-2)}]


def test_a_grid_of_several_settings_has_every_combination_that_fits() -> None:
    both = draw({"lr": LR, "mu": MU}, "grid", 9)
    assert [(s["lr"], s["mu"]) for s in both] == [
        (pytest.approx(lr), mu) for lr in (1e-4, 1e-2, 1.0) for mu in (-1, 1, 3)
    ]
    assert len(draw({"lr": LR, "mu": MU}, "grid", 15)) == 9
    with_choice = draw({"lr": LR, "k": ABC}, "grid", 7)
    assert [(s["lr"], s["k"]) for s in with_choice] == [(lr, k) for lr in (1e-4, 1.0) for k in "abc"]
    assert [s["k"] for s in draw({"k": ABC}, "grid", 2)] == ["a", "b", "c"]


@pytest.mark.parametrize("method", ["grid", "sobol", "random"])
def test_settings_are_the_same_whenever_drawn_and_lie_in_their_spaces(method: str) -> None:
    spaces = {"lr": LR, "mu": MU, "k": ABC}
    drawn = draw(spaces, method, 60)
    assert drawn == draw(spaces, method, 60)
    assert 0 < len(drawn) <= 60
    for s in drawn:
        assert 1e-4 <= s["lr"] <= 1
        assert -1 <= s["mu"] <= 3
        assert s["k"] in "abc"
    assert len({s["lr"] for s in drawn}) > 3
    assert {s["k"] for s in drawn} == set("abc")


def test_sobol_points_lie_one_in_each_of_as_many_strips() -> None:
    logs = [math.log10(s["lr"]) for s in draw({"lr": LR, "mu": MU}, "sobol", 16)]
    assert sorted(int((v + 4) / 4 * 16) for v in logs) == list(range(16))
    mus = [s["mu"] for s in draw({"lr": LR, "mu": MU}, "sobol", 16)]
    assert sorted(int((v + 1) / 4 * 16) for v in mus) == list(range(16))
    assert draw({"lr": LR}, "sobol", 5) == draw({"lr": LR}, "sobol", 8)[:5]


def test_random_settings_are_log_uniform() -> None:
    logs = np.log10([s["lr"] for s in draw({"lr": LR}, "random", 2000)])
    assert np.histogram(logs, 4, (-4, 0))[0] == pytest.approx(500, abs=100)


def test_nothing_is_drawn_without_a_method_or_a_space() -> None:
    assert draw({"lr": LR}, "none", 9) == []
    assert draw({}, "grid", 9) == []


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ([1e-4, 1], {"log_uniform": [1e-4, 1.0]}),
        ([0, 1], {"uniform": [0.0, 1.0]}),
        ([-2, 5], {"uniform": [-2.0, 5.0]}),
        ({"log_uniform": ["1e-4", 1]}, {"log_uniform": [1e-4, 1.0]}),
        ({"choice": [1, 2]}, {"choice": [1, 2]}),
    ],
)
def test_a_pair_of_numbers_is_log_uniform_where_both_are_positive(short: Any, long: dict[str, Any]) -> None:
    assert space("lr", short) == long


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"log_unifrom": [1, 2]}, "did you mean 'log_uniform'"),
        (3, r"must read \[low, high\]"),
        ("abc", r"must read \[low, high\]"),
        (["a", "b"], "got"),
        ([1, 2, 3], "must read"),
        ({}, "must read"),
        ({"uniform": [2, 1]}, "low < high"),
        ({"log_uniform": [0, 1]}, "0 < low < high"),
        ({"uniform": [1]}, r"needs \[low, high\]"),
        ({"uniform": 5}, r"needs \[low, high\]"),
        ({"uniform": [math.nan, 1]}, "low < high"),
        ({"choice": []}, "list of values"),
        ({"choice": "ab"}, "list of values"),
        ([True, False], "lr"),
    ],
)
def test_a_space_that_is_none_is_told_what_spaces_are(spec: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as told:
        space("lr", spec)
    assert "search.lr" in str(told.value)


def test_an_unknown_method_is_told_the_near_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'sobol'"):
        draw({"lr": LR}, "sobel", 3)
