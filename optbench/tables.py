"""The result tables of one or several runs in memory, as arrow tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

NAMES = ("slices", "curves", "hits", "trials", "runs")
"""In the order in which a shard's files are written: a run counts once its row of `runs` is on disk.

`slices` is there where something was measured along lines or over planes."""


@dataclass(frozen=True)
class Tables:
    """runs, trials, curves, hits and slices, with the columns of docs/results.md."""

    runs: pa.Table
    trials: pa.Table
    curves: pa.Table
    hits: pa.Table
    slices: pa.Table = field(default_factory=lambda: pa.table({}))

    @classmethod
    def of(
        cls,
        run: Mapping[str, Any],
        trials: Mapping[str, Any],
        curves: Mapping[str, Any],
        hits: Mapping[str, Any],
        slices: Mapping[str, Any] | None = None,
    ) -> Tables:
        """The tables of one run: its row and the columns of the others."""
        return cls(pa.Table.from_pylist([dict(run)]), *map(_table, (trials, curves, hits, slices or {})))

    @classmethod
    def joined(cls, parts: Sequence[Tables]) -> Tables:
        """The rows of several, columns that some lack filled with nulls."""
        return cls(
            **{
                name: pa.concat_tables(
                    [getattr(p, name) for p in parts if getattr(p, name).num_columns] or [pa.table({})],
                    promote_options="permissive",
                )
                for name in NAMES
            }
        )


def _table(columns: Mapping[str, Any]) -> pa.Table:
    return pa.table({name: pa.array(np.asarray(values)) for name, values in columns.items()})
