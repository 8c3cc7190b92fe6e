"""`optbench report`: the comparison report of one or several results folders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ..report.build import build_report


def report(results: Sequence[str], output: str | None) -> int:
    """Write the report and say where it is."""
    began = time.perf_counter()
    folders = [Path(folder) for folder in results]
    page = build_report(folders, Path(output) if output else Path("reports") / folders[0].resolve().name)
    print(f"{page}  ({time.perf_counter() - began:.1f} s)")
    return 0
