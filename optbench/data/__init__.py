"""Data sets that fit in memory: loading, splitting, minibatches. One table: name to loader."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..errors import UsageError, near, one_line
from ..registry import is_path, load_object
from .dataset import Dataset as Dataset
from .dataset import check as check
from .embedded import breast_cancer, diabetes, digits, iris, patches, photograph, wine
from .openml import cifar10, covertype, fashion_mnist, mnist, svhn
from .points import circles, gaussian_mixture, moons, parity, spirals, xor
from .regression import sparse_regression, teacher_student
from .sequences import copying, modular_addition, recall, xor_sequence

DATASETS: dict[str, Callable[[], Dataset]] = {
    "breast_cancer": breast_cancer,
    "cifar10": cifar10,
    "circles": circles,
    "copying": copying,
    "covertype": covertype,
    "diabetes": diabetes,
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "gaussian_mixture": gaussian_mixture,
    "iris": iris,
    "mnist": mnist,
    "modular_addition": modular_addition,
    "moons": moons,
    "parity": parity,
    "patches": patches,
    "photograph": photograph,
    "recall": recall,
    "sparse_regression": sparse_regression,
    "spirals": spirals,
    "svhn": svhn,
    "teacher_student": teacher_student,
    "wine": wine,
    "xor": xor,
    "xor_sequence": xor_sequence,
}


def dataset(name: str) -> Dataset:
    """The data set behind a name of the table, or what a function of one's own gives: pkg.function, PATH.py:function.

    Raises:
        UsageError: an unknown name, or the function fails or gives something else; one line that names the fix.
    """
    if not is_path(name):
        if name not in DATASETS:
            raise UsageError(f"no data set is called {name!r}{near(name, DATASETS)} (there are {', '.join(DATASETS)})")
        return DATASETS[name]()
    source = load_object(name)
    if not callable(source):
        raise UsageError(
            f"{name} is {type(source).__name__}, expected a function without arguments that gives a Dataset"
        )
    return _made(name, source)


@functools.cache
def _made(name: str, source: Callable[[], Any]) -> Dataset:
    """Called once a process; a file that was edited since gives another function."""
    try:
        made = source()
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{name} failed: {type(error).__name__}: {one_line(error)}") from error
    if not isinstance(made, Dataset):
        raise UsageError(f"{name} gives {type(made).__name__}, expected an optbench.data.Dataset")
    return made
