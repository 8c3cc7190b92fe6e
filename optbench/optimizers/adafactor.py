"""Adafactor: Adam's second moment kept as row and column means, and steps relative to the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .powers import power


class AdafactorState(NamedTuple):
    """t: steps taken; R, C: running means of g² along the rows and columns of each matrix; V: running mean of g² of each
    vector, by the layer's name; layout: where the layers lie."""

    t: int
    R: dict[str, Tensor]
    C: dict[str, Tensor]
    V: dict[str, Tensor]
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class Adafactor(FirstOrder[AdafactorState]):
    """Adaptive rates with a second moment of rank one. For the parameters X and gradient G of each layer:

        ρ ← min(lr, 1/√t),   α ← max(eps₂, rms(X)) · ρ,   w ← t^beta2_decay
        R ← (1 − w) R + w · mean of G² in each row        C ← (1 − w) C + w · mean of G² in each column
        V ← R C / max(mean(R), eps₁)                      vectors: V ← (1 − w) V + w · G²
        U ← G / max(√V, eps₁)
        X ← (1 − lr · weight_decay) · X − α · U / max(1, rms(U) / d)

    Of tensors with more than two dimensions, such as convolution kernels, the last two are rows and columns.

    Args:
        lr: longest relative step and multiple of the decay. Steps shrink as 1/√t by themselves.
        beta2_decay: exponent by which the running means come to forget more slowly.
        eps: floor of √V, in units of the gradient (null: the spacing of floating-point numbers at 1), and least size of
            the weights that steps are relative to.
        d: largest root mean square of U that is let through.
        weight_decay: part of the parameters that a step of lr = 1 takes away.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Shazeer & Stern, "Adafactor: adaptive learning rates with sublinear memory cost", ICML 2018, Algorithms 4
    and 5, https://arxiv.org/abs/1804.04235. Same result as torch.optim.Adafactor, which we follow: the paper has 0.01 for lr,
    adds eps₁ to G² instead, and has no decay.
    """

    family: ClassVar[str] = "adaptive"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1e-2, least=0)
    beta2_decay: Hyper = setting(-0.8, most=0)
    eps: tuple[Hyper | None, Hyper] = setting((None, 1e-3), least=0, optional=True)
    d: Hyper = setting(1.0, above=0)
    weight_decay: Hyper = setting(0.0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdafactorState:
        parts = layout.split(params)
        matrices = {name: x for name, x in parts.items() if x.ndim > 2}
        return AdafactorState(
            0,
            {name: torch.zeros_like(x[..., :1]) for name, x in matrices.items()},
            {name: torch.zeros_like(x[..., :1, :]) for name, x in matrices.items()},
            {name: torch.zeros_like(x) for name, x in parts.items() if name not in matrices},
            layout,
        )

    def update(self, params: Params, grad: Params, state: AdafactorState, lr: Hyper) -> tuple[Params, AdafactorState]:
        layout, t = state.layout, state.t + 1
        eps1, eps2 = self.eps
        eps1 = torch.finfo(params.dtype).eps if eps1 is None else eps1
        rho = lr.clamp(max=t**-0.5) if isinstance(lr, Tensor) else min(lr, t**-0.5)
        new = power(float(t), self.beta2_decay)
        R, C, V = dict(state.R), dict(state.C), dict(state.V)

        updates, alphas = [], []
        for (name, g), x in zip(layout.split(grad).items(), params.split(layout.sizes, dim=1), strict=True):
            w, floor = _beside(new, g), _beside(eps1, g)
            if name in V:
                V[name] = v = torch.lerp(V[name], g * g, w)
            else:
                square = g * g
                R[name] = torch.lerp(R[name], square.mean(dim=-1, keepdim=True), w)
                C[name] = torch.lerp(C[name], square.mean(dim=-2, keepdim=True), w)
                v = R[name] * C[name] / R[name].mean(dim=-2, keepdim=True).clamp(min=floor)
            u = (g / v.sqrt().clamp(min=floor)).flatten(1)
            updates.append(u / (_rms(u) / self.d).clamp(min=1))
            alphas.append((_rms(x).clamp(min=eps2) * rho).expand(u.shape))

        step = torch.cat(alphas, dim=1) * torch.cat(updates, dim=1)
        return (1 - lr * self.weight_decay) * params - step, AdafactorState(t, R, C, V, layout)


def _rms(x: Params) -> Tensor:
    return x.norm(dim=1, keepdim=True) / x.shape[1] ** 0.5


def _beside(value: Hyper, x: Tensor) -> Tensor:
    """A setting in a shape that multiplies x, [trials, …]."""
    value = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    return value.reshape(-1, *[1] * (x.ndim - 1))
