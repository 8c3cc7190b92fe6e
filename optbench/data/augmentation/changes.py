"""Augmentations that keep the grid: flips, crops, blur, tone, noise, holes."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .kinds import Draw

Images = Float[Tensor, "trials batch channels height width"]


def flip(x: Images, probability: float, draw: Draw) -> Images:
    """Left and right are exchanged.

    Args:
        x: images.
        probability: that a sample is flipped, in [0, 1].
        draw: uniform numbers; one a sample.
    """
    return torch.where(_per_sample(draw, x)[..., 0] < probability, x.flip(-1), x)


def crop(x: Images, pixels: int, draw: Draw) -> Images:
    """A piece of the original size, cut at a random place from the image with a margin of so many pixels.

    The margin mirrors the image about its edges.

    Args:
        x: images.
        pixels: width of the margin, whole, in [0, smaller side of the image]; shifts are uniform in −pixels … pixels.
        draw: uniform numbers; two a sample.

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2 (4 pixels, with
    zeros); mirrored as in Zagoruyko & Komodakis, "Wide residual networks", BMVC 2016, section 3.
    """
    shift = (_per_sample(draw, x, 2) * (2 * pixels + 1)).long() - pixels
    rows, columns = (_mirrored(shift[..., k, 0, 0, 0], x.shape[3 + k]) for k in range(2))
    taken = x.gather(3, rows[:, :, None, :, None].expand(x.shape))
    return taken.gather(4, columns[:, :, None, None, :].expand(x.shape))


def blur(x: Images, sigma: float, draw: Draw) -> Images:
    """Convolution with a Gaussian of standard deviation s ~ U(0, sigma), cut off at 4 sigma; edge pixels go on outside.

    Args:
        x: images.
        sigma: largest standard deviation in pixels, in [0, smaller side of the image].
        draw: uniform numbers; one a sample.
    """
    s = sigma * _per_sample(draw, x)[..., 0]
    reach = int(4 * sigma + 0.5)
    weights = [torch.exp(-0.5 * (k / s) ** 2) for k in range(reach + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    shares = [(weight / total).to(x.dtype) for weight in weights]
    # sums of shifted images: the bits of batched matrix products and convolutions change with the number of trials
    for axis in (3, 4):
        size = x.shape[axis]
        beyond = x.index_select(axis, torch.arange(-reach, size + reach, device=x.device).clamp_(0, size - 1))
        x = x * shares[0]
        for k in range(1, reach + 1):
            both = beyond.narrow(axis, reach - k, size) + beyond.narrow(axis, reach + k, size)
            x += both.mul_(shares[k])
    return x


def colour(x: Images, strength: float, draw: Draw) -> Images:
    """Contrast, saturation and brightness, with u₁, u₂, u₃ ~ U(−1, 1):

        x ← x̄ + (1 + strength·u₁)(x − x̄)           x̄: mean of the sample
        x ← g + (1 + strength·u₂)(x − g)           g: mean of the pixel's channels; nothing where there is one channel
        x ← x + strength·u₃

    Args:
        x: images, standardised, so that brightness is in units of the data's standard deviation.
        strength: in [0, 1].
        draw: uniform numbers; three a sample.

    Source: in the manner of Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural
    networks", NeurIPS 2012, section 4.1; the factors are those of torchvision's ColorJitter.
    """
    contrast, saturation, brightness = (strength * (2 * _per_sample(draw, x, 3) - 1)).to(x.dtype).unbind(2)
    mean = x.flatten(2).mean(dim=2)[:, :, None, None, None]
    x = mean + (1 + contrast) * (x - mean)
    grey = x.mean(dim=2, keepdim=True)
    return grey + (1 + saturation) * (x - grey) + brightness


def noise(x: Float[Tensor, "trials batch ..."], deviation: float, draw: Draw) -> Float[Tensor, "trials batch ..."]:
    """x + N(0, deviation²) for every number; inputs of any shape.

    Args:
        x: inputs.
        deviation: in units of the inputs, which are standardised.
        draw: uniform numbers; as many as x has.
    """
    normal = torch.special.ndtri(draw(x[0].numel())).view(x.shape)
    return x + (deviation * normal).to(x.dtype)


def cutout(x: Images, side: int, draw: Draw) -> Images:
    """A square set to zero, which is the mean of standardised data; its middle is any pixel, so part may lie outside.

    Args:
        x: images.
        side: of the square in pixels, whole, in [0, smaller side of the image].
        draw: uniform numbers; two a sample.

    Source: DeVries & Taylor, "Improved regularization of convolutional neural networks with cutout", 2017, section 3,
    https://arxiv.org/abs/1708.04552
    """
    u = _per_sample(draw, x, 2)
    inside = [_covered(u[:, :, k], x.shape[3 + k], side) for k in range(2)]
    return x.masked_fill(inside[0].transpose(-1, -2) & inside[1], 0)


def _per_sample(draw: Draw, x: Tensor, count: int = 1) -> Float[Tensor, "trials batch count 1 1 1"]:
    """So many numbers a sample; a sample's do not depend on the size of the batch."""
    return draw(x.shape[1] * count).view(x.shape[0], x.shape[1], count, 1, 1, 1)


def _mirrored(shift: Int64[Tensor, "trials batch"], size: int) -> Int64[Tensor, "trials batch size"]:
    """Places 0 … size − 1 shifted, counted back where they leave the image: … 1 0 | 0 1 … size−1 | size−1 …"""
    places = (shift[..., None] + torch.arange(size, device=shift.device)) % (2 * size)
    return torch.minimum(places, 2 * size - 1 - places)


def _covered(u: Float[Tensor, "trials batch 1 1 1"], size: int, side: int) -> Tensor:
    """Which places the square covers, along the last axis: from its middle − ⌊side/2⌋ on."""
    first = (u * size).long() - side // 2
    places = torch.arange(size, device=u.device)
    return (places >= first) & (places < first + side)
