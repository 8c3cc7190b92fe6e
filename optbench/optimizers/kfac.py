"""K-FAC: natural gradient with a Fisher matrix that is a Kronecker product in each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..aligned import Matrices, check_solvable, inverse, product
from ..checks import check_settings, setting
from ..interfaces import Factors, Hyper, Layout, Optimizer, Oracle, Params
from .muon import beside

NONE = (
    "K-FAC needs a network with linear or convolution layers that it can see into, such as mlp, cnn or torch.nn.Sequential, not "
    "a module with a forward of its own; take natural_gradient or gauss_newton"
)


class KFACState(NamedTuple):
    """t: steps taken; factors: running means A and G of each layer; A_inv, G_inv: inverses of the damped ones, as computed
    last; v: velocity, [trials, n]; layout: where the layers lie."""

    t: int
    factors: dict[str, Factors]
    A_inv: dict[str, Matrices]
    G_inv: dict[str, Matrices]
    v: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class KFAC(Optimizer[KFACState]):
    """Kronecker-factored approximate curvature. For each linear or convolution layer with the weights W, a bias being one more
    column of W, and the gradient D of its weights:

        A ← ϱ A + (1 − ϱ) E[a aᵀ],   G ← ϱ G + (1 − ϱ) E[g gᵀ],   ϱ = min(1 − 1/t, decay)
        U ← (G + √damping / π · I)⁻¹ D (A + π √damping · I)⁻¹,   π² = (tr A / dim A) / (tr G / dim G)
        v ← momentum · v + min(1, √(kl_clip / (lr² Σ ⟨U, D⟩))) · U,   the sum over these layers
        W ← W − lr v

    with a the layer's inputs and g the gradients by its outputs, of losses whose targets are drawn from the model itself: the
    Fisher matrix, not that of the data. For a convolution the mean is over the places too, of which A is summed. The same
    goes for a linear layer on sequences, and for one that is called several times. Instead of drawing labels, the
    gradients are those of a random vector with the covariance ∇²L of the loss at the outputs, which has the same
    expectation and less scatter; it is keyed by the step and the same for all trials.

    All else takes plain steps with momentum, v ← momentum · v + D: normalisation, embeddings, transposed and grouped
    convolutions, layers inside a module of a person's own. So do modifiers' penalties: they enter D, not A and G.

    A step counts two evaluations, and inverting costs (inputs³ + outputs³) operations a layer. One batch gives A, G and D.

    Args:
        lr: step length; 1 is the minimum of the quadratic model of damping 0.
        momentum: decay of the velocity, in [0, 1).
        damping: λ, added to the curvature, in units of the Fisher matrix; the factors get √λ each, by their sizes.
        decay: of the running means, in [0, 1).
        inverse_frequency: steps between two computations of the inverses, the expensive part.
        kl_clip: most that lr² Uᵀ F U may be, about twice the Kullback–Leibler divergence of a step; 0: no bound.

    Raises:
        ValueError: a value lies outside its range; the message names the trial. The problem has no such layers, or its loss
            is no convex function of outputs.

    Source: Martens & Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature", ICML 2015, sections
    3, 5 and 6.3, https://arxiv.org/abs/1503.05671, without its rescaling by the exact quadratic model and without adapting λ;
    convolutions: Grosse & Martens, "A Kronecker-factored approximate Fisher matrix for convolution layers", ICML 2016,
    Theorem 1 and equation 25, https://arxiv.org/abs/1602.01407; bound on the step: Ba, Grosse & Martens, "Distributed
    second-order optimization using Kronecker-factored approximations", ICLR 2017, section 5.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(0.1, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)
    damping: Hyper = setting(1e-2, above=0)
    decay: Hyper = setting(0.95, least=0, below=1)
    inverse_frequency: int = setting(1, least=1)
    kl_clip: Hyper = setting(1e-3, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self, params: Params, oracle: Oracle) -> None:
        if not oracle.kronecker(params):
            raise ValueError(NONE)
        check_solvable(params.dtype)

    def init(self, params: Params, layout: Layout) -> KFACState:
        return KFACState(0, {}, {}, {}, torch.zeros_like(params), layout)

    def step(self, params: Params, state: KFACState, oracle: Oracle, factor: Hyper) -> tuple[Params, KFACState]:
        t, layout, lr = state.t + 1, state.layout, self.lr * factor
        _, grad = oracle(params)
        found = oracle.kronecker(params)
        if not found:
            raise ValueError(NONE)
        if t > 1:
            kept = self.decay.clamp(max=1 - 1 / t) if isinstance(self.decay, Tensor) else min(1 - 1 / t, self.decay)
            found = {name: _mixed(state.factors[name], new, kept) for name, new in found.items()}
        A_inv, G_inv = dict(state.A_inv), dict(state.G_inv)
        if t == 1 or t % self.inverse_frequency == 0:
            for name, (A, G, _) in found.items():
                pi = (_mean_diagonal(A) / _mean_diagonal(G)).sqrt()
                pi = pi.where((pi > 0) & pi.isfinite(), 1)
                root = self.damping**0.5
                A_inv[name], G_inv[name] = inverse(A, root * pi), inverse(G, root / pi)

        D = layout.split(grad)
        U = dict(D)
        for name, layer in found.items():
            joined = D[name].flatten(2) if D[name].ndim > 2 else D[name][:, :, None]
            if layer.bias is not None:
                joined = torch.cat([joined, D[layer.bias][:, :, None]], dim=2)
            natural = product(product(G_inv[name], joined), A_inv[name])
            if layer.bias is not None:
                natural, U[layer.bias] = natural[:, :, :-1], natural[:, :, -1]
            U[name] = natural.reshape(D[name].shape)
        bound = self._bound(lr, U, D, [n for name, layer in found.items() for n in (name, layer.bias) if n is not None])
        clipped = {n for name, layer in found.items() for n in (name, layer.bias)}
        parts = [U[n].flatten(1) * bound if n in clipped else U[n].flatten(1) for n in layout.names]
        v = self.momentum * state.v + torch.cat(parts, dim=1)
        return params - lr * v, KFACState(t, found, A_inv, G_inv, v, layout)

    def _bound(
        self, lr: Hyper, U: dict[str, Tensor], D: dict[str, Tensor], names: list[str]
    ) -> Float[Tensor, "trials 1"]:
        """The part of the step that is made."""
        size = sum(((U[n] * D[n]).flatten(1).sum(dim=1, keepdim=True) for n in names), torch.zeros(()).to(D[names[0]]))
        most = self.kl_clip / (lr * lr * size)
        unbounded = torch.as_tensor(self.kl_clip, device=size.device) == 0
        return most.sqrt().clamp(max=1).where(~unbounded & (most >= 0), 1)


def _mixed(old: Factors, new: Factors, kept: Hyper) -> Factors:
    """ϱ old + (1 − ϱ) new."""
    old_part, new_part = beside(kept), beside(1 - kept)
    return Factors(old_part * old.A + new_part * new.A, old_part * old.G + new_part * new.G, new.bias)


def _mean_diagonal(matrix: Matrices) -> Float[Tensor, "trials 1"]:
    return matrix.diagonal(dim1=1, dim2=2).mean(dim=1, keepdim=True)
