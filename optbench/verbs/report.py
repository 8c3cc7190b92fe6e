"""`optbench report`: the comparison report of one or several results folders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..report.build import build_report


def report(results: Sequence[str], output: str | None) -> int:
    """Write the report and say where it is."""
    began = time.perf_counter()
    folders = [Path(folder) for folder in results]
    out = Path(output) if output else Path("reports") / folders[0].resolve().name
    try:
        page = build_report(folders, out)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written to: {error.strerror or error}; choose another with -o DIR"
        ) from error
    print(f"{page}  ({time.perf_counter() - began:.1f} s)")
    return 0
