"""How much the gradients of single samples differ."""

from __future__ import annotations

import torch

from ..data.batch import Batch
from ..errors import UsageError
from ..interfaces import Loss, Params, Problem, select
from ..nn import Learning
from ..oracle import chunks
from .instrument import LearningInstrument, View

BYTES = 2**26
"""What the gradients of single samples that are held at once may take, roughly."""


class GradientNoise(LearningInstrument):
    """Variance of the gradients of single samples in the step's minibatch, and the batch size at which it stops to matter.

        gradient_variance = tr Σ = Σᵢ ‖gᵢ − ḡ‖² / (B − 1),   noise_scale = tr Σ / (‖ḡ‖² − tr Σ / B)

    with gᵢ the gradient of sample i of B and ḡ their mean; the denominator estimates the squared length of the true
    gradient without bias, and where it is not positive nothing is told. Each sample has a dropout mask of its own. Every
    2 % of the budget.

    Source: McCandlish, Kaplan, Amodei et al., "An empirical model of large-batch training" (2018), section 2.2 and
    appendix A, https://arxiv.org/abs/1812.06162: the simple noise scale.
    """

    columns = ("gradient_variance", "noise_scale")
    costly = True

    def check_learning(self, problem: Learning) -> None:
        if problem.network.normalises_batches:
            raise UsageError("needs gradients of single samples, which batch normalisation has not")
        if problem.samples < 2:
            raise UsageError("needs minibatches of at least two samples; add problem.batch_size=64")

    def measure(self, view: View) -> dict[str, Loss]:
        trials, size = view.batch.y.shape[:2]
        row = 8 * view.params.shape[1]
        # the samples taken together do not depend on how many trials there are, so neither does the order of the sums
        samples = chunks(size, max(2, BYTES // row))
        held = max(1, BYTES // (row * -(-size // len(samples))))
        parts = [
            _moments(view.problem, view.params[part], select(view.batch, part), samples)
            for part in chunks(trials, held)
        ]
        total, squares = (torch.cat(found) for found in zip(*parts, strict=True))
        of_mean = (total / size).square().sum(dim=1)
        variance = (squares - size * of_mean).clamp(min=0) / (size - 1)
        signal = of_mean - variance / size
        return {"gradient_variance": variance, "noise_scale": (variance / signal).where(signal > 0, float("nan"))}


def _moments(problem: Problem, params: Params, batch: Batch, samples: list[slice]) -> tuple[Params, Loss]:
    """Σᵢ gᵢ `[trials, n]` and Σᵢ ‖gᵢ‖² `[trials]` over the samples of a batch, in double precision."""
    total = torch.zeros(params.shape, dtype=torch.float64, device=params.device)
    squares = total.new_zeros(len(params))
    for part in samples:
        numbers = torch.arange(part.start, part.stop, device=params.device)
        alone = Batch(
            batch.x[:, part].flatten(0, 1)[:, None],
            batch.y[:, part].flatten(0, 1)[:, None],
            None if batch.keys is None else (batch.keys[:, None] + numbers).flatten(),
        )
        _, grads = problem.loss_and_grad(params.repeat_interleave(len(numbers), dim=0), alone)
        grads = grads.double().unflatten(0, (len(params), -1))
        total += grads.sum(dim=1)
        squares += grads.square().sum(dim=2).sum(dim=1)
    return total, squares
