"""Shapes are checked while tests run, in the first calls of each test."""

from __future__ import annotations

import jaxtyping
import pytest
import shapes
import torch

from optbench.optimizers.sgd import SGD

WRONG = torch.zeros(2, 3), torch.zeros(2, 4)
"""Parameters and a gradient of another length."""


@pytest.mark.parametrize("again", [1, 2])
def test_shapes_are_checked_in_the_first_calls_of_a_test(again: int) -> None:
    right = torch.zeros(2, 3)
    for _ in range(shapes.CHECKS // 20):
        SGD().update(right, right, (), 0.1)
    with pytest.raises(jaxtyping.TypeCheckError):
        SGD().update(*WRONG, (), 0.1)
    for _ in range(shapes.CHECKS):
        SGD().update(right, right, (), 0.1)
    with pytest.raises(RuntimeError, match="size of tensor"):
        SGD().update(*WRONG, (), 0.1)
