"""Muon: momentum whose matrices are made orthogonal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..aligned import Matrices, filled
from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .adamw import AdamW, AdamWState
from .matrices import joined, matrices, vectors


class MuonState(NamedTuple):
    """M: running mean of the gradient of each matrix, [trials, rows, columns]; vectors: AdamW's state of the rest;
    layout: where the layers lie."""

    M: dict[str, Matrices]
    vectors: AdamWState
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class Muon(FirstOrder[MuonState]):
    """Momentum orthogonalised by Newton–Schulz. For the matrix X and gradient G of each layer:

        M ← momentum · M + (1 − momentum) G,    U ← momentum · M + (1 − momentum) G if nesterov, else M
        U ← U / ‖U‖;   ns_steps times:  U ← a U + b (U Uᵀ) U + c (U Uᵀ)² U
        X ← (1 − lr · weight_decay) X − lr · q · U

    U comes near the orthogonal matrix closest to it: its singular values end between about 0.7 and 1.2, but for those that
    were below about 0.0015 of ‖U‖, which stay smaller, or zero. q = √(rows / columns), at least 1, or 0.2 √(the larger of
    both). Convolution kernels are matrices of output channels × the rest. What has one row or column, biases and landscapes
    take AdamW's step with the rate lr · vector_rate. The authors give embeddings and the last layer to AdamW too; here they
    are matrices like others. The iteration runs in the precision of the parameters; theirs runs in bfloat16.

    Args:
        lr: length of a matrix's step, as a spectral norm.
        momentum: decay of the running mean, in [0, 1).
        nesterov: look ahead by one more step of the mean.
        ns_steps: steps of the iteration.
        ns_coefficients: a, b and c of it; the default brings small singular values up fast, and none exactly to 1.
        weight_decay: part of the parameters that a step of lr = 1 takes away.
        adjust_lr: q: `original`, or `match_rms_adamw` for steps about as long as AdamW's, whose rates then suit.
        eps: floor of ‖U‖, in units of the gradient.
        vector_rate: AdamW's rate as a part of lr.
        vector_betas: decay of AdamW's running means, each in [0, 1).
        vector_eps: floor of AdamW's denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/; match_rms_adamw: Liu et al., "Muon is scalable for LLM training", 2025,
    https://arxiv.org/abs/2502.16982. Same result as torch.optim.Muon without its rounding.
    """

    family: ClassVar[str] = "matrix"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(0.02, least=0)
    momentum: Hyper = setting(0.95, least=0, below=1)
    nesterov: bool = setting(True)
    ns_steps: int = setting(5, least=1)
    ns_coefficients: tuple[Hyper, Hyper, Hyper] = setting((3.4445, -4.7750, 2.0315))
    weight_decay: Hyper = setting(0.0, least=0)
    adjust_lr: str = setting("original", choices=("original", "match_rms_adamw"))
    eps: Hyper = setting(1e-7, above=0)
    vector_rate: Hyper = setting(0.015, least=0)
    vector_betas: tuple[Hyper, Hyper] = setting((0.9, 0.95), least=0, below=1)
    vector_eps: Hyper = setting(1e-10, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @cached_property
    def _adamw(self) -> AdamW:
        return AdamW(betas=self.vector_betas, eps=self.vector_eps, weight_decay=self.weight_decay)

    def init(self, params: Params, layout: Layout) -> MuonState:
        M = {name: torch.zeros_like(X) for name, X in matrices(params, layout).items()}
        return MuonState(M, self._adamw.init(vectors(params, layout), layout), layout)

    def update(self, params: Params, grad: Params, state: MuonState, lr: Hyper) -> tuple[Params, MuonState]:
        layout, grads = state.layout, matrices(grad, state.layout)
        beta, rate, keep = beside(self.momentum), beside(lr), beside(1 - lr * self.weight_decay)
        coefficients = [beside(c) for c in self.ns_coefficients]
        found, M = {}, {}
        for name, X in matrices(params, layout).items():
            M[name] = torch.lerp(grads[name], state.M[name], beta)
            U = torch.lerp(grads[name], M[name], beta) if self.nesterov else M[name]
            rows, columns = X.shape[1:]
            q = max(1, rows / columns) ** 0.5 if self.adjust_lr == "original" else 0.2 * max(rows, columns) ** 0.5
            found[name] = keep * X - rate * q * orthogonalised(U, self.ns_steps, coefficients, beside(self.eps))
        rest, of_vectors = self._adamw.update(
            vectors(params, layout), vectors(grad, layout), state.vectors, lr * self.vector_rate
        )
        return joined(found, rest, layout), MuonState(M, of_vectors, layout)


def beside(value: Hyper) -> float | Tensor:
    """A setting in a shape that multiplies matrices."""
    return value[:, :, None] if isinstance(value, Tensor) else value


def orthogonalised(U: Matrices, steps: int, coefficients: Sequence[float | Tensor], eps: float | Tensor) -> Matrices:
    """The same singular vectors, with singular values near 1."""
    a, b, c = coefficients
    rows, columns = U.shape[1:]
    U = filled(U.mT if rows > columns else U)
    U = U / U.flatten(1).norm(dim=1)[:, None, None].clamp(min=eps)
    for _ in range(steps):
        square = U @ U.mT
        U = a * U + (b * square + c * square @ square) @ U
    return (U.mT if rows > columns else U)[:, :rows, :columns]
