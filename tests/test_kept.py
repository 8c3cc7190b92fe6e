"""What stands within an object."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import torch

from optbench.kept import leaves


class Thing:
    """Has parts, one of which is itself."""

    def __init__(self) -> None:
        self.number, self.itself = 3, self
        self.inside: dict[Any, Any] = {"a": [1, 1], "b": deque([(2.5, None)])}


def test_parts_of_parts_come_in_order_and_an_object_is_entered_once() -> None:
    thing = Thing()
    names_and_values = ["number", 3, "itself", "inside", "a", 1, 1, "b", 2.5, None]
    assert list(leaves(thing)) == names_and_values
    assert list(leaves([thing, thing.inside, thing])) == names_and_values


def test_tensors_classes_modules_and_functions_have_no_parts() -> None:
    whole = [torch.zeros(2), Thing, math, leaves, [].append]
    assert all(found is given for found, given in zip(leaves(whole), whole, strict=True))
