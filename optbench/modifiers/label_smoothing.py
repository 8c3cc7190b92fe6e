"""Label smoothing: no label is certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor

from ..checks import check_settings, setting
from ..data.batch import Batch
from ..interfaces import Loss, Outputs, Params, Problem, ProblemModifier
from .derived_problem import DerivedProblem, learning


@dataclass(frozen=True, kw_only=True)
class LabelSmoothing(ProblemModifier):
    """The probability 1 of the right class becomes 1 − ε, the 0 of each other one ε/(k − 1).

        p ← (1 − ε) p + ε/(k − 1) · (1 − p)

    over k classes. Labels that are probabilities already, as mixup makes them, are smoothed by the same line. Places of a
    sequence that are not scored stay so. torch's CrossEntropyLoss(label_smoothing=ε) differs: it gives ε/k to all k
    classes, the right one included, which is this one with (k − 1)/k · ε. The objective keeps the labels as they are.

    Args:
        eps: probability ε that is taken from the right class, in [0, 1).

    Raises:
        ValueError: eps lies outside its range, or the problem learns no labels.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 7.5.1; Szegedy et al., "Rethinking the
    Inception architecture for computer vision", CVPR 2016, section 7, in the form that torch has.
    """

    eps: float = setting(0.1, least=0, below=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def change(self, problem: Problem) -> Problem:
        inner = learning(problem, "label_smoothing")
        if inner.task == "values":
            raise ValueError(f"label_smoothing needs labels, and {type(inner).__name__} on {inner.data} learns values")
        return SmoothedLabels(inner=problem, eps=self.eps, classes=inner.dataset.classes)


@dataclass(frozen=True, kw_only=True)
class SmoothedLabels(DerivedProblem):
    """Learns from smoothed labels.

    Args:
        eps: what is taken from the right class.
        classes: how many there are.
    """

    eps: float
    classes: int

    def loss(self, params: Params, batch: Batch) -> Loss:
        return self.inner.loss(params, self._smoothed(batch))

    def loss_and_grad(self, params: Params, batch: Batch) -> tuple[Loss, Params]:
        return self.inner.loss_and_grad(params, self._smoothed(batch))

    def decomposed(self, params: Params, batch: Batch) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        return self.inner.decomposed(params, self._smoothed(batch))

    def _smoothed(self, batch: Batch) -> Batch:
        return batch._replace(y=smoothed(batch.y, self.eps, self.classes, self.kind["dtype"]))


def smoothed(
    y: Num[Tensor, "trials batch ..."], eps: float, classes: int, dtype: torch.dtype
) -> Float[Tensor, "trials batch ..."]:
    """Smoothed probabilities `[trials, batch, …, classes]` of labels or of probabilities; all zero for the label −1."""
    p = y if y.is_floating_point() else F.one_hot(y.clamp(min=0), classes).to(dtype)
    p = (1 - eps) * p + eps / (classes - 1) * (1 - p)
    return p if y.is_floating_point() else p * (y >= 0)[..., None]
