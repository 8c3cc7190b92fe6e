"""Steps along a direction in as few passes over memory as torch allows."""

from __future__ import annotations

import torch
from torch import Tensor

from ..interfaces import Hyper, Params


def along(params: Params, lr: Hyper, direction: Params) -> Params:
    """params − lr · direction."""
    if isinstance(lr, Tensor):
        return torch.addcmul(params, lr, direction, value=-1)
    return torch.sub(params, direction, alpha=lr)


def along_ratio(params: Params, lr: Hyper, top: Params, bottom: Params) -> Params:
    """params − lr · top / bottom."""
    if isinstance(lr, Tensor):
        return torch.addcdiv(params, lr * top, bottom, value=-1)
    return torch.addcdiv(params, top, bottom, value=-lr)
