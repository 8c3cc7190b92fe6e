"""Augmentations that mix samples and their targets."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from scipy import special
from torch import Tensor

from .kinds import Draw

QUANTILES = 2**14
"""Equally likely values that stand for the Beta distribution: its distribution function is met to 1/(2·QUANTILES)."""


def mixup(
    x: Float[Tensor, "trials batch ..."], y: Float[Tensor, "trials batch ..."], alpha: float, draw: Draw
) -> tuple[Float[Tensor, "trials batch ..."], Float[Tensor, "trials batch ..."]]:
    """λ·(x, y) + (1 − λ)·(x, y) of another order of the batch, λ ~ Beta(alpha, alpha), one λ for a trial's batch.

    Args:
        x: inputs of any shape.
        y: probabilities of the classes, or values.
        alpha: 0 leaves the batch as it is, 1 makes λ uniform.
        draw: uniform numbers; one a batch and one a sample.

    Source: Zhang, Cisse, Dauphin & Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR 2018, Figure 1 (one
    λ a batch, the partners a permutation of it), https://arxiv.org/abs/1710.09412
    """
    u = draw(1 + x.shape[1])
    share = beta_quantiles(alpha, u.device)[(u[:, 0] * QUANTILES).long().clamp_(max=QUANTILES - 1)]
    partner = u[:, 1:].argsort(dim=1, stable=True)
    rows = torch.arange(len(x), device=x.device)[:, None]

    def mixed(values: Tensor) -> Tensor:
        part = share.view(-1, *[1] * (values.ndim - 1)).to(values.dtype)
        return part * values + (1 - part) * values[rows, partner]

    return mixed(x), mixed(y)


@lru_cache(maxsize=8)
def beta_quantiles(alpha: float, device: torch.device) -> Float[Tensor, "quantiles"]:
    """Quantiles of Beta(alpha, alpha) in the middle of equal shares.

    torch cannot invert the incomplete beta function; a table made once moves nothing between devices within a step.
    """
    shares = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
    return torch.from_numpy(special.betaincinv(alpha, alpha, shares.numpy())).to(device)
