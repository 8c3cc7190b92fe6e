"""Scaled dot-product attention of a sequence with itself."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

SHORT = 1024
"""Largest length² · d at which `ShortAttention` is the faster one for several trials on a CPU."""
LANES = 64
"""Samples are filled up to a multiple of this: the last numbers of a vectorised loop or sum may take a path of other bits,
and sums take up to four registers of 512 bits at once."""


def attend(together: Tensor, causal: bool) -> Tensor:
    """softmax(Q Kᵀ/√d) V of each head, joined: `[…, samples, length, heads · d]`.

    Args:
        together: queries, keys and values, `[…, samples, length, 3, heads, d]`; the trials in front, if there are several.
        causal: a place sees only those before it and itself.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1.
    """
    front, (length, _, _, d) = together.shape[:-4], together.shape[-4:]
    together = together.flatten(0, -5)
    if len(front) > 1 and together.device.type == "cpu" and length**2 * d <= SHORT:
        mixed, _ = ShortAttention.apply(together, causal)  # type: ignore[no-untyped-call] # torch leaves it untyped
    else:
        q, k, v = together.permute(2, 0, 3, 1, 4).unbind()
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
    return mixed.unflatten(0, front)


def unfused_attention() -> AbstractContextManager[Any]:
    """torch's attention as separate products, which can be differentiated twice and carried by vmap; the fused cannot."""
    return sdpa_kernel(SDPBackend.MATH)


class ShortAttention(torch.autograd.Function):
    """The same as sums of elementwise products, the samples last.

    torch's fused kernel and batched products spend their time on calling overhead for each head of each sample where
    length and d are about 10 [10 places, 4 heads of 8 numbers, 8 trials of 64 samples: 0.65 of its time, and 1.2 for one
    trial]. The probabilities are an output so that gradients can be differentiated again.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(together: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
        (q, k, v), samples = _samples_last(together).unbind(1), len(together)
        scores = _over_numbers(q * q.shape[2] ** -0.5, k)
        if causal:
            later = torch.ones(*scores.shape[:2], dtype=torch.bool, device=q.device).triu_(1)
            scores = scores.masked_fill_(later[..., None, None], -torch.inf)
        kept = scores.softmax(dim=1)
        return _samples_first(_over_seen(kept, v), samples).flatten(2), kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0], output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, slope: Tensor | None, further: Tensor | None) -> tuple[Tensor | None, None]:  # type: ignore[override] # of two outputs
        together, kept = ctx.saved_tensors
        q, k, v = _samples_last(together).unbind(1)
        of_kept, of_v = further, torch.zeros_like(v)
        if slope is not None:
            slope = _samples_last(slope.unflatten(2, together.shape[3:]))
            of_v = _over_seeing(kept, slope)
            of_kept = _over_numbers(slope, v) if further is None else further + _over_numbers(slope, v)
        if of_kept is None:
            return None, None
        of_scores = kept * (of_kept - (kept * of_kept).sum(dim=1, keepdim=True)) * q.shape[2] ** -0.5
        joined = torch.stack([_over_seen(of_scores, k), _over_seeing(of_scores, q), of_v], dim=1)
        return _samples_first(joined, len(together)), None


def _samples_last(x: Tensor) -> Tensor:
    """`[samples, …]` → `[…, samples]`, contiguous and filled up with zeros."""
    flat = x.flatten(1)
    if spare := -len(flat) % LANES:
        flat = F.pad(flat, (0, 0, 0, spare))
    return flat.t().contiguous().unflatten(0, x.shape[1:])


def _samples_first(x: Tensor, samples: int) -> Tensor:
    return x.flatten(0, -2).t()[:samples].contiguous().unflatten(1, x.shape[:-1])


def _over_numbers(a: Tensor, b: Tensor) -> Tensor:
    """Σ_c a[i, h, c] b[j, h, c]: `[length, length, heads, samples]`."""
    made = a[:, None, :, 0] * b[None, :, :, 0]
    for c in range(1, a.shape[2]):
        made = made.addcmul_(a[:, None, :, c], b[None, :, :, c])
    return made


def _over_seen(weights: Tensor, b: Tensor) -> Tensor:
    """Σ_j weights[i, j, h] b[j, h, c]: `[length, heads, d, samples]`."""
    made = weights[:, 0, :, None] * b[0]
    for j in range(1, len(b)):
        made = made.addcmul_(weights[:, j, :, None], b[j])
    return made


def _over_seeing(weights: Tensor, b: Tensor) -> Tensor:
    """Σ_i weights[i, j, h] b[i, h, c]: `[length, heads, d, samples]`."""
    made = weights[0, :, :, None] * b[0]
    for i in range(1, len(b)):
        made = made.addcmul_(weights[i, :, :, None], b[i])
    return made
