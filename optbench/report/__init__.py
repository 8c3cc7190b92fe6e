"""The comparison report: a page, a Markdown file, and every figure and table as a file of its own."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["build_report", "write_report"]


def build_report(results: Sequence[Path | str], out: Path | str, title: str | None = None) -> Path:
    """Write a report on one or several results folders and return the path of its page.

    Args:
        results: results folders; their runs are compared with each other.
        out: folder of the report, made if needed: `index.html`, `report.md`, `figures/`, `tables/`.
        title: heading; made from the counts where it is None.

    Raises:
        UsageError: a folder holds no results; the message names it.
    """
    folders = [Path(folder) for folder in results]
    joined = _module("load").load_all(folders)
    return write_report(joined, out, title, ", ".join(folder.resolve().name for folder in folders))


def write_report(results: Any, out: Path | str, title: str | None = None, source: str = "") -> Path:
    """The same from results that are loaded already, as `optbench.load` and `optbench.run` give them.

    Args:
        results: frames `runs`, `trials`, `curves`, `hits`, and the list `sweeps`.
        out: folder of the report.
        title: heading; made from the counts where it is None.
        source: name of the result set.
    """
    folder = Path(out)
    content = _module("content").compose(results, title, source)
    folder.mkdir(parents=True, exist_ok=True)
    _module("export").export(content.figures, content.tables, folder)
    (folder / "report.md").write_text(_module("markdown").render(content), encoding="utf-8")
    page = folder / "index.html"
    page.write_text(_module("page").render(content), encoding="utf-8")
    return page


def _module(name: str) -> Any:
    """A module of this package, loaded when it is first needed: they bring pandas and matplotlib along."""
    return importlib.import_module(f"{__name__}.{name}")
