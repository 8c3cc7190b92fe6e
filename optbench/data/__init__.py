"""Data sets that fit in memory: loading, splitting, minibatches. One table: name to loader."""

from collections.abc import Callable

from .dataset import Dataset, breast_cancer, digits

DATASETS: dict[str, Callable[[], Dataset]] = {
    "breast_cancer": breast_cancer,
    "digits": digits,
}
