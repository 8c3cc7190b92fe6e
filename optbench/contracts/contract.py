"""What all contract tests share."""

from __future__ import annotations

SEEDS = [0, 1, 5, 7]
"""Of the trials that they are tried on."""
STEPS = 12


class ContractError(Exception):
    """A contract that does not hold."""


def demand(truth: bool, sentence: str) -> None:
    """Raise a ContractError with this sentence unless it holds."""
    if not truth:
        raise ContractError(sentence)
