"""What stands in the tables, against values worked out by hand from the made-up results."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from optbench.report.content import Content, compose
from optbench.report.runtime_table import chosen_targets


@pytest.fixture(scope="module")
def content(make_results: Callable) -> Content:
    return compose(make_results(diverged=[("rosenbrock", "sgd")], step_seconds={"adam": 3e-4}))


def test_optimizers_stand_in_the_order_of_their_mean_ranks(content: Content) -> None:
    # by hand: ranks of sgd, momentum, adam, lion on the seven problems, ties shared, never last
    table = np.array([
        [4, 3, 1, 2], [3, 2, 1, 4], [2, 1, 3, 4], [3.5, 2, 1, 3.5], [2.5, 2.5, 2.5, 2.5], [3, 4, 2, 1], [4, 2, 1, 3],
    ])  # fmt: skip
    labels = [content.match.contestants[i].label for i in content.order]
    assert labels == ["adam", "momentum", "lion", "sgd"]
    assert [content.standing.mean[i] for i in range(4)] == pytest.approx(table.mean(axis=0))


def test_the_heat_map_holds_ratios_to_the_fastest_and_counts_of_failures(content: Content) -> None:
    by_problem = {row.cells[0].text: row.cells for row in content.heat.rows}
    assert content.heat.headings == ("problem", "fastest", "adam", "momentum", "lion", "sgd")
    assert [cell.text for cell in by_problem["beale"]] == ["beale", "30 steps", "1×", "2.0×", "4.0×", "3.0×"]
    assert [cell.text for cell in by_problem["rosenbrock"]][1:] == ["200 steps", "1×", "1.5×", "1.3×", "0/3"]
    assert by_problem["rosenbrock"][5].small == "✕3"
    assert [cell.text for cell in by_problem["rastrigin"]][1:] == ["none", "0/3", "0/3", "0/3", "0/3"]


def test_the_expected_runtime_counts_failures_at_their_full_budget(content: Content) -> None:
    # beale, adam: seeds arrive at 29, 30, 31 steps; gap 1 takes a third of that, 1e-4 five thirds, rounded up
    frame = content.runtimes["beale"].frame
    adam = frame[frame["contestant"] == "adam"].set_index("target")
    assert adam.loc[0.01, "ert_steps"] == 30
    assert adam.loc[1.0, "ert_steps"] == pytest.approx((10 + 10 + 11) / 3)
    assert adam.loc[1e-4, "ert_steps"] == pytest.approx((49 + 50 + 52) / 3)
    assert adam.loc[0.01, "ert_seconds"] == pytest.approx(30 * 3e-4)
    # cliff, sgd: 499, 500, 501 steps to 0.01; 832, 834, 835 to 1e-4. mlp, sgd at 400; quadratic all arrive
    sgd = content.runtimes["cliff"].frame.query("contestant == 'sgd'").set_index("target")
    assert sgd.loc[0.01, ["successes", "ert_steps"]].tolist() == [3, 500]


def test_an_expected_runtime_with_some_failures_divides_by_the_successes(make_results: Callable) -> None:
    results = make_results({"beale": {"adam": 200.0, "sgd": 50.0}})
    lost = (results.trials["optimizer"] == "adam") & (results.trials["role"] == "tuned") & (results.trials["seed"] == 2)
    results.trials.loc[lost, ["steps_to_target", "evaluations_to_target"]] = math.inf
    frame = compose(results).runtimes["beale"].frame.query("contestant == 'adam'").set_index("target")
    # (199 + 200 + 1000) / 2
    assert frame.loc[0.01, "ert_steps"] == 699.5
    assert frame.loc[0.01, "successes"] == 2


def test_bold_is_the_best_of_each_target_and_never_an_infinity(content: Content) -> None:
    rows = content.runtimes["rastrigin"].rows
    assert not any(cell.best for row in rows for cell in row.cells)
    headline = content.runtimes["beale"].main
    best = [row.index for row in content.runtimes["beale"].rows if row.cells[headline].best]
    assert [content.match.contestants[i].label for i in best if i is not None] == ["adam"]


def test_the_summary_frame_has_a_row_for_each_problem_and_optimizer(content: Content) -> None:
    frame = content.summary_table.frame
    assert len(frame) == 28
    row = frame[(frame["problem"] == "mlp") & (frame["contestant"] == "lion")].iloc[0]
    assert row[["median_steps", "successes", "seeds", "setting"]].tolist() == [160, 3, 3, "lr 0.1"]
    assert row["final_loss_median"] == pytest.approx(10 * 10 ** (-3 * 1000 / 160))


def test_the_optimizer_table_counts_wins_and_outcomes(content: Content) -> None:
    frame = content.optimizers.frame.set_index("contestant")
    assert frame.loc["adam", "fastest_on"] == "rosenbrock, beale, saddle, mlp"
    assert frame.loc["sgd", "not_solved"] == "rosenbrock, rastrigin"
    assert frame.loc["momentum", "solved"] == 5
    assert frame.loc["sgd", ["seeds", "reached", "diverged"]].tolist() == [21, 15, 3]
    assert frame.loc["adam", "step_ratio"] == pytest.approx(3)


def test_targets_are_thinned_evenly_and_the_headline_stays() -> None:
    targets = 10.0 ** np.arange(4, -9, -1)
    found = chosen_targets(targets, 1e-2)
    assert len(found) == 5
    assert found[2] == 1e-2
    assert found[0] == 1e4
    assert found[-1] == 1e-8
    assert chosen_targets(targets, 1e4)[0] == 1e4
    assert len(chosen_targets(targets, 1e4)) == 5
    assert chosen_targets(np.array([1.0, 0.1]), 0.1) == [1.0, 0.1]


def test_a_pair_that_was_not_run_is_a_dash_and_no_failure(make_results: Callable, medians: dict) -> None:
    fewer = {
        problem: {k: v for k, v in row.items() if (problem, k) != ("beale", "lion")} for problem, row in medians.items()
    }
    content = compose(make_results(fewer))
    cells = next(row.cells for row in content.heat.rows if row.cells[0].text == "beale")
    lion = content.heat.headings.index("lion")
    assert cells[lion].text == "–"
    assert content.standing.problems == 6


def test_a_run_that_ended_in_an_error_is_listed_and_counts_as_unsolved(make_results: Callable, medians: dict) -> None:
    with_broken = {problem: {**row, "broken": 10.0} for problem, row in medians.items()}
    errors = {("mlp", "broken"): "ValueError: no | way"}
    content = compose(make_results(with_broken, errors=errors))
    assert content.failed_runs is not None
    assert [cell.text for cell in content.failed_runs.rows[0].cells][-2:] == ["error", "ValueError: no | way"]
    frame = content.summary
    row = frame[(frame["problem"] == "mlp") & (frame["contestant"] == "broken")].iloc[0]
    assert math.isinf(row["median_steps"])


def test_every_cell_of_the_heat_frame_is_the_number_in_the_table(content: Content) -> None:
    frame: pd.DataFrame = content.heat.frame
    for row, values in zip(content.heat.rows, frame.to_dict("records"), strict=True):
        shown = [cell.value for cell in row.cells[2:]]
        assert shown == pytest.approx([values[label] for label in content.heat.headings[2:]])
