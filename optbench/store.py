"""Results on disk: parquet shards that are whole or absent, and a page of provenance for each sweep."""

from __future__ import annotations

import json
import os
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .errors import StoreWarning, UsageError
from .tables import NAMES, Tables

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

SCHEMA = 1
"""Raised when a column changes its meaning; a folder of a newer schema is refused."""
RUNS_A_SHARD = 100
SECONDS_A_SHARD = 5.0
EMPTY = {
    "curves": {
        "run_id": "str",
        "trial": "int",
        "step": "int",
        "seconds": "float",
        "loss": "float",
        "objective": "float",
    },
    "slices": {
        "run_id": "str",
        "trial": "int",
        "instrument": "str",
        "other": "int",
        "alpha": "float",
        "beta": "float",
        "objective": "float",
    },
    "hits": {"run_id": "str", "trial": "int", "target": "float", "step": "float", "evaluations": "float"},
}
"""Columns of a table in which no run has a row, as when every run failed."""
LEADING = (
    *("run_id", "trial", "role", "setting", "seed", "status", "status_step", "final_loss", "best_loss", "start_loss"),
    *("selection_loss", "steps_to_target", "evaluations_to_target", "target", "step", "evaluations", "seconds"),
    *("loss", "objective"),
)
"""The columns that frames begin with, the others follow by name: neither depends on the order of the shards, nor do rows."""
LABELS = ("problem", "optimizer", "schedule", "modifier")


