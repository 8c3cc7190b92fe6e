"""The sentences of the report: what the numbers allow to say, and what they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from .numbers import amount, fixed, grouped, listed, number, p_value, percent, plural, ratio, word
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
        does = "does not solve the only problem" if total == 1 and not only else f"solves {_of(only, total)}"
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
        f" {'has' if len(first) == 1 else 'share'} the best mean rank, {fixed(best, 2)} of {len(standing.order)}, and ",
        f"{'solves' if len(first) == 1 else 'solve'} ",
        _of(counts[0], total)
        if len(set(counts)) == 1
        else f"{word(min(counts))} to {word(max(counts))} of {word(total)} problems",
        ". ",
        *_evidence(match, standing, first),
    ]
    return [*text, unsolved] if nobody else text


def _of(count: int, total: int) -> str:
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


def facts(
    match: Contest, summary: pd.DataFrame, optimizers: pd.DataFrame, standing: Standing
) -> list[tuple[str, Text]]:
    """Fastest, How sure, Failures, Price."""
    return [
        ("Fastest", _fastest(match, summary)),
        ("How sure", _how_sure(match, standing)),
        ("Failures", _failures(match, summary)),
        ("Price", _price(match, optimizers)),
    ]


def _fastest(match: Contest, summary: pd.DataFrame) -> Text:
    wins: dict[int, list[str]] = {}
    for problem, who in solved_by(summary).items():
        if who:
            part = summary[(summary["problem"] == problem)].set_index("index")["median_steps"]
            for i in [i for i in who if part[i] == part[who[0]]]:
                wins.setdefault(i, []).append(problem)
    if not wins:
        return ["No optimizer reaches a target with its median seed."]
    ranked = sorted(wins, key=lambda i: (-len(wins[i]), i))
    total = len(match.problems)
    first = ranked[0]
    text: Text = [
        Name(first, match.contestants[first].label),
        f" reaches the target first on {_of(len(wins[first]), total)}",
    ]
    text.append(
        f" ({_problems(wins[first])})"
        if 1 < len(wins[first]) < total
        else ""
        if total == 1
        else f" ({wins[first][0]})"
        if len(wins[first]) == 1
        else ""
    )
    named = ranked[1:] if len(ranked) <= 5 else ranked[1:4]
    for place, i in enumerate(named):
        text += [". " if place == 0 else "; ", Name(i, match.contestants[i].label), f" on {_problems(wins[i])}"]
    rest = ranked[1 + len(named) :]
    several = any(len(wins[i]) > 1 for i in rest)
    return [*text, f"; {word(len(rest))} others on {'one or more' if several else 'one'} each." if rest else "."]


def _problems(labels: list[str]) -> str:
    return listed(labels) if len(labels) <= 3 else f"{', '.join(labels[:2])} and {word(len(labels) - 2)} more"


def _how_sure(match: Contest, standing: Standing) -> Text:
    k, n = len(standing.order), standing.problems
    if k < 2:
        return ["One optimizer: there is nothing to compare it with."]
    if not n:
        return ["No problem was run by every optimizer, so their ranks cannot be compared."]
    if n < standing.fewest:
        return [
            f"{plural(n, 'problem')}: too few for a test (it takes {standing.fewest}). "
            "The ranks describe these problems and no others."
        ]
    if k == 2:
        return [
            f"{plural(n, 'problem')}. Friedman's test needs three optimizers; "
            "two are best compared problem by problem, below."
        ]
    apart = [(i, j) for a, i in enumerate(standing.order) for j in standing.order[a + 1 :] if standing.apart(i, j)]
    test = f"Friedman p {p_value(standing.p)} over {plural(n, 'problem')}"
    text = f"{test}; two mean ranks must differ by {fixed(standing.cd, 2)} to count. "
    if apart and standing.p < standing.alpha:
        return [text + f"{grouped(len(apart))} of {grouped(k * (k - 1) // 2)} pairs do."]
    if standing.p < standing.alpha:
        return [text + "The optimizers do differ, but no single pair does so by enough to say which."]
    return [text + f"All {word(k)} lie within chance of each other."]


def _failures(match: Contest, summary: pd.DataFrame) -> Text:
    trials, failed, diverged = (int(summary[name].sum()) for name in ("trials", "trials_failed", "trials_diverged"))
    if not failed:
        return [f"None of {plural(trials, 'trial')} diverged or failed."]
    text: Text = [f"{grouped(diverged)} of {plural(trials, 'trial')} diverged ({percent(diverged / trials)})"]
    other = failed - diverged
    by = summary.groupby("index")["trials_diverged"].sum().sort_values(ascending=False, kind="stable")
    worst = [int(i) for i in by.index[by > 0][:3]]
    if worst:
        text.append(": ")
        for place, i in enumerate(worst):
            text += ["" if place == 0 else ", ", Name(i, match.contestants[i].label), f" {grouped(int(by[i]))}"]
        others = diverged - int(by[worst].sum())
        text.append(f", others {grouped(others)}" if others else "")
    text.append(f"; {plural(other, 'trial')} failed otherwise. " if other else ". ")
    return [*text, "All of them stay in every denominator."]


def _price(match: Contest, optimizers: pd.DataFrame) -> Text:
    found = optimizers[np.isfinite(optimizers["step_ratio"])].sort_values(["step_ratio", "index"], kind="stable")
    if found.empty:
        return ["No step was timed."]
    cheap, dear = found.iloc[0], found.iloc[-1]
    if len(found) == 1:
        text: Text = [
            Name(int(cheap["index"]), cheap["contestant"]),
            f" keeps {number(cheap['state_bytes_per_parameter'])} bytes of state a parameter.",
        ]
    else:
        text = [
            "A step of ", Name(int(dear["index"]), dear["contestant"]),
            f" costs {ratio(dear['step_ratio'] / cheap['step_ratio'])} a step of ",
            Name(int(cheap["index"]), cheap["contestant"]),
            f"; its state is {number(dear['state_bytes_per_parameter'])} bytes a parameter.",
        ]  # fmt: skip
    usable = optimizers[optimizers["usable_decades"] > 0]
    if len(usable) > 1:
        wide = usable.sort_values(["usable_decades", "index"], ascending=[False, True], kind="stable").iloc[0]
        text += [
            " Widest usable range of rates: ",
            Name(int(wide["index"]), wide["contestant"]),
            f", {fixed(wide['usable_decades'], 1)} decades in the median.",
        ]
    return text


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
