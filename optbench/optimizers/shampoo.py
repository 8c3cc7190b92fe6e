"""Shampoo: each matrix's gradient is whitened from both sides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch

from ..aligned import Matrices, eigen, product, square
from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Oracle, Params
from .adamw import AdamW, AdamWState
from .matrices import check_matrices, joined, matrices, vectors
from .muon import beside


class ShampooState(NamedTuple):
    """t: steps taken; M: running mean of the gradient of each matrix; L, R: sums of G Gᵀ and Gᵀ G; L_root, R_root: their
    inverse fourth roots, as computed last; vectors: AdamW's state of the rest; layout: where the layers lie."""

    t: int
    M: dict[str, Matrices]
    L: dict[str, Matrices]
    R: dict[str, Matrices]
    L_root: dict[str, Matrices]
    R_root: dict[str, Matrices]
    vectors: AdamWState
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class Shampoo(FirstOrder[ShampooState]):
    """Adagrad with full matrices for rows and columns. For the matrix X and gradient G of each layer:

        L ← L + G Gᵀ,   R ← R + Gᵀ G,   begun with eps · I
        M ← momentum · M + (1 − momentum) G,   begun with the first G
        X ← (1 − lr · weight_decay) X − lr · L^(−1/4) M R^(−1/4)

    Convolution kernels are matrices of output channels × the rest. What has one row or column, biases and landscapes take
    AdamW's step with the rate lr · vector_rate.

    With precondition_frequency above 1 a step has the roots of an earlier sum, the first ones those of the first gradient
    alone. Directions that no gradient had by then are lengthened up to 1 / √eps times, so that steps may blow up: above all
    with small batches, whose gradients leave many directions out. A larger eps or a smaller lr is needed there.

    Args:
        lr: length of the first step of a matrix, as a spectral norm; with fresh roots later ones shrink as 1/√t.
        momentum: decay of the running mean, in [0, 1).
        weight_decay: part of the parameters that a step of lr = 1 takes away.
        precondition_frequency: steps between two computations of the roots, the expensive part.
        eps: first value of L and R, in units of the gradient squared; bounds how much a new direction is lengthened.
        vector_rate: AdamW's rate as a part of lr.
        vector_betas: decay of AdamW's running means, each in [0, 1).
        vector_eps: floor of AdamW's denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Gupta, Koren & Singer, "Shampoo: preconditioned stochastic tensor optimization", ICML 2018, Algorithm 1,
    https://arxiv.org/abs/1802.09568, which whitens vectors as well and puts no momentum into the algorithm. Same result for
    matrices as pytorch_optimizer.Shampoo without momentum, which keeps a mean of whitened gradients instead, with fresh
    roots in each step. There vectors are whitened too, and each dimension of a kernel has a factor, where here it is a matrix.
    """

    family: ClassVar[str] = "matrix"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(0.1, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)
    weight_decay: Hyper = setting(0.0, least=0)
    precondition_frequency: int = setting(1, least=1)
    eps: Hyper = setting(1e-6, above=0)
    vector_rate: Hyper = setting(0.01, least=0)
    vector_betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    vector_eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @cached_property
    def _adamw(self) -> AdamW:
        return AdamW(betas=self.vector_betas, eps=self.vector_eps, weight_decay=self.weight_decay)

    def check(self, params: Params, oracle: Oracle) -> None:
        check_matrices(params, oracle)

    def init(self, params: Params, layout: Layout) -> ShampooState:
        found, L, R = matrices(params, layout), {}, {}
        for name, X in found.items():
            for sums, size in ((L, X.shape[1]), (R, X.shape[2])):
                identity = torch.eye(size, dtype=X.dtype, device=X.device).repeat(len(X), 1, 1)
                sums[name] = identity * beside(self.eps)
        M = {name: torch.zeros_like(X) for name, X in found.items()}
        of_vectors = self._adamw.init(vectors(params, layout), layout)
        return ShampooState(0, M, L, R, dict(L), dict(R), of_vectors, layout)

    def update(self, params: Params, grad: Params, state: ShampooState, lr: Hyper) -> tuple[Params, ShampooState]:
        layout, grads, t = state.layout, matrices(grad, state.layout), state.t + 1
        rate, keep = beside(lr), beside(1 - lr * self.weight_decay)
        anew = t == 1 or t % self.precondition_frequency == 0
        found, M, L, R, L_root, R_root = {}, {}, {}, {}, dict(state.L_root), dict(state.R_root)
        for name, X in matrices(params, layout).items():
            G = grads[name]
            M[name] = G if t == 1 else torch.lerp(G, state.M[name], beside(self.momentum))
            L[name] = state.L[name] + square(G.mT)
            R[name] = state.R[name] + square(G)
            if anew:
                L_root[name], R_root[name] = self._root(L[name]), self._root(R[name])
            found[name] = keep * X - rate * product(product(L_root[name], M[name]), R_root[name])
        rest, of_vectors = self._adamw.update(
            vectors(params, layout), vectors(grad, layout), state.vectors, lr * self.vector_rate
        )
        return joined(found, rest, layout), ShampooState(t, M, L, R, L_root, R_root, of_vectors, layout)

    def _root(self, sums: Matrices) -> Matrices:
        """The inverse fourth root; no eigenvalue lies below eps but by rounding.

        Two square roots, since a power's last bit depends on where in memory the number lies.
        """
        values, columns = eigen(sums)
        roots = values.clamp(min=self.eps).sqrt_().sqrt_()
        return product(columns / roots[:, None], columns.mT)
