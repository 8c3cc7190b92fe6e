"""Generated points with labels: shapes in the plane, clouds, exclusive or."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from ..randomness import Randomness
from .dataset import Dataset

PLACE, NOISE, CENTRES = range(3)
"""Steps of the random stream: what a number is for."""


@cache
def moons(samples: int = 1000, noise: float = 0.2, seed: int = 0) -> Dataset:
    """Two half circles that reach into one another, 2 classes.

        class 0: (cos θ, sin θ)        class 1: (1 − cos θ, ½ − sin θ)        θ ~ U(0, π), both + N(0, noise²)

    Args:
        samples: in both classes together, alternating.
        noise: standard deviation, in radii.
        seed: of the draw.

    Source: sklearn.datasets.make_moons, with θ drawn rather than on a grid.
    """
    draw = Randomness([seed], "moons data")
    angle = math.pi * draw.uniform(PLACE, samples)[0]
    y = torch.arange(samples) % 2
    side = 1 - 2 * y
    x = torch.stack([side * angle.cos() + y, side * angle.sin() + 0.5 * y], dim=1)
    return _labelled("moons", x + noise * _normal(draw, NOISE, x), y, 2)


@cache
def circles(samples: int = 1000, noise: float = 0.1, ratio: float = 0.5, seed: int = 0) -> Dataset:
    """A circle around a smaller one, 2 classes. Not linearly separable.

        r (cos θ, sin θ) + N(0, noise²)        θ ~ U(0, 2π), r = 1 in class 0, `ratio` in class 1

    Args:
        samples: in both classes together, alternating.
        noise: standard deviation, in outer radii.
        ratio: inner radius over outer radius.
        seed: of the draw.

    Source: sklearn.datasets.make_circles, with θ drawn rather than on a grid.
    """
    draw = Randomness([seed], "circles data")
    y = torch.arange(samples) % 2
    radius = torch.ones(samples).double().where(y == 0, ratio)
    x = _polar(radius, 2 * math.pi * draw.uniform(PLACE, samples)[0])
    return _labelled("circles", x + noise * _normal(draw, NOISE, x), y, 2)


@cache
def spirals(samples: int = 1000, arms: int = 2, turns: float = 1.5, noise: float = 0.02, seed: int = 0) -> Dataset:
    """Spirals wound into one another, one class each.

        r (cos φ, sin φ) + N(0, noise²)        r = √u, u ~ U(0, 1), φ = 2π (turns · r + class/arms)

    √u spreads the points of an arm evenly over the disc.

    Args:
        samples: in all classes together, in turn.
        arms: number of spirals.
        turns: of each spiral about the centre.
        noise: standard deviation, in radii of the whole.
        seed: of the draw.

    Source: Lang & Witbrock, "Learning to tell two spirals apart", Proceedings of the 1988 Connectionist Models Summer
    School; theirs are 97 points an arm on a grid, with three turns.
    """
    draw = Randomness([seed], "spirals data")
    y = torch.arange(samples) % arms
    radius = draw.uniform(PLACE, samples)[0].sqrt()
    x = _polar(radius, 2 * math.pi * (turns * radius + y / arms))
    return _labelled("spirals", x + noise * _normal(draw, NOISE, x), y, arms)


@cache
def gaussian_mixture(
    samples: int = 2000, classes: int = 5, inputs: int = 10, distance: float = 3.0, seed: int = 0
) -> Dataset:
    """Clouds of points, one class each; the best possible classifier is linear.

        x ~ N(μ_class, I)        μ ~ N(0, (distance²/2 inputs) I)

    so that two centres are about `distance` standard deviations of a cloud apart.

    Args:
        samples: in all classes together, in turn.
        classes: number of clouds.
        inputs: dimension.
        distance: between centres, root of the mean square.
        seed: of centres and points.

    Source: Hastie, Tibshirani & Friedman, "The Elements of Statistical Learning", 2nd edition, 2009, section 4.3.
    """
    draw = Randomness([seed], "gaussian_mixture data")
    y = torch.arange(samples) % classes
    centres = draw.normal(CENTRES, classes * inputs)[0].reshape(classes, inputs) * distance / math.sqrt(2 * inputs)
    x = centres[y]
    return _labelled("gaussian_mixture", x + _normal(draw, NOISE, x), y, classes)


@cache
def xor(samples: int = 1000, noise: float = 0.4, seed: int = 0) -> Dataset:
    """Exclusive or of two signs, 2 classes: clouds at (±1, ±1), label 1 where the signs differ.

    Args:
        samples: in the four clouds together, in turn.
        noise: standard deviation of a cloud.
        seed: of the draw.

    Source: Minsky & Papert, "Perceptrons", 1969; with noise.
    """
    draw = Randomness([seed], "xor data")
    corner = torch.arange(samples) % 4
    bits = torch.stack([corner % 2, corner // 2], dim=1)
    x = (2 * bits - 1).double()
    return _labelled("xor", x + noise * _normal(draw, NOISE, x), bits.sum(dim=1) % 2, 2)


@cache
def parity(bits: int = 10, relevant: int | None = None) -> Dataset:
    """All 2^bits strings of −1 and 1, 2 classes: label 1 where an odd number of the relevant ones is 1.

    No single input says anything about the label. With all bits relevant, what is learnt of some strings says nothing of
    the others to a network that does not find the rule.

    Args:
        bits: length of a string.
        relevant: how many bits, the first ones, count; None for all.

    Raises:
        ValueError: bits is not in [2, 20], or relevant not in [1, bits].

    Source: Minsky & Papert, "Perceptrons", 1969, chapter 3; few relevant bits: Barak et al., "Hidden progress in deep
    learning: SGD learns parities near the computational limit", NeurIPS 2022, https://arxiv.org/abs/2207.08799
    """
    relevant = bits if relevant is None else relevant
    if not 2 <= bits <= 20:
        raise ValueError(f"parity: bits must lie in [2, 20], got {bits}")
    if not 1 <= relevant <= bits:
        raise ValueError(f"parity: relevant must lie in [1, {bits}], got {relevant}")
    strings = (torch.arange(2**bits)[:, None] >> torch.arange(bits)) & 1
    y = strings[:, :relevant].sum(dim=1) % 2
    return Dataset("parity", 1, (2 * strings - 1).double(), y, 2, image=False, scale_inputs=False)


def _labelled(name: str, x: Tensor, y: Tensor, classes: int) -> Dataset:
    return Dataset(name, 1, x, y, classes, image=False)


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def _normal(draw: Randomness, step: int, like: Tensor) -> Tensor:
    return draw.normal(step, like.numel())[0].reshape(like.shape)
