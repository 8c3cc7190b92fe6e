"""Which runs and trials of two result sets answer the same question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from .model import CELL, EVALUATED, RUN

AGREE = {
    "steps": "budgets",
    "target": "targets",
    "minimum": "minima",
    "n": "sizes",
    "dtype": "dtypes",
    "device": "devices",
}
"""Columns of a run that must be equal on both sides, or its numbers answer different questions."""
NUMBERS = ["status", "final_loss", "steps_to_target", "evaluations"]
FIXED = {
    *CELL,
    *NUMBERS,
    *("run_id", "trial", "setting", "seed", "status_step", "start_loss", "best_loss", "selection_loss"),
    *("evaluations_to_target", "step_seconds", "state_bytes", "peak_bytes"),
}
"""Columns of every trials table; the further ones are searched settings, or metrics called `final_…`."""


def paired_runs(base: pd.DataFrame, new: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """One row a run that both sides have, columns as `…_base` and `…_new`; `same_host` where their hosts agree."""
    key = RUN
    if base.duplicated(RUN).any() or new.duplicated(RUN).any():
        key = [*RUN, "config_id"]
        notes.append("some labels stand for several configurations: runs are paired where all settings agree")
    both = base.merge(new, on=key, how="outer", suffixes=("_base", "_new"), indicator="side")
    for side, name in (("left_only", "base"), ("right_only", "new")):
        only = both[both.side == side]
        if len(only):
            notes.append(f"{count(len(only), 'run')} only in {name}: {few(map(label, only.to_dict('records')))}")
    both = both[both.side == "both"].drop(columns="side")
    same = pd.Series(True, index=both.index)
    built = (
        both.target_base.notna() & both.target_new.notna()
    )  # a run that failed before it began says little of itself
    for column, plural in AGREE.items():
        differ = same & built & ~equal(both[f"{column}_base"], both[f"{column}_new"])
        for row in both[differ].to_dict("records"):
            values = f"{value(row[f'{column}_base'])} and {value(row[f'{column}_new'])}"
            notes.append(f"{label(row)}: not compared, the {plural} differ ({values})")
        same &= ~differ
    both = both[same].reset_index(drop=True)
    both["pair"] = both.index
    both["same_host"] = both.host_base == both.host_new
    return both


def paired_trials(runs: pd.DataFrame, base: pd.DataFrame, new: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """One row a trial that both sides have.

    Evaluation trials are paired by run, role and seed: the tuned setting is the result of its side, and a note says
    where it differs. Tuning trials are paired by run, seed and the values of their settings.
    """
    settings = [c for c in base.columns if c in new.columns and c not in FIXED and not c.startswith("final_")]
    columns = ["run_id", "trial", "role", "seed", *NUMBERS, *settings]
    about = [*RUN, "pair", "same_host"]
    base, new = _words(base[columns]), _words(new[columns])
    left = runs[[*about, "run_id_base"]].merge(base, left_on="run_id_base", right_on="run_id")
    right = runs[["pair", "run_id_new"]].merge(new, left_on="run_id_new", right_on="run_id")
    left, right = left.drop(columns="run_id"), right.drop(columns="run_id")
    groups = []
    for evaluated, key in ((True, ["pair", "role", "seed"]), (False, ["pair", "role", "seed", *settings])):
        sides = [f[f.role.isin(EVALUATED) == evaluated].drop_duplicates(key) for f in (left, right)]
        group = sides[0].merge(sides[1], on=key, suffixes=("_base", "_new"))
        kind = "evaluation" if evaluated else "tuning"
        for name, side in zip(("base", "new"), sides, strict=True):
            if len(side) > len(group):
                notes.append(f"{count(len(side) - len(group), f'{kind} trial')} of paired runs only in {name}")
        groups.append(group)
    notes.extend(_settings_that_differ(groups[0], settings))
    keep = [*CELL, "pair", "same_host", "seed", "run_id_base", "run_id_new", "trial_base", "trial_new"]
    keep += [f"{name}_{side}" for name in NUMBERS for side in ("base", "new")]
    return pd.concat([group[keep] for group in groups if len(group)] or [groups[0][keep]], ignore_index=True)


def _words(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as words: those of two frames can only be compared where both happen to have the same ones."""
    return frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, "str"))


def _settings_that_differ(trials: pd.DataFrame, settings: list[str]) -> list[str]:
    first = trials.drop_duplicates([*CELL, "pair"])
    notes = []
    for name in settings:
        was, now = first[f"{name}_base"], first[f"{name}_new"]
        for row in first[~equal(was, now)].to_dict("records"):
            values = f"{value(row[f'{name}_base'])} → {value(row[f'{name}_new'])}"
            notes.append(f"{label({**row, 'role': ''})}: the {row['role']} {name} differs ({values})")
    return notes


def equal(left: pd.Series, right: pd.Series) -> pd.Series:
    """Equal, or missing on both sides."""
    return (left == right) | (left.isna() & right.isna())


def label(row: Any) -> str:
    """`adam · rosenbrock · constant · tuned` from anything with these keys."""
    parts = (row["optimizer"], row["problem"], row["schedule"], row["modifier"], row.get("role", ""))
    return " · ".join(str(part) for part in parts if part)


def value(x: Any) -> str:
    return f"{x:.4g}" if isinstance(x, float) else str(x)


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def few(names: Iterable[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
