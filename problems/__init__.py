"""Test problems, one a file. Imported as optbench.problems.NAME, never as problems.NAME."""

from optbench.interfaces import Problem

from .beale import Beale
from .cliff import Cliff
from .cnn import CNN
from .logistic_regression import LogisticRegression
from .mlp import MLP
from .module import Module
from .quadratic import Quadratic
from .rastrigin import Rastrigin
from .rosenbrock import Rosenbrock
from .saddle import Saddle

PROBLEMS: dict[str, type[Problem]] = {
    "beale": Beale,
    "cliff": Cliff,
    "cnn": CNN,
    "logistic_regression": LogisticRegression,
    "mlp": MLP,
    "module": Module,
    "quadratic": Quadratic,
    "rastrigin": Rastrigin,
    "rosenbrock": Rosenbrock,
    "saddle": Saddle,
}
