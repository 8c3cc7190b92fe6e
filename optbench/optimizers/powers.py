"""Powers of settings."""

from __future__ import annotations

import torch
from torch import Tensor

from ..interfaces import Hyper


def power(base: Hyper, exponent: Hyper) -> Hyper:
    """base ^ exponent of a base that is not negative, with bits that do not depend on how many trials there are.

    torch's own power rounds the last few numbers of a tensor in another way than those before them, so that a trial's
    number would depend on its company.
    """
    like = base if isinstance(base, Tensor) else exponent
    if not isinstance(like, Tensor):
        return base**exponent
    b, e = (torch.as_tensor(value, dtype=torch.float64, device=like.device) for value in (base, exponent))
    return torch.where(e == 0, 1, (e * b.log()).exp_()).to(like.dtype)


def correction(betas: tuple[Hyper, Hyper], t: int) -> Hyper:
    """√(1 − β₂ᵗ) / (1 − β₁ᵗ): both bias corrections of Adam's step in one number, but for eps."""
    b1, b2 = betas
    return (1 - power(b2, float(t))) ** 0.5 / (1 - power(b1, float(t)))
