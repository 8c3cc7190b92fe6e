"""SOAP: Adam in the eigenbasis of Shampoo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..aligned import Matrices, eigen, orthonormal, product, square
from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Oracle, Params
from .matrices import check_matrices, mapped, matrices
from .muon import beside
from .powers import correction


class SOAPState(NamedTuple):
    """t: gradients seen; m: running mean of g; v: running mean of its square in the eigenbases, [trials, n] each; L, R:
    running means of G Gᵀ and Gᵀ G of each matrix; QL, QR: their eigenbases; layout: where the layers lie."""

    t: int
    m: Params
    v: Params
    L: dict[str, Matrices]
    R: dict[str, Matrices]
    QL: dict[str, Matrices]
    QR: dict[str, Matrices]
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class SOAP(FirstOrder[SOAPState]):
    """Adam for each matrix in slowly turning coordinates. For the matrix X and gradient G of each layer:

        M ← β₁ M + (1 − β₁) G,    V ← β₂ V + (1 − β₂) (QLᵀ G QR)²
        U ← QL ((QLᵀ M QR) / (√V + eps)) QRᵀ
        X ← (1 − lr · weight_decay) · (X − lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · U)
        L ← β L + (1 − β) G Gᵀ,   R ← β R + (1 − β) Gᵀ G
        every precondition_frequency steps: QL, QR ← orthonormal bases of L QL and R QR, sorted by eigenvalue

    The first gradient only sets L, R and the eigenbases QL, QR. Convolution kernels are matrices of output channels × the
    rest. What has one row or column, biases and landscapes have no basis: Adam's step, with the same settings. Where L or
    R has equal eigenvalues, as with fewer samples in the first batch than columns, its basis is chosen by rounding, so that
    one trial alone may take other steps than the same trial among others, or on another machine.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        shampoo_beta: decay β of L and R; null for β₂.
        eps: floor of the denominator, in units of the gradient.
        weight_decay: part of the parameters that a step of lr = 1 takes away.
        precondition_frequency: steps between two turns of the bases.
        max_precondition_dim: sides longer than this have no basis.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", ICLR 2025, Algorithms 3 and 4,
    https://arxiv.org/abs/2409.11321. Same result as pytorch_optimizer.SOAP, the authors' code in a package, but for its
    turning of the bases in float32, for matrices with one row or column, of which it turns the other side, and for kernels,
    of which it turns every dimension; here they are matrices.
    """

    family: ClassVar[str] = "matrix"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(3e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.95, 0.95), least=0, below=1)
    shampoo_beta: Hyper | None = setting(None, least=0, below=1, optional=True)
    eps: Hyper = setting(1e-8, least=0)
    weight_decay: Hyper = setting(1e-2, least=0)
    precondition_frequency: int = setting(10, least=1)
    max_precondition_dim: int = setting(10000, least=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self, params: Params, oracle: Oracle) -> None:
        check_matrices(params, oracle)

    def init(self, params: Params, layout: Layout) -> SOAPState:
        L, R = {}, {}
        for name, X in matrices(params, layout).items():
            for sums, size in ((L, X.shape[1]), (R, X.shape[2])):
                if size <= self.max_precondition_dim:
                    sums[name] = X.new_zeros(len(X), size, size)
        return SOAPState(0, torch.zeros_like(params), torch.zeros_like(params), L, R, dict(L), dict(R), layout)

    def update(self, params: Params, grad: Params, state: SOAPState, lr: Hyper) -> tuple[Params, SOAPState]:
        (b1, b2), (t, m, v, L, R, QL, QR, layout) = self.betas, state
        if t == 0:
            L, R = self._sums(grad, state)
            QL = {name: eigen(A)[1].flip(2) for name, A in L.items()}
            QR = {name: eigen(A)[1].flip(2) for name, A in R.items()}
            return params + 0 * grad, SOAPState(1, m, v, L, R, QL, QR, layout)

        m = torch.lerp(m, grad, 1 - b1)
        turned = mapped(grad, layout, lambda name, G: _turned(G, QL.get(name), QR.get(name)))
        v = torch.lerp(v, turned.square_(), 1 - b2)
        u = mapped(m, layout, lambda name, M: _turned(M, QL.get(name), QR.get(name)))
        u = u / v.sqrt().add_(self.eps)
        u = mapped(u, layout, lambda name, U: _turned(U, _transposed(QL.get(name)), _transposed(QR.get(name))))
        params = (1 - lr * self.weight_decay) * (params - lr * correction(self.betas, t) * u)

        L, R = self._sums(grad, state)
        if t % self.precondition_frequency == 0:
            QL, QR = dict(QL), dict(QR)
            v = mapped(v, layout, lambda name, V: _sorted(V, L, QL, R, QR, name))
        return params, SOAPState(t + 1, m, v, L, R, QL, QR, layout)

    def _sums(self, grad: Params, state: SOAPState) -> tuple[dict[str, Matrices], dict[str, Matrices]]:
        b = beside(self.betas[1] if self.shampoo_beta is None else self.shampoo_beta)
        L, R = dict(state.L), dict(state.R)
        for name, G in matrices(grad, state.layout).items():
            if name in L:
                L[name] = torch.lerp(L[name], square(G.mT), 1 - b)
            if name in R:
                R[name] = torch.lerp(R[name], square(G), 1 - b)
        return L, R


def _turned(X: Matrices, left: Matrices | None, right: Matrices | None) -> Matrices:
    X = X if left is None else product(left.mT, X)
    return X if right is None else product(X, right)


def _transposed(Q: Matrices | None) -> Matrices | None:
    return None if Q is None else Q.mT


def _sorted(
    V: Matrices,
    L: dict[str, Matrices],
    QL: dict[str, Matrices],
    R: dict[str, Matrices],
    QR: dict[str, Matrices],
    name: str,
) -> Matrices:
    """V in the order of the new bases, which are put into QL and QR: one round of power iteration and QR."""
    if name in L:
        QL[name], order = _next_basis(L[name], QL[name])
        V = V.gather(1, order[:, :, None].expand(V.shape))
    if name in R:
        QR[name], order = _next_basis(R[name], QR[name])
        V = V.gather(2, order[:, None, :].expand(V.shape))
    return V


def _next_basis(A: Matrices, Q: Matrices) -> tuple[Matrices, Tensor]:
    """The basis after one round, and the place of each of its vectors in the old one."""
    turned = product(A, Q)
    order = (Q * turned).sum(dim=1).argsort(dim=1, descending=True)
    return orthonormal(turned.gather(2, order[:, None, :].expand(turned.shape))), order
