"""Paired ratios, the sign-flip test, Holm's adjustment."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from optbench.statistics.comparison import (
    holm,
    log_ratios,
    median,
    median_interval,
    problems_needed,
    sign_flip,
)

INF = math.inf


def test_a_log_ratio_is_positive_where_new_costs_more_and_failures_are_infinite():
    got = log_ratios([100, 100, 100, INF, INF, 0, 0], [200, 50, INF, 100, INF, 0, 3])
    assert got == pytest.approx([math.log(2), -math.log(2), INF, -INF, 0, 0, INF])


def test_a_negative_or_missing_cost_is_refused():
    for bad in (-1.0, math.nan):
        with pytest.raises(ValueError, match="negative number or nan"):
            log_ratios([1.0], [bad])


def test_the_median_takes_infinity_as_a_value():
    assert median([1, INF, 3]) == 3
    assert median([1, INF]) == INF
    assert median([-INF, INF]) == 0
    assert median([1, 2, 4, 8]) == 3
    assert math.isnan(median([]))


def test_the_interval_of_five_values_is_their_range_and_says_its_coverage():
    assert median_interval([5, 1, 4, 2, INF]) == (1, INF, 1 - 2 / 2**5)


@pytest.mark.parametrize(("n", "j"), [(6, 1), (9, 2), (10, 2), (20, 6), (30, 10)])
def test_the_interval_takes_the_order_statistics_of_conovers_table(n, j):
    # Pairs (n, j) for 95 %, as in tables of the sign test's critical values.
    low, high, coverage = median_interval(np.arange(1, n + 1))
    assert (low, high) == (j, n + 1 - j)
    assert coverage >= 0.95


def test_the_narrowest_interval_keeps_its_ends_in_order_and_counts_its_coverage():
    # 1 − 2·(1 + 5)/32 and 1 − 2·(1 + 4)/16, by Pascal's triangle
    assert median_interval([1, 2, 3, 4, 5], level=0.01) == (2, 4, 0.625)
    assert median_interval([1, 2, 3, 4], level=0.01) == (2, 3, 0.375)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_the_interval_of_few_values_stays_in_order(n):
    low, high, coverage = median_interval(np.arange(n))
    assert (n == 0 and math.isnan(low)) or low <= high
    assert 0 <= coverage < 0.95


def test_sign_flips_of_a_hand_worked_case():
    # |±1 ±2 ±4| takes 1, 3, 5, 7 twice each; the sum seen is 5: four of eight patterns reach it.
    assert sign_flip([-1, 2, 4]) == 0.5
    assert sign_flip([1, 2, 4]) == 0.25
    assert sign_flip([1, -1]) == 1
    assert sign_flip([]) == sign_flip([0, 0]) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 6, 9, 10])
def test_sign_flips_equal_counting_every_pattern(n):
    d = np.round(np.random.default_rng(n).normal(0.4, 1, n), 1)  # rounded, so that ties occur
    sums = [abs(sum(s * abs(x) for s, x in zip(signs, d, strict=True))) for signs in product((-1, 1), repeat=n)]
    expected = np.mean([s >= abs(d.sum()) - 1e-9 for s in sums])
    assert sign_flip(d) == pytest.approx(expected, abs=0)


def test_sign_flips_equal_scipys_permutation_test():
    d = np.random.default_rng(5).normal(0.3, 1, 11)
    with np.errstate(all="ignore"):
        theirs = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip(d) == pytest.approx(theirs, rel=1e-12)


def test_an_infinite_difference_outweighs_all_finite_ones():
    # The infinite one decides: as extreme are the patterns in which the finite ones agree with it.
    assert sign_flip([INF, 1, 1, 1]) == sign_flip([1000, 1, 1, 1]) == 2 / 16
    assert sign_flip([INF, -1, -1, -1]) == sign_flip([1000, -1, -1, -1]) == 1
    assert sign_flip([INF, INF, -INF, 3]) == sign_flip([1000, 1000, -1000, 3])


def test_the_smallest_p_is_two_patterns_of_all_even_for_forty_problems():
    assert sign_flip(np.linspace(1, 2, 8)) == 2**-7
    assert sign_flip(np.linspace(1, 2, 40)) == 2.0**-39


def test_many_problems_are_drawn_and_agree_with_the_normal_approximation():
    d = np.random.default_rng(1).normal(0.15, 1, 200)
    z = abs(d.sum()) / math.sqrt((d**2).sum())
    assert sign_flip(d) == pytest.approx(2 * stats.norm.sf(z), abs=0.01)
    assert sign_flip(d) == sign_flip(d)


def test_sign_flips_do_not_depend_on_the_unit():
    d = np.random.default_rng(2).normal(0.5, 1, 12)
    assert sign_flip(d) == sign_flip(d * 1e-9) == sign_flip(d * 1e9)


def test_under_no_change_the_test_rejects_no_more_often_than_its_level():
    rng = np.random.default_rng(3)
    rejected = np.mean([sign_flip(rng.standard_t(2, 8)) <= 0.05 for _ in range(2000)])
    assert rejected <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)
    assert rejected >= 0.02


def test_holm_of_a_hand_worked_case():
    # sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04; the running maximum makes the last .06
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("tests", "needed"), [(1, 6), (2, 7), (8, 9), (28, 11)])
def test_the_problems_needed_are_those_of_the_definitions(tests, needed):
    assert problems_needed(tests, 0.05) == needed
    assert tests * 2.0 ** (1 - needed) <= 0.05 < tests * 2.0 ** (2 - needed)


def test_problems_needed_is_exact_at_a_power_of_two():
    assert problems_needed(1, 2**-5) == 6
