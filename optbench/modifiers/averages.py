"""What modifiers share that judge at another point than the one that learns."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Bool
from torch import Tensor

from ..interfaces import Layout, Params


def with_statistics(point: Params, params: Params, layout: Layout) -> Params:
    """The point, with the moving statistics of these parameters.

    torch.optim.swa_utils.AveragedModel copies buffers likewise, unless told to average them.
    """
    return torch.where(_moving(layout, params.device), params, point) if "buffer" in layout.roles else point


@lru_cache(maxsize=16)
def _moving(layout: Layout, device: torch.device) -> Bool[Tensor, "n"]:
    roles = torch.tensor([role == "buffer" for role in layout.roles])
    return roles.repeat_interleave(torch.tensor(layout.sizes)).to(device)
