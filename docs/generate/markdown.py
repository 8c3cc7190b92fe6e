"""Pieces of Markdown: text that is taken as it is, tables, sections."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from optbench.describe import parts

NOTE = "<!-- Written by `make docs`: edit the docstring, not this page. -->"


def plain(text: str) -> str:
    """Text whose signs mean nothing to Markdown, but for `code`; bare addresses become links by themselves."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*|<\[\]]|\b_|_\b)", r"\\\1", part) for part in parts)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    """A page of parts, the empty ones left out."""
    return "\n\n".join([NOTE, f"# {title}", *(part for part in parts if part)]) + "\n"


def section(title: str, body: str) -> str:
    """A heading and what stands under it; nothing where there is nothing."""
    return f"## {title}\n{body}" if body else ""


def prose(text: str) -> str:
    """The text of a docstring, as `describe` gives it."""
    blocks = [[code(b)] if formula else [plain(line) for line in b.splitlines()] for formula, b in parts(text)]
    return "\n\n".join(itertools.chain.from_iterable(blocks))


def code(text: str) -> str:
    """A block of code or a formula."""
    return f"```\n{text}\n```" if text else ""
