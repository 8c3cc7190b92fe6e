"""Gap between parts of the data, and bytes of activations."""

from __future__ import annotations

import torch

from ..interfaces import Loss
from .instrument import LearningInstrument, View


class GeneralisationGap(LearningInstrument):
    """How much worse the network is on data that it has not learnt from.

        generalisation_gap = validation loss − training loss

    Every 2 % of the budget. The test part stays unread until the end.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 5.2.
    """

    columns = ("generalisation_gap",)
    costly = True

    def measure(self, view: View) -> dict[str, Loss]:
        problem = view.learning
        train, validation = (problem.measure(view.params, part) for part in (problem.train, problem.splits.validation))
        return {"generalisation_gap": validation["loss"] - train["loss"]}


class ActivationBytes(LearningInstrument):
    """Bytes that a trial keeps from the forward pass on a minibatch for the backward pass; the same at every step.

        activation_bytes = Σ bytes of the tensors that automatic differentiation keeps, parameters and inputs aside

    Every 2 % of the budget.

    Source: Chen, Xu, Zhang & Guestrin, "Training deep nets with sublinear memory cost" (2016),
    https://arxiv.org/abs/1604.06174, section 3.
    """

    columns = ("activation_bytes",)
    costly = True

    def measure(self, view: View) -> dict[str, Loss]:
        return {
            "activation_bytes": torch.full(
                view.params.shape[:1],
                float(view.learning.activation_bytes),
                dtype=torch.float64,
                device=view.params.device,
            )
        }
