"""Errors for people, and the words that were probably meant. Imports nothing heavy, so that every verb can use it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """Something the person typed is wrong; its text is one line that names the fix. The command line exits with 2."""


class MisfitError(UsageError):
    """An optimizer cannot work on a problem; the other runs of a sweep are not concerned."""


class LeftOutWarning(UserWarning):
    """A run that cannot be done was left out of a sweep."""


class StoreWarning(UserWarning):
    """Some files of a results folder were left out."""


def near(word: str, words: Iterable[str]) -> str:
    """ "; did you mean 'adam'?" when one of the words is close to this one, else nothing."""
    close = difflib.get_close_matches(word, list(words), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(w) for w in close)}?" if close else ""


def one_line(error: BaseException, most: int = 300) -> str:
    """The text of an error in one line; its type where it has none."""
    return " ".join(str(error).split())[:most] or type(error).__name__
