from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import pytest
import torch

from optbench.checks import check_settings, setting


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One setting of each kind."""

    rate: Any = setting(0.1, least=0)
    part: Any = setting(0.5, above=0, below=1)
    most: Any = setting(1.0, most=2)
    count: Any = setting(3, least=1)
    pair: Any = setting((0.9, 0.99), least=0, below=1)
    way: Any = setting("up", choices=("up", "down"))
    flag: Any = setting(False)
    maybe: Any = setting(None, optional=True, least=0)
    free: Any = None

    def __post_init__(self) -> None:
        check_settings(self)


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rate": 0},
        {"rate": 1e300},
        {"most": -1e9},
        {"most": 2},
        {"count": 1},
        {"count": 4.0},
        {"count": 2**53},
        {"pair": [0, 0.5]},
        {"pair": (column(0.1, 0.2), 0.5)},
        {"way": "down"},
        {"flag": True},
        {"maybe": None},
        {"maybe": 3},
        {"rate": column(0, 1)},
        {"free": object()},
    ],
)
def test_values_within_their_range_pass(settings: dict[str, Any]) -> None:
    Sample(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rate": -1e-9}, r"Sample: rate must lie in \[0, inf\), got -1e-09"),
        ({"rate": math.nan}, "rate must lie in"),
        ({"rate": math.inf}, "rate must lie in"),
        ({"part": 0}, r"part must lie in \(0, 1\), got 0"),
        ({"part": 1}, r"part must lie in \(0, 1\)"),
        ({"most": 2.1}, r"most must lie in \(-inf, 2\]"),
        ({"count": 0}, r"count must lie in \[1, inf\), whole"),
        ({"count": 2.5}, "count must be a whole number"),
        ({"count": math.nan}, "count"),
        ({"count": math.inf}, "count"),
        ({"pair": (0.9,)}, "pair must hold 2 numbers"),
        ({"pair": (0.9, 1)}, "pair must lie in"),
        ({"way": "upp"}, "way must be one of up, down, got 'upp'; did you mean 'up'"),
        ({"flag": 1}, "flag must be true or false, got 1"),
        ({"maybe": -1}, "maybe must lie in .* or null"),
        ({"rate": column(0.1, 0.2, -3)}, r"rate must lie in \[0, inf\), got -3 in trial 2"),
        ({"rate": column(0.1, math.nan)}, "in trial 1"),
        ({"pair": (0.5, column(0.1, 1.5))}, "got 1.5 in trial 1"),
        ({"rate": "0.1"}, "rate must be a number, got '0.1'"),
        ({"rate": None}, "rate must be a number, got None"),
        ({"rate": [0.1]}, "rate must be a number"),
        ({"way": ["up"]}, "way must be one of"),
        ({"flag": column(0, 1)}, "^Sample: flag is no number, so it must be the same in all trials"),
        ({"way": column(0, 1)}, "^Sample: way is no number, so it must be the same in all trials"),
        ({"count": 1e30}, r"count must be a whole number of at most 2\*\*53, got 1e\+30"),
    ],
)
def test_a_value_outside_is_named_with_its_rule(settings: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said) as told:
        Sample(**settings)
    assert "\n" not in str(told.value)


def test_every_range_reads_as_mathematics() -> None:
    told = {f.name: str(f.metadata["range"]) for f in fields(Sample) if "range" in f.metadata}
    assert told["rate"] == "[0, inf)"
    assert told["part"] == "(0, 1)"
    assert told["most"] == "(-inf, 2]"
    assert told["way"] == "{up, down}"
    assert told["maybe"] == "[0, inf), or null"


@dataclass(frozen=True, kw_only=True)
class Switched:
    form: str = setting("round", choices=("round", "square", "none"))
    width: Any = setting(2.0, above=0, only={"form": ("square",)})
    colour: Any = setting(0.5, least=0, only={"form": ("round", "square")})

    def __post_init__(self) -> None:
        check_settings(self)


@pytest.mark.parametrize(
    "settings",
    [
        {"form": "square", "width": 3.0},
        {"width": 2},  # as it is anyhow
        {"form": "square", "width": torch.tensor([[1.0], [2.0]])},
        {"colour": torch.tensor([[1.0], [2.0]])},
        {"form": "none", "colour": 0.5},
    ],
)
def test_settings_that_have_an_effect_may_be_anything_in_their_range(settings: dict[str, Any]) -> None:
    Switched(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"width": 3.0}, "Switched: width has an effect only with form=square, got form=round"),
        ({"width": torch.tensor([[2.0], [2.5]])}, "width has an effect only with form=square"),
        ({"form": "none", "colour": 0.0}, "colour has an effect only with form=round or square, got form=none"),
        ({"form": "oval", "width": 3.0}, "form must be one of round, square, none"),
    ],
)
def test_a_setting_without_an_effect_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Switched(**settings)
