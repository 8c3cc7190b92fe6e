"""How much the gradients of single samples differ."""

from __future__ import annotations

import torch

from ..data.batch import Batch
from ..errors import UsageError
from ..interfaces import Loss, Problem, select
from ..oracle import chunks
from .instrument import LearningInstrument, View

ROWS = 512
"""Samples' gradients held at once, of all trials together, or of two trials where their batch is larger."""


class GradientNoise(LearningInstrument):
    """Variance of the gradients of single samples in the step's minibatch, and the batch size at which it stops to matter.

        gradient_variance = tr Σ = Σᵢ ‖gᵢ − ḡ‖² / (B − 1),   noise_scale = tr Σ / (‖ḡ‖² − tr Σ / B)

    with gᵢ the gradient of sample i of B and ḡ their mean; the denominator estimates the squared length of the true
    gradient without bias, and where it is not positive nothing is told. Every 2 % of the budget.

    Source: McCandlish, Kaplan, Amodei et al., "An empirical model of large-batch training" (2018), section 2.2 and
    appendix A, https://arxiv.org/abs/1812.06162: the simple noise scale.
    """

    costly = True

    def check(self, problem: Problem) -> None:
        super().check(problem)
        if problem.network.normalises_batches:  # type: ignore[attr-defined]
            raise UsageError(
                "instruments: gradient_noise needs gradients of single samples, which batch normalisation has not"
            )

    def measure(self, view: View) -> dict[str, Loss]:
        variances, scales = [], []
        trials, size = view.batch.y.shape[:2]
        for rows in chunks(trials, max(2, ROWS // size)):
            params, batch = view.params[rows], select(view.batch, rows)
            alone = Batch(
                batch.x.flatten(0, 1)[:, None],
                batch.y.flatten(0, 1)[:, None],
                None if batch.keys is None else batch.keys.repeat_interleave(size),
            )
            _, grads = view.problem.loss_and_grad(params.repeat_interleave(size, dim=0), alone)
            grads = grads.double().unflatten(0, (-1, size))
            mean = grads.mean(dim=1)
            variance = ((grads - mean[:, None]) ** 2).sum(dim=(1, 2)) / max(size - 1, 1)
            signal = (mean**2).sum(dim=1) - variance / size
            variances.append(variance)
            scales.append((variance / signal).where(signal > 0, float("nan")))
        return {"gradient_variance": torch.cat(variances), "noise_scale": torch.cat(scales)}
