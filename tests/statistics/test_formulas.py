"""Formulas against values worked out by hand, scipy and scikit-posthocs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scikit_posthocs
import scipy.stats
from numpy.testing import assert_allclose

from optbench.statistics.profiles import profile, ratios
from optbench.statistics.quantiles import median, quantile, quartiles
from optbench.statistics.ranks import cliques, friedman, iman_davenport, nemenyi, ranks, studentized_range
from optbench.statistics.runtime import ecdf, ert, success_rate
from optbench.statistics.sensitivity import usable, width
from optbench.statistics.tuning import best_setting

INF, NAN = np.inf, np.nan


def test_quantiles_of_finite_samples_are_those_of_numpy():
    samples = np.random.default_rng(0).normal(size=(4, 7))
    for q in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1):
        assert_allclose(quantile(samples, q), np.quantile(samples, q, axis=-1))


@pytest.mark.parametrize(
    ("sample", "expected"),
    [([3, INF, 1], 3), ([1, 2, INF, INF], INF), ([INF, INF, 1], INF), ([NAN, 1, 2], 2), ([INF], INF), ([1, 3], 2)],
)
def test_the_median_is_infinite_once_a_middle_value_is(sample, expected):
    assert median(sample) == expected


def test_quartiles_with_infinities_need_no_arithmetic_on_them():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, middle, high = quartiles([1, 2, 3, 4, INF])
        assert (low, middle, high) == (2, 3, 4)
        assert [float(v) for v in quartiles([1, INF, INF, INF])] == [INF, INF, INF]  # 0.75 of the way to ∞ is ∞
        assert [float(v) for v in quartiles([-INF, 0, 1])] == [-INF, 0, 0.5]


def test_the_median_of_nothing_is_nan():
    assert np.isnan(median([]))
    assert median(np.empty((3, 0))).shape == (3,)


def test_steps_to_target_choose_the_setting_before_the_loss():
    steps = np.array([[50, 60, INF], [40, 45, 50], [INF, INF, 10]])
    assert best_setting(steps, np.array([[0.0] * 3, [9.0] * 3, [1.0] * 3])) == 1


def test_the_loss_chooses_among_settings_that_miss_the_target_or_tie():
    never = np.full((3, 3), INF)
    assert best_setting(never, np.array([[3, 3, 3], [1, 2, INF], [1, INF, INF]])) == 1
    assert best_setting(np.full((2, 3), 7.0), np.array([[2, 2, 2], [1, 1, 1]])) == 1


def test_the_lower_number_wins_where_all_is_equal_or_failed():
    assert best_setting(np.full((4, 2), INF), np.full((4, 2), INF)) == 0
    assert best_setting(np.full((4, 2), NAN), np.full((4, 2), NAN)) == 0


def test_a_setting_that_reaches_the_target_with_the_lesser_half_of_its_seeds_has_not_reached_it():
    steps = np.array([[1, 1, INF, INF, INF], [90, 90, 90, INF, INF]])
    assert best_setting(steps, np.zeros((2, 5))) == 1


@pytest.mark.parametrize("shape", [(0, 0), (3, 0)])
def test_choosing_among_nothing_is_an_error(shape):
    with pytest.raises(ValueError, match="settings, seeds"):
        best_setting(np.empty(shape), np.empty(shape))


def test_expected_runtime_counts_the_whole_budget_of_failures():
    assert ert(np.array([120, 80, 400, 400, 95]), np.array([1, 1, 0, 0, 1], bool)) == 365
    assert ert(np.array([400.0, 400.0]), np.array([False, False])) == INF


def test_success_rate_keeps_failures_in_the_denominator():
    assert success_rate([1, INF, 3, INF]) == 0.5
    assert success_rate([]) == 0


def test_the_distribution_of_runtimes_is_a_step_function_over_all_runs():
    at, share = ecdf([3, 1, INF, 3, INF])
    assert_allclose(at, [1, 3])
    assert_allclose(share, [0.2, 0.6])
    found = scipy.stats.ecdf([3, 1, 1e9, 3, 1e9]).cdf
    assert_allclose(share, found.evaluate(at))


T = [[1, 2, INF], [3, 3, 6], [INF, INF, INF], [10, 5, INF]]


def test_performance_profile_of_the_worked_example():
    assert_allclose(profile(T, [1, 2]), [[0.5, 0.5, 0], [0.75, 0.75, 0.25]])


def test_a_problem_nobody_solved_has_infinite_ratios():
    assert_allclose(ratios(T), [[1, 2, INF], [1, 1, 2], [INF, INF, INF], [2, 1, INF]])


def test_a_target_met_at_no_cost_makes_all_that_cost_something_infinitely_dearer():
    assert_allclose(ratios([[0, 3, 0, INF]]), [[1, INF, 1, INF]])


def test_hiding_a_solver_changes_the_ratios_of_the_others():
    assert_allclose(ratios([[1, 2]])[0], [1, 2])
    assert_allclose(ratios([[2]])[0], [1])


def test_ranks_give_ties_their_mean_and_failures_the_last_places():
    costs = np.array([[3.0, 1, 1, INF, INF], [NAN, 2, INF, 1, 5], [7, 7, 7, 7, 7]])
    assert_allclose(ranks(costs), [[3, 1.5, 1.5, 4.5, 4.5], [4.5, 2, 4.5, 1, 3], [3, 3, 3, 3, 3]])
    finite = np.random.default_rng(1).integers(0, 4, size=(6, 5)).astype(float)
    assert_allclose(ranks(finite), scipy.stats.rankdata(finite, axis=1))


@pytest.mark.parametrize("seed", range(4))
def test_friedman_with_ties_agrees_with_scipy(seed):
    costs = np.random.default_rng(seed).integers(0, 5, size=(9, 4)).astype(float)
    expected = scipy.stats.friedmanchisquare(*costs.T)
    assert_allclose(friedman(costs), (expected.statistic, expected.pvalue), rtol=1e-10)


def test_iman_davenport_follows_from_friedman():
    costs = np.random.default_rng(3).normal(size=(14, 4))
    chi2, _ = friedman(costs)
    f, p = iman_davenport(costs)
    assert f == pytest.approx(13 * chi2 / (14 * 3 - chi2))
    assert p == pytest.approx(scipy.stats.f.sf(f, 3, 39))


def test_perfect_agreement_has_an_infinite_f():
    assert iman_davenport(np.tile([1.0, 2, 3], (5, 1))) == (INF, 0.0)


@pytest.mark.parametrize("costs", [np.ones((5, 4)), np.ones((5, 2)), np.ones((1, 4)), np.full((3, 3), INF)])
def test_no_test_is_made_where_there_is_nothing_to_test(costs):
    assert np.isnan(friedman(costs)).all()
    assert np.isnan(iman_davenport(costs)).all()


def test_critical_differences_of_nemenyi():
    assert nemenyi(5, 30) == pytest.approx(1.1136, abs=5e-5)
    assert nemenyi(4, 14) == pytest.approx(1.2536, abs=5e-5)


@pytest.mark.parametrize("k", [2, 3, 8, 40])
def test_the_studentized_range_agrees_with_scipy(k):
    for alpha in (0.05, 0.1):
        assert studentized_range(k, alpha) == pytest.approx(
            scipy.stats.studentized_range.ppf(1 - alpha, k, 1e8), rel=2e-6
        )


def test_pairs_further_apart_than_the_critical_difference_are_those_of_scikit_posthocs():
    costs = np.random.default_rng(5).normal(size=(12, 5)) + np.arange(5)
    p = scikit_posthocs.posthoc_nemenyi_friedman(costs).to_numpy()
    mean = ranks(costs).mean(axis=0)
    apart = np.abs(mean[:, None] - mean[None, :]) > nemenyi(5, 12)
    assert (apart == (p < 0.05)).all()
    assert apart.any()
    assert not apart.all()


def test_cliques_are_the_widest_groups_within_the_critical_difference():
    assert cliques([1, 2, 3, 4], 1.5) == [(0, 1), (1, 2), (2, 3)]
    assert cliques([1, 1.2, 1.4, 4], 1) == [(0, 2)]
    assert cliques([1, 2, 3], 5) == [(0, 2)]
    assert cliques([1, 3, 5], 1) == []


def test_usable_rates_close_nine_tenths_of_the_logarithmic_gap():
    # start 10¹, best 10⁻⁹: ten decades, so a rate has to close nine of them and end at 10⁻⁸ or below
    losses = [1e1, 1e-7, 0.99e-8, 1e-9, INF, NAN]
    assert usable(losses, 10.0).tolist() == [False, False, True, True, False, False]


def test_no_rate_is_usable_where_none_gets_below_the_start():
    assert not usable([20, INF, 10], 10.0).any()
    assert not usable([INF, INF], 10.0).any()
    assert usable([], 10.0).shape == (0,)


def test_gaps_below_the_floor_count_alike():
    assert usable([0.0, 1e-15, 1e-30], 1.0).all()


def test_the_width_adds_up_neighbouring_good_rates():
    rates = [1e-4, 1e-3, 1e-2, 1e-1, 1]
    assert width(rates, [True, True, True, False, True]) == pytest.approx(2)
    assert width(rates[::-1], [True, False, True, True, True]) == pytest.approx(2)
    assert width(rates, [False, True, False, True, False]) == 0
