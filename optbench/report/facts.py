"""The four facts below the lead: fastest, how sure, failures, price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from .numbers import fixed, grouped, listed, number, p_value, percent, plural, ratio, word
from .standing import Standing
from .story import Name, Text, of_problems, solved_by


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
        f" needs the fewest steps to the target on {of_problems(len(wins[first]), total)}",
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
    elif ratio(dear["step_ratio"] / cheap["step_ratio"]) == "1×":
        most = found.sort_values("state_bytes_per_parameter", kind="stable").iloc[-1]
        text = [
            "A step of each costs the same; ", Name(int(most["index"]), most["contestant"]),
            f" keeps the most state, {number(most['state_bytes_per_parameter'])} bytes a parameter.",
        ]  # fmt: skip
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
