"""Bytes of state a parameter, against what can be counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from optbench.footprint import Footprint, footprint, told
from optbench.optimizers.from_torch import FromTorch
from optbench.registry import build


def of(name: str, dtype: torch.dtype = torch.float32, **settings: Any) -> Footprint:
    return footprint(lambda: build("optimizer", name, settings), dtype)


@pytest.mark.parametrize(
    ("name", "numbers"), [("sgd", 0), ("momentum", 1), ("adagrad", 1), ("adam", 2), ("amsgrad", 3), ("ademamix", 3)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rule_that_keeps_so_many_vectors_keeps_so_many_numbers_a_parameter(
    name: str, numbers: int, dtype: torch.dtype
) -> None:
    assert of(name, dtype) == Footprint(row=numbers * dtype.itemsize, layer=numbers * dtype.itemsize)


def test_lbfgs_keeps_two_vectors_a_pair_and_the_last_point_and_gradient() -> None:
    assert of("lbfgs", history=10).row == (2 * 10 + 2) * 4
    assert of("lbfgs", history=3).row == (2 * 3 + 2) * 4


@pytest.mark.parametrize(
    ("name", "settings", "numbers"),
    [
        ("rmsprop", {}, 1),
        ("rmsprop", {"centered": True}, 2),
        ("rmsprop", {"momentum": 0.5}, 2),
        ("rmsprop", {"centered": True, "momentum": 0.5}, 3),
        ("proximal", {}, 0),
        ("proximal", {"accelerated": True}, 1),
    ],
)
def test_settings_that_need_more_state_say_how_much(name: str, settings: dict[str, Any], numbers: int) -> None:
    assert of(name, **settings).row == 4 * numbers


def test_adafactor_keeps_a_row_and_a_column_of_a_layer() -> None:
    found = of("adafactor")
    assert found.layer == (64 + 64) * 4 / 64**2
    assert str(found) == "4 (64 × 64 layer: 0.125)"


def test_shampoo_keeps_momentum_and_two_square_matrices_and_their_roots() -> None:
    assert of("shampoo").layer == (1 + 2 + 2) * 4


def test_bfgs_keeps_n_numbers_a_parameter() -> None:
    assert of("bfgs").square == 4
    assert told(lambda: build("optimizer", "bfgs", {})).startswith("4 n + ")


def test_the_state_of_a_wrapped_class_is_that_of_its_class() -> None:
    def make() -> FromTorch:
        return FromTorch(cls=torch.optim.Adam, settings={})

    assert footprint(make, torch.float32).row == 8
    assert told(make) == "8 bytes a parameter in float32, 16 in float64"


def test_what_grows_with_the_steps_is_told() -> None:
    found = footprint(lambda: FromTorch(cls=torch.optim.LBFGS, settings={"max_iter": 2}), torch.float32)
    assert found.grows
    assert str(found).endswith("+")


def test_what_refuses_vectors_is_measured_on_a_layer() -> None:
    found = footprint(lambda: FromTorch(cls=torch.optim.Muon, settings={}), torch.float32)
    assert found == Footprint(row=None, layer=4.0)
    assert str(found) == "4 (64 × 64 layer)"


def test_nothing_kept_is_none() -> None:
    assert told(lambda: build("optimizer", "sgd", {})) == "none"
