"""What a docstring says, in parts: summary, formula, settings, source, and what has the same result."""

from __future__ import annotations

import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from typing import Any

DIRECTIVE = re.compile(r"^[ \t]*\.\. [^\n]*(?:\n[ \t]*(?=\n)|\n[ \t]+\S[^\n]*)*", re.MULTILINE)
"""A block of reStructuredText, such as `.. math::` with the indented lines under it."""
ROLE = re.compile(r":[\w:]+:`~?([^`]*)`")
FIELD = re.compile(r"^:(?:param|type|returns?|rtype|raises)\b", re.MULTILINE)
SENTENCE = re.compile(r"(?<=[.)])\s+(?=[A-Z])")
EQUAL = re.compile(r"\bsame (?:result|values)\b", re.IGNORECASE)


def describe(cls: Any) -> dict[str, Any]:
    """Parts of a docstring: `summary` (first paragraph), `formula` (the indented blocks after it), `text`, `args`, `source`,
    `equals`.

    `text` has a paragraph a line; formulas between them stay where they are, indented by four. `equals` are the sentences of
    the source that say what has the same result, or the same values. Parts that the docstring lacks are empty; arguments of
    the classes it is derived from are told too. Of foreign docstrings, written in reStructuredText, only summary and
    arguments are taken: their mathematics is LaTeX, which nobody reads on a terminal.
    """
    doc = inspect.cleandoc(cls.__doc__ or "").replace("\nArguments:", "\nArgs:")
    foreign = any(mark.search(doc) for mark in (DIRECTIVE, ROLE, FIELD))
    body, _, source = _plain(doc, foreign).partition("\nSource:")
    body, _, _ = body.partition("\nRaises:")
    body, _, args = body.partition("\nArgs:")
    summary, _, rest = body.strip().partition("\n\n")
    blocks = [] if foreign else re.split(r"\n\s*\n", rest)
    rest = list(itertools.dropwhile(_is_formula, blocks))
    formulas = map(textwrap.dedent, blocks[: len(blocks) - len(rest)])
    inherited: dict[str, str] = {}
    for base in [] if foreign else reversed(getattr(cls, "__mro__", ())[1:]):
        above = inspect.cleandoc(base.__doc__ or "").partition("\nSource:")[0].partition("\nRaises:")[0]
        inherited |= _args(above.partition("\nArgs:")[2])
    text = [textwrap.indent(textwrap.dedent(b), "    ") if _is_formula(b) else _flowing(b) for b in rest if b.strip()]
    told = [] if foreign else SENTENCE.split(_flowing(source))
    return {
        "summary": _flowing(summary),
        "formula": "\n".join(formulas).strip("\n"),
        "text": "\n".join(text),
        "args": inherited | _args(args.split("\n\n")[0] if foreign else args),
        "source": " ".join(sentence for sentence in told if not EQUAL.search(sentence)),
        "equals": " ".join(sentence for sentence in told if EQUAL.search(sentence)),
    }


def parts(text: str) -> Iterator[tuple[bool, str]]:
    """The `text` of `describe`, cut where formulas begin and end; whether each part is a formula, which is not indented here."""
    for is_formula, lines in itertools.groupby(text.splitlines(), _is_formula):
        yield is_formula, textwrap.dedent("\n".join(lines))


def headline(cls: Any) -> str:
    """The first sentence of a docstring, for lists; what leads to a formula ends with a full stop all the same."""
    first = SENTENCE.split(describe(cls)["summary"])[0]
    return first.removesuffix(":") + "." if first.endswith(":") else first


def _is_formula(block: str) -> bool:
    return block.startswith("    ")


def _flowing(text: str) -> str:
    """In one line; a hyphen at the end of a line keeps its word together."""
    return " ".join(re.sub(r"(?<=\w)-\n\s*", "-", text).split())


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
