from __future__ import annotations

import pytest
import torch

from optbench import registry
from optbench.describe import describe
from optbench.optimizers import OPTIMIZERS


class Plain:
    """Does little.

        x ← x − lr · g
        where g is the gradient

    More about it,
    in two lines.

        y ← 0

    Args:
        a, b: first and
            second.
        c: third: with a colon.

    Raises:
        ValueError: never.

    Source: Nobody, "Nothing", 1900,
    page 1.
    """


class Undocumented(Plain):
    pass


def test_a_docstring_comes_apart_into_its_parts() -> None:
    assert describe(Plain) == {
        "summary": "Does little.",
        "formula": "x ← x − lr · g\nwhere g is the gradient\ny ← 0",
        "text": "More about it, in two lines.",
        "args": {"a": "first and second.", "b": "first and second.", "c": "third: with a colon."},
        "source": 'Nobody, "Nothing", 1900, page 1.',
    }


def test_parts_that_are_missing_are_empty_and_settings_alone_are_inherited() -> None:
    args = describe(Plain)["args"]
    assert describe(Undocumented) == {"summary": "", "formula": "", "text": "", "args": args, "source": ""}


@pytest.mark.parametrize("kind", registry.KINDS)
def test_everything_in_the_tables_has_a_summary_a_formula_and_a_source(kind: str) -> None:
    for name, cls in registry.table(kind).items():
        told = describe(cls)
        assert told["summary"].endswith((".", ")")), name
        assert told["source"], name
    if kind == "optimizer":
        assert all(describe(c)["formula"] for c in OPTIMIZERS.values())


@pytest.mark.parametrize("name", ["NAdam", "Adam", "LBFGS", "SGD", "Adafactor", "RMSprop", "Rprop"])
def test_of_a_docstring_in_restructuredtext_no_markup_is_left(name: str) -> None:
    told = describe(getattr(torch.optim, name))
    assert told["summary"].startswith("Implements")
    for mark in ("\\begin", "\\text", ":math:", ".. ", "`", "_{"):
        assert mark not in " ".join([told["summary"], told["text"], *told["args"].values()])
    assert told["formula"] == ""
    assert "learning rate" in told["args"]["lr"]
