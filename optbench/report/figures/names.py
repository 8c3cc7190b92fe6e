"""File stems of problems."""

from __future__ import annotations

from collections.abc import Iterable


def file_stem(label: str) -> str:
    """A label as part of a file name and of ids: small letters, digits and hyphens."""
    kept = "".join(ch if ch.isascii() and ch.isalnum() else "-" for ch in label.lower())
    return "-".join(part for part in kept.split("-") if part) or "x"


def stems(labels: Iterable[str]) -> dict[str, str]:
    """A file stem for each label, all different."""
    found: dict[str, str] = {}
    for label in labels:
        stem = plain = file_stem(label)
        number = 2
        while stem in found.values():
            stem, number = f"{plain}-{number}", number + 1
        found[label] = stem
    return found
