"""Numbers by layer: one for each parameter tensor of each trial."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..interfaces import Hyper, Layout, Params

Layers = Float[Tensor, "trials layers"]

ALWAYS_LEFT_OUT = ("buffer",)
BIASES_AND_NORMS = ("bias", "norm", "buffer")


def layer_norms(params: Params, layout: Layout) -> Layers:
    """Euclidean length of each parameter tensor."""
    return torch.stack([part.norm(dim=1) for part in params.split(layout.sizes, dim=1)], dim=1)


def spread(values: Layers, layout: Layout) -> Params:
    """The number of its layer at each parameter (one column where there is one layer: it broadcasts)."""
    if len(layout.sizes) == 1:
        return values
    sizes = torch.tensor(layout.sizes, device=values.device)
    return values.repeat_interleave(sizes, dim=1, output_size=layout.n)


def layers_but(left_out: tuple[str, ...], layout: Layout, like: Params) -> Float[Tensor, "1 layers"]:
    """1 at the layers whose role is not left out, 0 at the others."""
    return like.new_tensor([[float(role not in left_out) for role in layout.roles]])


def trust_ratios(part: Hyper, weight: Layers, update: Layers, chosen: Float[Tensor, "1 layers"]) -> Layers:
    """part · ‖weights‖ / ‖update‖; 1 at layers that are not chosen and wherever a length is zero."""
    scaled = (chosen > 0) & (weight != 0) & (update != 0)
    return torch.where(scaled, part * weight / torch.where(scaled, update, 1), 1)
