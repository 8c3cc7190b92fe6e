"""What each optimizer solves: the suite `smoke_optimizers`, kept as docs/optimizers/smoke.csv and shown in the pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import optbench
from optbench.report import numbers

SUITE = "smoke_optimizers"
PROBLEMS = {
    "quadratic(condition=1)": "sphere",
    "quadratic": "quadratic κ = 100",
    "logistic_regression": "logistic regression",
    "mlp": "digits MLP",
}
"""Labels of the suite's problems, and what tables call them."""
COLUMNS = ["optimizer", "problem", "role", "lr", "seeds", "solved", "steps", "loss", "target", "error"]


def run(results: str | None = None) -> pd.DataFrame:
    """Run the suite, or what is missing of it, and sum up its seeds.

    Args:
        results: folder of the results; not given: results/smoke_optimizers.
    """
    words = [f"suite={SUITE}"] + ([f"results={results}"] if results else [])
    return summary(optbench.run(*words, executor="local"))


def summary(results: optbench.Results) -> pd.DataFrame:
    """One row for each optimizer, problem and role: how many seeds reached the target, median steps and final loss.

    `steps` is infinite and `loss` NaN where the median seed does not arrive or diverges; `error` is the reason where an
    optimizer does not run on a problem at all.
    """
    rows = []
    for _, done in results.runs.sort_values(["optimizer", "problem"]).iterrows():
        both = {"optimizer": done.optimizer, "problem": PROBLEMS[done.problem], "target": done.target}
        trials = results.trials[(results.trials.run_id == done.run_id) & (results.trials.role != "tuning")]
        if done.status != "ok":
            rows += [both | {"role": role, "error": str(done.error).splitlines()[0]} for role in ("default", "tuned")]
            continue
        for role, own in trials.groupby("role", observed=True):
            steps = own.steps_to_target.to_numpy(float)
            losses = np.where(own.status == "ok", own.final_loss.to_numpy(float), np.inf)
            rows.append(
                both
                | {
                    "role": str(role),
                    "lr": float(own.lr.iloc[0]) if "lr" in own else np.nan,
                    "seeds": len(own),
                    "solved": int(np.isfinite(steps).sum()),
                    "steps": float(np.sort(steps)[len(steps) // 2]),
                    "loss": float(np.sort(losses)[len(losses) // 2]),
                    "error": "",
                }
            )
    order = {"optimizer": None, "problem": list(PROBLEMS.values()), "role": ["default", "tuned"]}
    frame = pd.DataFrame(rows, columns=COLUMNS)
    keys = {name: frame[name] if values is None else frame[name].map(values.index) for name, values in order.items()}
    return frame.loc[pd.DataFrame(keys).sort_values(list(keys)).index].reset_index(drop=True)


def write(frame: pd.DataFrame, file: Path) -> None:
    """Keep it, with four digits."""
    frame.to_csv(file, index=False, float_format="%.4g", lineterminator="\n")


def read(file: Path) -> pd.DataFrame:
    """What was kept; empty where nothing was."""
    if not file.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(file, dtype={"error": "string"}).fillna({"error": ""})


def cell(frame: pd.DataFrame, optimizer: str, problem: str, role: str, rate: bool = False) -> str:
    """ "✓ 110" where the median seed arrives, in so many steps; else its final loss; – where it cannot be run."""
    found = frame[(frame.optimizer == optimizer) & (frame.problem == problem) & (frame.role == role)]
    if found.empty or found.iloc[0].error:
        return numbers.MISSING
    row = found.iloc[0]
    words = f"✓ {numbers.number(row.steps)}" if np.isfinite(row.steps) else _short_of(float(row.loss))
    return f"{words} (lr {numbers.number(row.lr)})" if rate and not np.isnan(row.lr) else words


def _short_of(loss: float) -> str:
    return f"✗ {numbers.number(loss)}" if np.isfinite(loss) else "✗ diverged"