class Results:
    """The results of one folder as pandas frames; their columns are those of docs/results.md.

    Args:
        path: a folder written by `optbench run`.

    Raises:
        UsageError: the folder is missing, is not one of optbench's, or was written by a newer version.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.sweeps: list[dict[str, Any]] = read_header(self.path)["sweeps"]

    def __repr__(self) -> str:
        return f"Results({str(self.path)!r}: {len(self.runs)} runs, {len(self.trials)} trials)"

    @cached_property
    def _shards(self) -> list[str]:
        """Shards whose files can all be read."""
        return [
            shard
            for shard in sorted(p.stem.removeprefix("runs-") for p in self.path.glob("runs-*.parquet"))
            if all(_readable(self.path / f"{name}-{shard}.parquet") for name in NAMES if self._has(name, shard))
        ]

    def _has(self, name: str, shard: str) -> bool:
        return name != "slices" or (self.path / f"{name}-{shard}.parquet").exists()

    @cached_property
    def _newest(self) -> pd.DataFrame:
        """One row a run, with the shard that holds it."""
        tables = [pq.read_table(self.path / f"runs-{s}.parquet") for s in self._shards]
        if not any(len(t) for t in tables):
            raise UsageError(f"{self.path} holds no finished run; `optbench run results={self.path} …` fills it")
        tables = [t.append_column("shard", pa.array([s] * len(t))) for t, s in zip(tables, self._shards, strict=True)]
        runs = pa.concat_tables(tables, promote_options="permissive").to_pandas()
        runs = runs.sort_values("finished", kind="stable").drop_duplicates("config_id", keep="last")
        planned = {run_id: k for k, run_id in enumerate(i for sweep in self.sweeps for i in sweep["run_ids"])}
        return runs.sort_values("run_id", key=lambda ids: ids.map(planned), kind="stable").reset_index(drop=True)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row a run, in the order in which they were asked for; where one was done again, the newer."""
        return self._newest.drop(columns="shard")

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial."""
        return self._with_run("trials", [*LABELS, "step_seconds", "state_bytes", "peak_bytes"])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row a recorded step of an evaluation trial."""
        curves = self._with_run("curves", list(LABELS))
        return curves.merge(self.trials[["run_id", "trial", "role", "seed"]], on=["run_id", "trial"], how="left")

    @cached_property
    def hits(self) -> pd.DataFrame:
        """One row a (trial, target): when it was reached."""
        return self._read("hits")

    @cached_property
    def slices(self) -> pd.DataFrame:
        """One row a place on a line between solutions or on a plane around one."""
        return self._read("slices")

    def _read(self, name: str) -> pd.DataFrame:
        """The rows of a table that belong to the newest runs."""
        tables = []
        for shard, runs in self._newest.groupby("shard", sort=False)["run_id"]:
            if not self._has(name, str(shard)):
                continue
            table = pq.read_table(self.path / f"{name}-{shard}.parquet")
            if table.num_columns:
                tables.append(table.filter(pc.field("run_id").isin(list(runs))))
        if not tables:
            return pd.DataFrame({c: pd.Series(dtype=d) for c, d in EMPTY[name].items()})
        frame = pa.concat_tables(tables, promote_options="permissive").to_pandas(strings_to_categorical=True)
        known = [column for column in LEADING if column in frame]
        frame = frame[[*known, *(c for c in frame.columns if c not in known)]]
        place = {run_id: k for k, run_id in enumerate(self._newest["run_id"])}
        order = frame["run_id"].map(place).astype(int).argsort(kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    def _with_run(self, name: str, columns: list[str]) -> pd.DataFrame:
        frame = self._read(name)
        by_run = self.runs.set_index("run_id")
        for column in columns:
            values = frame["run_id"].astype(str).map(by_run[column])
            frame[column] = values.astype("category" if column in LABELS else float)
        return frame


class Store:
    """Writes the runs of one sweep into a folder, a shard at a time.

    Args:
        path: the folder; made where it is missing.
        sweep: command, provenance and settings of this sweep.

    Raises:
        UsageError: the folder is foreign, of a newer schema, or cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str], sweep: dict[str, Any]):
        self.path = Path(path)
        self._waiting: list[Tables] = []
        self._last = time.monotonic()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with _alone(self.path):
                used = any(file.suffix != ".tmp" for file in self.path.iterdir())
                header = read_header(self.path) if used else _new_header()
                header["sweeps"].append(sweep)
                _write(self.path / "sweep.json", lambda tmp: tmp.write_text(json.dumps(header, indent=1, default=str)))
        except OSError as error:
            raise UsageError(
                f"{self.path} cannot be written to: {error.strerror or error}; choose another with results=…"
            ) from error

    def finished(self) -> set[str]:
        """Ids of the runs on disk that need not be done again."""
        done: set[str] = set()
        for shard in Results(self.path)._shards:
            runs = pq.read_table(self.path / f"runs-{shard}.parquet", columns=["run_id", "status"])
            done |= {i for i, s in zip(*(c.to_pylist() for c in runs.columns), strict=True) if s == "ok"}
        return done

    def add(self, tables: Tables) -> None:
        """Take in a run; written with the next shard.

        Raises:
            OSError: the disk is full or read-only; the run stays in memory and a later `flush` may still write it.
        """
        self._waiting.append(tables)
        if len(self._waiting) >= RUNS_A_SHARD or time.monotonic() - self._last > SECONDS_A_SHARD:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one shard, whole or not at all."""
        if not self._waiting:
            return
        joined, shard = Tables.joined(self._waiting), uuid.uuid4().hex
        written: list[Path] = []
        try:
            for name in NAMES:
                table = getattr(joined, name).replace_schema_metadata({"optbench_schema": str(SCHEMA)})
                if name == "slices" and not table.num_columns:
                    continue
                target = self.path / f"{name}-{shard}.parquet"
                _write(target, lambda tmp, table=table: pq.write_table(table, tmp, compression="zstd"))
                written.append(target)
        except BaseException:  # Ctrl-C too
            for path in written:
                path.unlink(missing_ok=True)
            raise
        self._waiting.clear()
        self._last = time.monotonic()


def read_header(path: Path) -> dict[str, Any]:
    """The contents of sweep.json.

    Raises:
        UsageError: no such folder, a foreign one, a damaged header, or one of a newer schema.
    """
    if not path.is_dir():
        raise UsageError(f"there is no results folder {path}; `optbench run results={path} …` makes it")
    header = path / "sweep.json"
    try:
        content = json.loads(header.read_text())
        schema, _ = content["optbench_schema"], content["sweeps"]
    except FileNotFoundError:
        raise UsageError(
            f"{path} is not a results folder of optbench (it has no sweep.json); choose another with results=…"
        ) from None
    except OSError as error:
        raise UsageError(f"{header} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{header} is damaged; move the folder away, or delete that file's folder and run again"
        ) from None
    if schema > SCHEMA:
        raise UsageError(
            f"{path} was written by a newer optbench (schema {schema}, this one reads {SCHEMA}); update optbench"
        )
    return content


def _new_header() -> dict[str, Any]:
    return {"optbench_schema": SCHEMA, "sweeps": []}


def _readable(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read (cut short?)"
        warnings.warn(
            f"{path} {reason}; its runs are left out. Run the same sweep again to make them anew.",
            StoreWarning,
            stacklevel=3,
        )
        return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other sweeps that begin in this folder waiting, so that none writes over another's entry."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which gives the lock back


def _write(target: Path, write: Any) -> None:
    """Write a file whole or not at all: to a temporary name, to disk, then renamed."""
    temporary = target.with_name(target.name + ".tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:  # Ctrl-C too
        temporary.unlink(missing_ok=True)
        raise
