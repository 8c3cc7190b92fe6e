"""What tests check of every annotated function of optbench: the types and shapes of its arguments and results.

A check takes longer than many a step, and after some hundred calls nothing new is seen: only the first of a test are checked,
which takes a third off the time of the suite.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import beartype

CHECKS = 1000
"""Of each test; a call takes two, one of the arguments and one of the result."""

_made = 0


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The typechecker that pyproject.toml gives to jaxtyping: beartype, until a test has made all its checks."""
    check: Any = beartype(function)

    @functools.wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        global _made
        _made += 1
        if _made >= CHECKS:
            jaxtyping.config.update("jaxtyping_disable", True)
        return check(*args, **kwargs)

    return counted


def begin() -> None:
    """Check the calls that come now."""
    global _made
    _made = 0
    jaxtyping.config.update("jaxtyping_disable", False)
