"""The comparison report: a page, a Markdown file, and every figure and table as a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
    from .load import load_all

    folders = [Path(folder) for folder in results]
    return write_report(load_all(folders), Path(out), title, ", ".join(folder.name for folder in folders))


def write_report(results, out: Path, title: str | None = None, source: str = "") -> Path:
    """The same from results that are loaded already (`optbench.load`, `optbench.run`)."""
    from .content import compose
    from .export import export
    from .markdown import render as markdown
    from .page import render as page

    content = compose(results, title, source)
    out.mkdir(parents=True, exist_ok=True)
    export(content.figures, content.tables, out)
    (out / "report.md").write_text(markdown(content), encoding="utf-8")
    index = out / "index.html"
    index.write_text(page(content), encoding="utf-8")
    return index
