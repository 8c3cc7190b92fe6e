"""PSGD-Kron: preconditioners for rows and columns that are learnt by gradient descent of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..aligned import Matrices, product, solved, square
from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Oracle, Params
from ..randomness import Randomness
from .adamw import AdamW, AdamWState
from .matrices import check_matrices, joined, matrices, vectors
from .muon import beside
from .powers import power

TINY = torch.finfo(torch.bfloat16).tiny


class PSGDKronState(NamedTuple):
    """t: steps taken; waited: steps since the preconditioners were improved; M: running mean of the gradient of each
    matrix; QL, QR: upper triangular factors of the preconditioners QᵀQ of its rows and columns, [trials, k, k], or their
    diagonals, [trials, k]; vectors: AdamW's state of the rest; layout: where the layers lie."""

    t: int
    waited: int
    M: dict[str, Matrices]
    QL: dict[str, Tensor]
    QR: dict[str, Tensor]
    vectors: AdamWState
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class PSGDKron(FirstOrder[PSGDKronState]):
    """Preconditioned SGD with Kronecker factors. For the matrix X and gradient G of each layer:

        M ← momentum · M + (1 − momentum) G,   M̂ ← M / (1 − momentumᵗ)
        A ← QL M̂ QRᵀ,   B ← QL⁻ᵀ N QR⁻¹ with normal noise N
        QL ← QL − precondition_lr / ‖A Aᵀ + B Bᵀ‖ · triu(A Aᵀ − B Bᵀ) QL,   QR likewise with AᵀA and BᵀB
        U ← QLᵀ QL M̂ QRᵀ QR,   U ← U · min(1, 1.1 / rms(U))
        X ← (1 − lr · weight_decay) X − lr · U

    The factors come to make U white, like noise. They are improved in each of the first 500 steps, then ever more
    seldom, down to 3 steps in a hundred. ‖·‖ is a lower bound of the spectral norm, from one power iteration. Sides longer
    than max_size_triangular have a diagonal factor. The noise is the same in all trials, and in every run. Convolution
    kernels are matrices of output channels × the rest. What has one row or column, biases and landscapes take AdamW's step
    with the rate lr · vector_rate.

    Args:
        lr: root mean square of a step, about, in units of the parameters.
        momentum: decay of the running mean, in [0, 1).
        weight_decay: part of the parameters that a step of lr = 1 takes away.
        precondition_lr: step length of the factors, relative to themselves.
        max_size_triangular: longest side with a triangular factor.
        vector_rate: AdamW's rate as a part of lr.
        vector_betas: decay of AdamW's running means, each in [0, 1).
        vector_eps: floor of AdamW's denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Li, "Preconditioned stochastic gradient descent", IEEE Transactions on Neural Networks and Learning Systems 29
    (2018), 1454-1466, https://arxiv.org/abs/1512.04202; Pooladzandi & Li, 2024, https://arxiv.org/abs/2402.04553. Same
    result for matrices as pytorch_optimizer.Kron with the same noise and without its balancing of factors against overflow
    in bfloat16; there vectors have a factor too.
    """

    family: ClassVar[str] = "matrix"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1e-3, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)
    weight_decay: Hyper = setting(0.0, least=0)
    precondition_lr: Hyper = setting(0.1, least=0, most=1)
    max_size_triangular: int = setting(8192, least=1)
    vector_rate: Hyper = setting(1.0, least=0)
    vector_betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    vector_eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @cached_property
    def _adamw(self) -> AdamW:
        return AdamW(betas=self.vector_betas, eps=self.vector_eps, weight_decay=self.weight_decay)

    def check(self, params: Params, oracle: Oracle) -> None:
        check_matrices(params, oracle)

    def init(self, params: Params, layout: Layout) -> PSGDKronState:
        found, QL, QR = matrices(params, layout), {}, {}
        for name, X in found.items():
            for factors, size in ((QL, X.shape[1]), (QR, X.shape[2])):
                one = X.new_ones(size)
                one = torch.diag(one) if size <= self.max_size_triangular else one
                factors[name] = one.repeat(len(X), *[1] * one.ndim)
        M = {name: torch.zeros_like(X) for name, X in found.items()}
        return PSGDKronState(0, 0, M, QL, QR, self._adamw.init(vectors(params, layout), layout), layout)

    def update(self, params: Params, grad: Params, state: PSGDKronState, lr: Hyper) -> tuple[Params, PSGDKronState]:
        layout, grads, t = state.layout, matrices(grad, state.layout), state.t + 1
        part = min(1.0, max(0.03, math.exp(-0.001 * (state.t - 500))))
        improve = state.waited + 1 >= 1 / part
        rate, keep, left = beside(lr), beside(1 - lr * self.weight_decay), beside(1 - power(self.momentum, float(t)))
        found, M, QL, QR = {}, {}, dict(state.QL), dict(state.QR)
        for name, X in matrices(params, layout).items():
            M[name] = torch.lerp(grads[name], state.M[name], beside(self.momentum))
            G = M[name] / left
            if improve:
                QL[name], QR[name] = self._improved(QL[name], QR[name], G, name, state.t)
            U = _on_left(_gram(QL[name]), _on_right(G, _gram(QR[name])))
            size = U.flatten(1).square().mean(dim=1).sqrt()[:, None, None]
            found[name] = keep * X - rate * (1.1 / (size + 1e-6)).clamp(max=1) * U
        rest, of_vectors = self._adamw.update(
            vectors(params, layout), vectors(grad, layout), state.vectors, lr * self.vector_rate
        )
        waited = 0 if improve else state.waited + 1
        return joined(found, rest, layout), PSGDKronState(t, waited, M, QL, QR, of_vectors, layout)

    def _improved(self, QL: Tensor, QR: Tensor, G: Matrices, name: str, step: int) -> tuple[Tensor, Tensor]:
        """The factors after a step of their own."""
        noise = Randomness([0], f"psgd_kron {name}", G.device).normal(step, G[0].numel(), dtype=G.dtype)
        A = _on_left(QL, _on_right(G, QR.mT if QR.ndim == 3 else QR))
        B = noise.view(1, *G.shape[1:]).repeat(len(G), 1, 1)
        B = solved(QL.mT, B, upper=False) if QL.ndim == 3 else B / QL[:, :, None]
        B = solved(QR, B, upper=True, left=False) if QR.ndim == 3 else B / QR[:, None]
        return self._moved(QL, A, B), self._moved(QR, A.mT, B.mT)

    def _moved(self, Q: Tensor, A: Matrices, B: Matrices) -> Tensor:
        rate = self.precondition_lr
        if Q.ndim == 2:
            a, b = A.square().sum(dim=2), B.square().sum(dim=2)
            return Q - rate * (a - b) * Q / ((a + b).amax(dim=1, keepdim=True) + TINY)
        a, b = square(A.mT), square(B.mT)
        change = beside(rate) * (a - b).triu() / (_length(a + b)[:, None, None] + TINY)
        return Q - product(change, Q)


def _gram(Q: Tensor) -> Tensor:
    """QᵀQ, of a diagonal its square."""
    return square(Q) if Q.ndim == 3 else Q * Q


def _on_left(Q: Tensor, X: Matrices) -> Matrices:
    return product(Q, X) if Q.ndim == 3 else Q[:, :, None] * X


def _on_right(X: Matrices, Q: Tensor) -> Matrices:
    return product(X, Q) if Q.ndim == 3 else X * Q[:, None]


def _length(S: Matrices) -> Tensor:
    """A lower bound of the spectral norm of symmetric matrices, [trials]: one power iteration from the longest row."""
    largest = S.abs().flatten(1).amax(dim=1)
    S = S / torch.where(largest > 0, largest, 1)[:, None, None]
    longest = S.square().sum(dim=2).argmax(dim=1)
    row = S.gather(1, longest[:, None, None].expand(-1, 1, S.shape[2]))
    row = product(row, S)
    row = row / row.norm(dim=2, keepdim=True).clamp(min=torch.finfo(S.dtype).tiny)
    return largest * product(row, S)[:, 0].norm(dim=1)
