"""What the schedule-free methods share: where they ask, and the weights of their averages."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..interfaces import Hyper, Layout, Params
from .powers import power

Column = Float[Tensor, "trials 1"]


def between(x: Params, e: Params, weight: Hyper, layout: Layout) -> Params:
    """(1 − weight) z + weight · x with z = x + e; moving statistics are those of x, since z does not follow them."""
    y = x + (1 - weight) * e
    if "buffer" in layout.roles:
        sizes = torch.tensor(layout.sizes)
        buffers = torch.tensor([role == "buffer" for role in layout.roles]).repeat_interleave(sizes)
        y = torch.where(buffers.to(x.device), x, y)
    return y


def share(
    t: int, lr: Hyper, lr_max: Column, weights: Column, r: Hyper, weight_lr_power: Hyper
) -> tuple[Column, Column, Column]:
    """Share of the newest point in the average, the largest rate so far and the sum of the weights so far."""
    lr_max = torch.maximum(lr_max, torch.as_tensor(lr, dtype=lr_max.dtype, device=lr_max.device))
    weight = power(float(t), r) * power(lr_max, weight_lr_power)
    weights = weights + weight
    return torch.where(weights > 0, weight / weights, 0), lr_max, weights
