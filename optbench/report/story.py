"""The sentences of the report: what the numbers allow to say, and what they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from .numbers import amount, fixed, listed, number, plural, word
from .standing import Standing


@dataclass(frozen=True)
class Name:
    """The name of a contestant inside a sentence."""

    index: int
    label: str


@dataclass(frozen=True)
class Underlined:
    """Words that must not be overlooked."""

    text: str


Text = list["str | Name | Underlined"]


def names(match: Contest, indices: Sequence[int], last: str = "and", most: int = 4) -> Text:
    """a, b and c; beyond `most` of them "and 5 more"."""
    found: Text = []
    listed_now = list(indices) if len(indices) <= most else list(indices)[: most - 1]
    more = len(indices) - len(listed_now)
    for place, index in enumerate(listed_now):
        end = place == len(listed_now) - 1 and not more
        found += [] if place == 0 else [f" {last} " if end else ", "]
        found.append(Name(index, match.contestants[index].label))
    return [*found, f" {last} {word(more)} more"] if more else found


def solved_by(summary: pd.DataFrame) -> dict[str, list[int]]:
    """Who solves each problem: the median seed arrives. The fastest first."""
    found = {}
    for problem, part in summary.groupby("problem", sort=False):
        arrived = part[np.isfinite(part["median_steps"])].sort_values(["median_steps", "index"])
        found[str(problem)] = arrived["index"].tolist()
    return found


def lead(match: Contest, summary: pd.DataFrame, standing: Standing) -> Text:
    """One to three sentences: who has the best mean rank, whether that means anything, and what nobody solves."""
    solved, total = solved_by(summary), len(match.problems)
    nobody = [problem for problem, who in solved.items() if not who]
    labels = [c.label for c in match.contestants]
    if len(labels) == 1:
        only = sum(bool(who) for who in solved.values())
        does = "does not solve the only problem" if total == 1 and not only else f"solves {of_problems(only, total)}"
        return [Name(0, labels[0]), f" alone was run; it {does}. A rank needs two optimizers."]
    if len(nobody) == total:
        what = {1: "the problem", 2: "either of the two problems"}.get(total, f"any of the {word(total)} problems")
        return [
            f"Nobody solves {what}: no median seed reaches a target within its budget. The curves below say how far "
            "each one came."
        ]
    unsolved = f" Nobody solves {listed(nobody, 'or') if len(nobody) <= 4 else plural(len(nobody), 'problem')}."
    if not standing.problems:
        text: Text = [
            "No problem was run by every optimizer, so there is no common ranking; each problem speaks alone."
        ]
        return [*text, unsolved] if nobody else text
    first = standing.leaders
    best = standing.mean[first[0]]
    counts = [sum(i in who for who in solved.values()) for i in first]
    text = [
        *names(match, first),
        f" {'has' if len(first) == 1 else 'share'} the best mean rank by steps to the target, "
        f"{fixed(best, 2)} of {len(standing.order)}, and ",
        f"{'solves' if len(first) == 1 else 'solve'} ",
        of_problems(counts[0], total)
        if len(set(counts)) == 1
        else f"{word(min(counts))} to {word(max(counts))} of {word(total)} problems",
        ". ",
        *_evidence(match, standing, first),
    ]
    return [*text, unsolved] if nobody else text


def reading(tuned: bool, seeds: int) -> str:
    """What the words and signs of the report mean, for who reads one for the first time."""
    some = f"{max(seeds // 2, 1)}/{max(seeds, 1)}"
    return (
        "A problem is solved when more than half of the evaluation seeds reach its target within the budget of steps. "
        + (
            "Tuned setting: the best of the settings tried, chosen on tuning seeds and run again on the evaluation seeds. "
            if tuned
            else "Nothing was tuned: every optimizer ran with its defaults, or with the settings in its name. "
        )
        + f"f* is the least possible objective. {some}: so many of the seeds arrived; ∞: too few did; ✕: diverged or failed."
    )


def of_problems(count: int, total: int) -> str:
    if total == 1:
        return "the only problem" if count else "not the only problem"
    return f"{'all ' + word(total) if count == total else word(count) + ' of ' + word(total)} problems"


def _evidence(match: Contest, standing: Standing, first: list[int]) -> Text:
    n, problems = standing.problems, word(standing.problems).capitalize()
    if n < standing.fewest:
        verb = "problem is" if n == 1 else "problems are"
        return [f"{problems} {verb} ", Underlined("too few for a test"), " of whether that is more than chance."]
    rest = (
        [i for i in standing.order if i not in first and standing.apart(first[0], i)]
        if standing.p < standing.alpha
        else []
    )
    with_ = f"With {word(n)} problems this is "
    level = "(Nemenyi, 5 %)"
    if not rest:
        it = "it from any other optimizer" if len(first) == 1 else "them from any other optimizer"
        return [with_, Underlined("not enough evidence"), f" to separate {it} {level}."]
    close = [i for i in standing.order if i not in first and i not in rest]
    apart: Text = [
        with_,
        "enough evidence to separate ",
        "it" if len(first) == 1 else "them",
        " from ",
        *names(match, rest),
    ]
    if not close:
        return [*apart, f", that is from every other optimizer {level}."]
    return [
        *apart,
        f" {level}, and ",
        Underlined("not enough"),
        " for the ",
        "other." if len(close) == 1 else f"other {word(len(close))}.",
    ]


def verdict(match: Contest, summary: pd.DataFrame, problem: str) -> tuple[Text, bool]:
    """One sentence on one problem, and whether it tells of a failure."""
    part = summary[summary["problem"] == problem]
    who = solved_by(part)[problem]
    total = len(part)
    target = amount_of_target(part.iloc[0])
    if not who:
        some = part[part["successes"] > 0]
        if some.empty:
            return [f"Nobody solves it: no seed of any optimizer reaches {target}."], True
        count, seeds = int(some["successes"].sum()), int(part["seeds"].sum())
        return [
            f"Nobody solves it: {plural(count, 'seed')} of {seeds} reach{'es' if count == 1 else ''} {target}, "
            "the median seed of no optimizer does."
        ], True
    best = part.set_index("index")["median_steps"]
    first = [i for i in who if best[i] == best[who[0]]]
    steps = amount(best[who[0]], "steps")
    text: Text = [
        *names(match, first),
        f" {'is' if len(first) == 1 else 'are'} first at the target, after {steps} in the median",
    ]
    if total == 1:
        return [*text, "."], False
    if len(who) == total:
        return [
            *text,
            f"; all {word(total)} optimizers solve it." if total > 2 else "; both optimizers solve it.",
        ], False
    return [*text, f"; {word(len(who))} of {word(total)} optimizers solve{'s' if len(who) == 1 else ''} it."], False


def amount_of_target(row: pd.Series) -> str:
    """The headline target in words: "f* + 0.01" where the minimum is known, else "f = 0.25"."""
    if np.isfinite(row["minimum"]):
        return f"f* + {number(row['target'] - row['minimum'])}"
    return f"f = {number(row['target'])}"
