"""What a docstring says, in parts: summary, formula, settings, source."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any


def describe(cls: type) -> dict[str, Any]:
    """Parts of a class's docstring: `summary` (first sentence), `formula` (its indented block), `text`, `args`, `source`.

    Parts that the docstring lacks are empty.
    """
    doc = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if not doc:
        return {"summary": "", "formula": "", "text": "", "args": {}, "source": ""}
    body, _, source = doc.partition("\nSource:")
    body, _, _ = body.partition("\nRaises:")
    body, _, args = body.partition("\nArgs:")
    summary, _, rest = body.partition("\n\n")
    blocks = re.split(r"\n\s*\n", rest)
    formulas = [textwrap.dedent(b) for b in blocks if b.startswith("    ")]
    text = [" ".join(b.split()) for b in blocks if b.strip() and not b.startswith("    ")]
    return {
        "summary": " ".join(summary.split()),
        "formula": "\n".join(formulas).strip("\n"),
        "text": "\n".join(text),
        "args": _args(args),
        "source": " ".join(source.split()),
    }


def _args(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", text):
        names, colon, meaning = entry.strip().partition(":")
        if colon:
            found |= {name.strip(): " ".join(meaning.split()) for name in names.split(",")}
    return found
