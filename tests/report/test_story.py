"""The sentences: what they say in each state of the evidence."""

from collections.abc import Callable

import numpy as np
import pytest

from optbench.report.content import Content, compose
from optbench.report.markdown import rich


def told(content: Content) -> str:
    return rich(content.lead).replace("**", "")


def fact(content: Content, name: str) -> str:
    return rich(dict(content.facts)[name]).replace("**", "")


def test_seven_alike_problems_are_not_enough_evidence(make_results: Callable) -> None:
    content = compose(make_results())
    # mean ranks by hand, see test_tables
    assert told(content) == (
        "adam has the best mean rank by steps to the target, 1.64 of 4, and solves six of seven "
        "problems. With seven problems this is not "
        "enough evidence to separate it from any other optimizer (Nemenyi, 5 %). Nobody solves rastrigin."
    )
    assert "Friedman p = " in fact(content, "How sure")
    assert fact(content, "Failures") == "None of 420 trials diverged or failed."


def test_a_winner_everywhere_on_many_problems_is_separated(make_results: Callable) -> None:
    medians = {f"p{n}": {"adam": 10.0, "lion": 20.0, "sgd": 40.0} for n in range(12)}
    content = compose(make_results(medians))
    assert "enough evidence to separate it from lion and sgd" in told(content).replace("not enough", "NOT")
    assert "3 of 3 pairs do." in fact(content, "How sure")
    assert fact(content, "Fastest").startswith("adam needs the fewest steps to the target on all twelve problems")


def test_fewer_than_six_problems_are_too_few_for_a_test(make_results: Callable) -> None:
    content = compose(make_results({f"p{n}": {"adam": 10.0, "sgd": 40.0} for n in range(3)}))
    assert "Three problems are too few for a test" in told(content)
    assert fact(content, "How sure").startswith("3 problems: too few for a test (it takes 6).")


def test_two_leaders_share_the_rank(make_results: Callable) -> None:
    content = compose(make_results({"p": {"adam": 10.0, "lion": 10.0, "sgd": 40.0}}))
    assert told(content).startswith(
        "adam and lion share the best mean rank by steps to the target, 1.50 of 3, and solve the only problem."
    )
    assert rich(content.verdicts["p"][0]) == (
        "**adam** and **lion** are first at the target, after 10 steps in the median; all three optimizers solve it."
    )


def test_problems_that_nobody_solves_are_said_to_be_so(make_results: Callable) -> None:
    content = compose(make_results({f"p{n}": {"adam": np.inf, "sgd": np.inf} for n in range(2)}))
    assert told(content).startswith("Nobody solves either of the two problems: no median seed reaches a target")
    sentence, bad = content.verdicts["p0"]
    assert bad
    assert rich(sentence) == "Nobody solves it: no seed of any optimizer reaches f\\* + 0.01."
    assert fact(content, "Fastest") == "No optimizer reaches a target with its median seed."


def test_one_optimizer_alone_has_no_rank(make_results: Callable) -> None:
    content = compose(make_results({"beale": {"adam": 30.0}}))
    assert told(content) == "adam alone was run; it solves the only problem. A rank needs two optimizers."
    assert content.title == "adam on beale"
    assert fact(content, "How sure") == "One optimizer: there is nothing to compare it with."


def test_diverged_trials_are_counted_by_optimizer(make_results: Callable) -> None:
    content = compose(make_results(diverged=[("rosenbrock", "sgd"), ("beale", "lion")]))
    # 15 trials a run: 9 tuning, 3 tuned, 3 default
    assert fact(content, "Failures") == (
        "30 of 420 trials diverged (7 %): sgd 15, lion 15. All of them stay in every denominator."
    )


def test_an_optimizer_that_diverged_everywhere_is_still_in_every_table(make_results: Callable) -> None:
    content = compose(make_results({"beale": {"adam": 30.0, "sgd": 9.0}, "mlp": {"adam": 30.0, "sgd": 9.0}},
                                   diverged=[("beale", "sgd"), ("mlp", "sgd")]))  # fmt: skip
    assert [row.cells[0].text for row in content.runtimes["beale"].rows] == ["adam", "sgd"]
    assert content.summary_table.frame["diverged"].tolist() == [0, 3, 0, 3]


def test_the_price_names_the_cheapest_and_the_dearest_step(make_results: Callable) -> None:
    content = compose(make_results(step_seconds={"adam": 3e-4}))
    assert fact(content, "Price").startswith("A step of adam costs 3.0× a step of sgd; its state is ")


def test_who_alone_solves_nothing_is_said_to_in_plain_words(make_results: Callable) -> None:
    content = compose(make_results({"beale": {"adam": np.inf}}))
    assert told(content) == "adam alone was run; it does not solve the only problem. A rank needs two optimizers."


def test_without_a_problem_that_all_were_run_on_there_is_no_ranking(make_results: Callable) -> None:
    content = compose(make_results({"beale": {"adam": 30.0}, "mlp": {"sgd": np.inf}}))
    assert told(content).startswith("No problem was run by every optimizer, so there is no common ranking;")
    assert told(content).endswith("Nobody solves mlp.")
    assert fact(content, "How sure") == "No problem was run by every optimizer, so their ranks cannot be compared."


def test_failures_that_are_not_named_are_counted(make_results: Callable) -> None:
    lost = [
        ("a", "adam"),
        ("a", "adam"),
        ("b", "adam"),
        *((p, o) for p in "ab" for o in ("sgd", "lion")),
        ("a", "nadam"),
    ]
    medians = {p: dict.fromkeys(("adam", "sgd", "lion", "nadam"), 30.0) for p in "ab"}
    text = fact(compose(make_results(medians, diverged=lost)), "Failures")
    numbers = [int(word) for word in text.split("):")[1].replace(".", " ").replace(",", " ").split() if word.isdigit()]
    assert sum(numbers) == int(text.split()[0])


@pytest.mark.parametrize(("tuned", "words"), [(True, "Tuned setting: the best"), (False, "Nothing was tuned:")])
def test_a_new_reader_is_told_what_the_signs_mean(make_results: Callable, tuned: bool, words: str) -> None:
    reading = compose(make_results({"beale": {"adam": 30.0, "sgd": 60.0}}, tuned=tuned)).reading
    assert words in reading
    assert all(sign in reading for sign in ("∞", "✕", "f*", "1/3", "solved"))


def test_equal_prices_are_not_called_a_difference(make_results: Callable) -> None:
    text = fact(compose(make_results({"beale": {"adam": 30.0, "sgd": 60.0}})), "Price")
    assert text.startswith("A step of each costs the same; ")
