"""Optimizers, one a file."""

from ..interfaces import Optimizer
from .adam import Adam

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
}
