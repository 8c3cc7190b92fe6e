"""Generated values to be predicted: a teacher network, a sparse linear rule."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from ..randomness import Randomness
from .dataset import Dataset

INPUTS, RULE, SIGNS, NOISE = range(4)
"""Steps of the random stream: what a number is for."""


@cache
def teacher_student(
    samples: int = 2000, inputs: int = 20, hidden: int = 4, noise: float = 0.1, seed: int = 0
) -> Dataset:
    """Values given by a network with one hidden layer, to be learnt by another one.

        y = Σ_k g(w_k · x)/√hidden + N(0, noise²)        g(z) = erf(z/√2), x ~ N(0, I), w_k ~ N(0, I/inputs)

    The mean squared error of the teacher itself is noise²; nothing is standardised, so that it stays that.

    Args:
        samples: number of pairs.
        inputs: dimension of x.
        hidden: units of the teacher.
        noise: standard deviation.
        seed: of teacher and samples.

    Source: Saad & Solla, "On-line learning in soft committee machines", Physical Review E 52 (1995) 4225,
    https://doi.org/10.1103/PhysRevE.52.4225; scaled by 1/√hidden, so that y has about the size of one unit.
    """
    draw = Randomness([seed], "teacher_student data")
    x = draw.normal(INPUTS, samples * inputs)[0].reshape(samples, inputs)
    w = draw.normal(RULE, hidden * inputs)[0].reshape(hidden, inputs) / math.sqrt(inputs)
    clean = torch.erf(x @ w.T / math.sqrt(2)).sum(dim=1) / math.sqrt(hidden)
    return _values("teacher_student", x, clean + noise * draw.normal(NOISE, samples)[0])


@cache
def sparse_regression(
    samples: int = 500, inputs: int = 100, relevant: int = 10, noise: float = 0.5, seed: int = 0
) -> Dataset:
    """A linear rule of few inputs among many.

        y = x · w + N(0, noise²)        x ~ N(0, I), w = ±1 at `relevant` places, else 0

    Args:
        samples: number of pairs.
        inputs: dimension of x.
        relevant: inputs that count.
        noise: standard deviation.
        seed: of rule and samples.

    Raises:
        ValueError: more inputs are relevant than there are.

    Source: Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal Statistical Society B 58
    (1996) 267, section 7.
    """
    if not 0 <= relevant <= inputs:
        raise ValueError(f"sparse_regression: relevant must lie in [0, {inputs}], got {relevant}")
    draw = Randomness([seed], "sparse_regression data")
    x = draw.normal(INPUTS, samples * inputs)[0].reshape(samples, inputs)
    w = torch.zeros(inputs, dtype=torch.float64)
    w[draw.words(RULE, inputs)[0].argsort()[:relevant]] = draw.normal(SIGNS, relevant)[0].sign()
    return _values("sparse_regression", x, x @ w + noise * draw.normal(NOISE, samples)[0])


def _values(name: str, x: Tensor, y: Tensor) -> Dataset:
    return Dataset(name, 1, x, y[:, None], 0, image=False, scale_inputs=False)
