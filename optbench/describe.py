"""What a docstring says, in parts: summary, formula, settings, source."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

DIRECTIVE = re.compile(r"^[ \t]*\.\. [^\n]*(?:\n[ \t]*(?=\n)|\n[ \t]+\S[^\n]*)*", re.MULTILINE)
"""A block of reStructuredText, such as `.. math::` with the indented lines under it."""
ROLE = re.compile(r":[\w:]+:`~?([^`]*)`")
FIELD = re.compile(r"^:(?:param|type|returns?|rtype|raises)\b", re.MULTILINE)


def describe(cls: Any) -> dict[str, Any]:
    """Parts of a docstring: `summary` (first sentence), `formula` (its indented block), `text`, `args`, `source`.

    Parts that the docstring lacks are empty; arguments of the classes it is derived from are told too. Of foreign
    docstrings, written in reStructuredText, only summary and arguments are taken: their mathematics is LaTeX, which
    nobody reads on a terminal.
    """
    doc = inspect.cleandoc(cls.__doc__ or "")
    foreign = any(mark.search(doc) for mark in (DIRECTIVE, ROLE, FIELD))
    body, _, source = _plain(doc, foreign).partition("\nSource:")
    body, _, _ = body.partition("\nRaises:")
    body, _, args = body.partition("\nArgs:")
    summary, _, rest = body.strip().partition("\n\n")
    blocks = [] if foreign else re.split(r"\n\s*\n", rest)
    formulas = [textwrap.dedent(b) for b in blocks if b.startswith("    ")]
    inherited: dict[str, str] = {}
    for base in [] if foreign else reversed(getattr(cls, "__mro__", ())[1:]):
        above = inspect.cleandoc(base.__doc__ or "").partition("\nSource:")[0].partition("\nRaises:")[0]
        inherited |= _args(above.partition("\nArgs:")[2])
    text = [" ".join(b.split()) for b in blocks if b.strip() and not b.startswith("    ")]
    return {
        "summary": " ".join(summary.split()),
        "formula": "\n".join(formulas).strip("\n"),
        "text": "\n".join(text),
        "args": inherited | _args(args.split("\n\n")[0] if foreign else args),
        "source": "" if foreign else " ".join(source.split()),
    }


def _plain(doc: str, foreign: bool) -> str:
    return ROLE.sub(r"\1", DIRECTIVE.sub("", doc)).replace("`", "") if foreign else doc


def _args(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", text):
        names, colon, meaning = entry.strip().partition(":")
        if colon:
            names = re.sub(r"\(.*\)", "", names)  # as in `lr (float, optional)`
            found |= {name.strip(): " ".join(meaning.split()) for name in names.split(",")}
    return found
