"""The data sets that come inside scikit-learn: read once a process, no network needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels as they come, not standardised.

    Args:
        name: key in the table DATASETS.
        version: raised when the content changes; splits are drawn anew then.
        x: inputs, float64, samples first.
        y: labels 0 … classes − 1.
        classes: number of labels.
        image: inputs are pixels on one scale, so they are standardised together rather than one by one.
    """

    name: str
    version: int
    x: Float[Tensor, "samples ..."]
    y: Int64[Tensor, "samples"]
    classes: int
    image: bool


@cache
def breast_cancer() -> Dataset:
    """569 tumours, 30 measurements each, 2 classes (0 malignant, 1 benign). Linearly separable.

    Source: Wolberg, Mangasarian, Street & Street, "Breast Cancer Wisconsin (Diagnostic)", UCI Machine Learning
    Repository, 1993, https://doi.org/10.24432/C5DW2B; the copy inside scikit-learn.
    """
    from sklearn.datasets import load_breast_cancer  # importing scikit-learn takes a second: only where data is needed

    x, y = load_breast_cancer(return_X_y=True)
    return Dataset("breast_cancer", 1, torch.tensor(x, dtype=torch.float64), torch.tensor(y).long(), 2, image=False)


@cache
def digits() -> Dataset:
    """1,797 handwritten digits as grey images `[1, 8, 8]`, 10 classes.

    Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits" (its test set), UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49; the copy inside scikit-learn.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    images = torch.tensor(x, dtype=torch.float64).reshape(-1, 1, 8, 8)
    return Dataset("digits", 1, images, torch.tensor(y).long(), 10, image=True)
