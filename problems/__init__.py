"""Test problems, one a file. Imported as optbench.problems.NAME, never as problems.NAME."""

from optbench.interfaces import Problem

from .rosenbrock import Rosenbrock

PROBLEMS: dict[str, type[Problem]] = {
    "rosenbrock": Rosenbrock,
}
