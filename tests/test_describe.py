from __future__ import annotations

import pytest
import torch

from optbench import registry
from optbench.describe import describe, headline, parts
from optbench.optimizers import OPTIMIZERS


class Plain:
    """Does little.

        x ← x − lr · g
        where g is the gradient

    More about it,
    in two-
    word lines.

        y ← 0
          where y is not x

    No more.

    Args:
        a, b: first and
            second.
        c: third: with a colon.

    Raises:
        ValueError: never.

    Source: Nobody, "Nothing", 1900,
    page 1. Same result as nothing(at=1.5)
    where it is; elsewhere not. With c = 0, the same values as Null. Else see page 2.
    """


class Undocumented(Plain):
    pass


def test_a_docstring_comes_apart_into_its_parts() -> None:
    assert describe(Plain) == {
        "summary": "Does little.",
        "formula": "x ← x − lr · g\nwhere g is the gradient",
        "text": "More about it, in two-word lines.\n    y ← 0\n      where y is not x\nNo more.",
        "args": {"a": "first and second.", "b": "first and second.", "c": "third: with a colon."},
        "source": 'Nobody, "Nothing", 1900, page 1. Else see page 2.',
        "equals": "Same result as nothing(at=1.5) where it is; elsewhere not. With c = 0, the same values as Null.",
    }


def test_parts_that_are_missing_are_empty_and_settings_alone_are_inherited() -> None:
    args = describe(Plain)["args"]
    nothing = dict.fromkeys(("summary", "formula", "text", "source", "equals"), "")
    assert describe(Undocumented) == nothing | {"args": args}


@pytest.mark.parametrize("kind", registry.KINDS)
def test_everything_in_the_tables_has_a_summary_a_formula_and_a_source(kind: str) -> None:
    for name, cls in registry.table(kind).items():
        told = describe(cls)
        assert headline(cls).endswith((".", ")")), name
        assert "\n" not in headline(cls)
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


class Leading:
    """Some method. For the matrix X of each layer:

    y ← 0
    """


class Short:
    """What follows:"""


def test_a_headline_is_one_sentence() -> None:
    assert [headline(cls) for cls in (Plain, Leading, Short)] == ["Does little.", "Some method.", "What follows."]


def test_what_a_rule_says_it_equals_is_not_buried_in_its_source() -> None:
    said = [describe(cls) for kind in ("optimizer", "schedule") for cls in registry.table(kind).values()]
    assert not [told["source"] for told in said if "same result" in told["source"].lower()]
    assert describe(OPTIMIZERS["adamw"])["equals"] == "Same result as torch.optim.AdamW."
    assert sum(bool(told["equals"]) for told in said) > 40


class Google:
    """Steps.

    Arguments:
        lr (float): the rate
            of a step.
        eps (float, optional): floor.
    """


def test_arguments_are_read_under_either_name() -> None:
    assert describe(Google)["args"] == {"lr": "the rate of a step.", "eps": "floor."}


def test_formulas_between_paragraphs_are_told_from_them() -> None:
    assert list(parts(describe(Plain)["text"])) == [
        (False, "More about it, in two-word lines."),
        (True, "y ← 0\n  where y is not x"),
        (False, "No more."),
    ]
