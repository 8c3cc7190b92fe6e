"""Augmentations that move pixels between the grid's points: rotation, zoom, translation."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .kinds import Draw, Motion


def at_rest(trials: int, batch: int, device: torch.device) -> Motion:
    """Every pixel stays where it is."""
    one = torch.ones(trials, batch, dtype=torch.float64, device=device)
    zero = torch.zeros_like(one)
    return Motion(one, zero, zero, zero)


def rotate(motion: Motion, degrees: float, draw: Draw) -> Motion:
    """Rotation about the middle by θ ~ U(−degrees, degrees), counter-clockwise where θ > 0.

    Args:
        motion: of what came before.
        degrees: largest angle, in [0, 180].
        draw: uniform numbers; one a sample.
    """
    angle = _symmetric(draw, motion, 1)[..., 0] * math.radians(degrees)
    cos, sin = angle.cos(), angle.sin()
    return motion._replace(a=motion.a * cos - motion.b * sin, b=motion.b * cos + motion.a * sin)


def zoom(motion: Motion, change: float, draw: Draw) -> Motion:
    """Magnification about the middle by f ~ U(1 − change, 1 + change).

    Args:
        motion: of what came before.
        change: largest relative change of lengths, in [0, 1).
        draw: uniform numbers; one a sample.
    """
    factor = 1 + change * _symmetric(draw, motion, 1)[..., 0]
    return motion._replace(a=motion.a / factor, b=motion.b / factor)


def translate(motion: Motion, pixels: float, draw: Draw) -> Motion:
    """Shift to the right and downwards, each by an amount ~ U(−pixels, pixels), between pixels too.

    Args:
        motion: of what came before.
        pixels: largest shift, in [0, smaller side of the image].
        draw: uniform numbers; two a sample.
    """
    shift = pixels * _symmetric(draw, motion, 2)
    return motion._replace(right=motion.right + shift[..., 0], down=motion.down + shift[..., 1])


def moved(
    x: Float[Tensor, "trials batch channels height width"], motion: Motion
) -> Float[Tensor, "trials batch channels height width"]:
    """The images after their motion: bilinear between pixels, mirrored about their edges where nothing was seen.

    Zeros beyond the edges would put an edge into the picture that the data do not have.
    """
    trials, batch, channels, height, width = x.shape
    right, down = _from_middle(width, x), _from_middle(height, x)[:, None]
    a, b, x0, y0 = (value.flatten()[:, None, None] for value in motion)
    # written out rather than affine_grid, whose matrix product may change bits with the number of samples
    across, along = right - x0, down - y0
    places = torch.stack([(a * across - b * along) * (2 / width), (b * across + a * along) * (2 / height)], dim=-1)
    flat = x.reshape(trials * batch, channels, height, width)
    return F.grid_sample(flat, places.to(x.dtype), padding_mode="reflection", align_corners=False).view(x.shape)


def _from_middle(size: int, like: Tensor) -> Float[Tensor, "size"]:
    return torch.arange(size, dtype=torch.float64, device=like.device) - (size - 1) / 2


def _symmetric(draw: Draw, motion: Motion, count: int) -> Float[Tensor, "trials batch count"]:
    batch = motion.a.shape[1]
    return (2 * draw(batch * count) - 1).unflatten(1, (batch, count))
