"""Schedules made of schedules: how their parts are written and built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..interfaces import Schedule
from ..registry import build

Part = Schedule | str | Mapping[str, Any]
"""A schedule, its name, or a mapping of its name and settings: `{name: cosine, floor: 0.1}`."""


def built(owner: str, parts: Sequence[Part]) -> tuple[Schedule, ...]:
    """The parts as schedules.

    Raises:
        UsageError: a part cannot be built; the line names its place, counted from 0.
    """
    if isinstance(parts, (str, Mapping)) or not isinstance(parts, Sequence) or not parts:
        raise UsageError(f"{owner}: parts must be a list of schedules such as [warmup,cosine], got {parts!r}")
    return tuple(_built(owner, place, part) for place, part in enumerate(parts))


def _built(owner: str, place: int, part: Part) -> Schedule:
    if isinstance(part, Schedule):
        return part
    if isinstance(part, str):
        part = {"name": part}
    if not isinstance(part, Mapping) or not isinstance(part.get("name"), str):
        raise UsageError(f"{owner}: parts[{place}] must be a name or {{name: cosine, floor: 0.1}}, got {part!r}")
    try:
        return build("schedule", part["name"], {key: value for key, value in part.items() if key != "name"})
    except UsageError as error:
        raise UsageError(f"{owner}: parts[{place}]: {error}") from error


def within(schedule: Schedule) -> Iterator[Schedule]:
    """A schedule's parts and theirs; nothing for one that has none."""
    for part in getattr(schedule, "schedules", ()):
        yield part
        yield from within(part)
