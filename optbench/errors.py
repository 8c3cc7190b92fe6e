"""Errors for people, and the words that were probably meant. Imports nothing heavy, so that every verb can use it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """Something the person typed is wrong; its text is one line that names the fix. The command line exits with 2."""


class MisfitError(UsageError):
    """An optimizer cannot work on a problem; the other runs of a sweep are not concerned."""


class PlanWarning(UserWarning):
    """A run that cannot be done was left out of a sweep, or one is hardly meant as it is."""


class StoreWarning(UserWarning):
    """Some files of a results folder were left out."""


def near(word: str, words: Iterable[str]) -> str:
    """ "; did you mean 'adam'?" when one of the words is close to this one, capital letters apart; else nothing."""
    spelt: dict[str, list[str]] = {}
    for known in words:
        spelt.setdefault(known.lower(), []).append(known)
    exact = word.lower() in spelt
    close = difflib.get_close_matches(word.lower(), spelt, n=1 if exact else 3, cutoff=0.6)
    likely = [repr(max(spelt[c], key=lambda known: difflib.SequenceMatcher(None, known, word).ratio())) for c in close]
    return f"; did you mean {' or '.join(likely)}?" if likely else ""


def one_line(error: BaseException, most: int = 300) -> str:
    """The text of an error in one line; its type where it has none."""
    return " ".join(str(error).split())[:most] or type(error).__name__
