"""Hydra's override grammar: what was typed, and the values each override sweeps over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString, RangeSweep
from hydra.errors import HydraException

from .errors import UsageError, one_line

SHORT = {"data": "problem.data", "problem.class": "problem.network_class"}
"""Keys that may be written shorter."""


def parse(words: Sequence[str]) -> list[Override]:
    """Overrides from words such as `optimizer=adam,sgd`.

    Raises:
        UsageError: a word is no override, or one that deletes a key.
    """
    parser = OverridesParser.create()
    parsed = []
    for word in words:
        try:
            override = parser.parse_override(word)
        except HydraException as error:
            hint = "" if "=" in word else "; settings read KEY=VALUE, such as problem=rosenbrock"
            raise UsageError(f"{word!r} cannot be read{hint or ': ' + one_line(error)}") from error
        if override.is_delete():
            raise UsageError(f"{word!r}: keys cannot be deleted; set a value instead")
        override.key_or_group = SHORT.get(override.key_or_group, override.key_or_group)
        parsed.append(override)
    return parsed


def alternatives(key: str, override: Override) -> list[Any]:
    """The values an override sweeps over; one where it does not sweep."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return [_plain(item) for item in value.list]
    if isinstance(value, RangeSweep):
        return [_plain(item) for item in value.range()]
    if override.is_sweep_override():
        raise UsageError(f"{key}: sweeps are lists (a,b), choice(…), range(…) and, for groups, glob(…)")
    return [_plain(value)]


def _plain(value: Any) -> Any:
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    return value
