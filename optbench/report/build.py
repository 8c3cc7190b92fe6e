"""Building a report: everything said once, then written as page, Markdown and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .content import compose
from .export import draw_files, write_tables
from .load import load_all
from .markdown import render as render_markdown
from .page import render as render_page


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
    joined = load_all(folders)
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
    content = compose(results, title, source)
    content = replace(content, drawn=draw_files(content.match, content.summary, folder))
    write_tables(content.tables, folder)
    (folder / "report.md").write_text(render_markdown(content), encoding="utf-8")
    page = folder / "index.html"
    page.write_text(render_page(content), encoding="utf-8")
    return page
