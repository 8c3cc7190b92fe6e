"""Several results folders as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UsageError
from ..store import Results as Stored


@dataclass(frozen=True)
class Joined:
    """The tables of several results folders, one below the other. A run that stands in several is taken once."""

    runs: pd.DataFrame
    trials: pd.DataFrame
    curves: pd.DataFrame
    hits: pd.DataFrame
    slices: pd.DataFrame
    sweeps: Sequence[Mapping[str, Any]]


def load_all(folders: Sequence[Path]) -> Joined:
    """Load these results folders.

    Raises:
        UsageError: no folder was named, one is no results folder, or they hold no finished run.
    """
    if not folders:
        raise UsageError("which results? name at least one folder: optbench report results/quick")
    return join([Stored(folder) for folder in folders])


def join(parts: Sequence[Stored]) -> Joined:
    """One result set from several; of runs with equal identity the first is kept."""
    if len(parts) == 1:
        only = parts[0]
        return Joined(only.runs, only.trials, only.curves, only.hits, only.slices, only.sweeps)
    seen: set[str] = set()
    kept: list[set[str]] = []
    for part in parts:
        kept.append(set(part.runs["run_id"]) - seen)
        seen |= kept[-1]

    def stacked(name: str) -> pd.DataFrame:
        frames = [
            frame[frame["run_id"].isin(ids)]
            for part, ids in zip(parts, kept, strict=True)
            if len(frame := getattr(part, name))
        ]
        return pd.concat(frames, ignore_index=True) if frames else getattr(parts[0], name)

    sweeps = [sweep for part in parts for sweep in part.sweeps]
    runs, trials, curves, hits, slices = map(stacked, ("runs", "trials", "curves", "hits", "slices"))
    return Joined(runs, trials, curves, hits, slices, sweeps)
