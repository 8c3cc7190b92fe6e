"""Products of matrices of second derivatives with vectors, one matrix a trial, without ever holding the matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .interfaces import Batch, Matrix, Params, Problem
from .nn.attention import unfused_attention

Times = Callable[[Params], Params]
"""v `[trials, n]` → A v `[trials, n]`."""


def hessian_product(problem: Problem, params: Params, batch: Batch) -> Times:
    """v ↦ H v of each trial, by differentiating the gradient along v.

    Source: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994), 147–160.
    """
    at = params.detach().requires_grad_()
    with unfused_attention():
        (grad,) = torch.autograd.grad(problem.loss(at, batch).sum(), at, create_graph=True)
    if not grad.requires_grad:  # a linear objective
        return torch.zeros_like
    return lambda v: torch.autograd.grad(grad, at, v, retain_graph=True, materialize_grads=True)[0]


def gauss_newton_product(problem: Problem, params: Params, batch: Batch) -> Times:
    """v ↦ Jᵀ ∇²L J v of each trial, for a loss L(z) of outputs z with the derivative J.

    J v is found by going back twice: Jᵀ u is linear in u, and its derivative along v is J v.

    Raises:
        ValueError: the problem's loss has no such form.

    Source: Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", Neural Computation 14
    (2002), 1723–1738.
    """
    at = params.detach().requires_grad_()
    with unfused_attention():
        outputs, loss = problem.decomposed(at, batch)
        z = tuple(out for out in outputs if out.requires_grad)
        u = tuple(torch.zeros_like(out, requires_grad=True) for out in z)
        (pulled,) = torch.autograd.grad(z, at, u, create_graph=True, materialize_grads=True)
        known = tuple(out.detach().requires_grad_(out.requires_grad) for out in outputs)
        leaves = tuple(out for out in known if out.requires_grad)
        slopes = torch.autograd.grad(loss(known).sum(), leaves, create_graph=True, materialize_grads=True)
    curved = [k for k, slope in enumerate(slopes) if slope.requires_grad]
    bends = [slopes[k] for k in curved]
    if not bends:  # a loss that is linear in its outputs
        return torch.zeros_like

    def product(v: Params) -> Params:
        along = torch.autograd.grad(pulled, [u[k] for k in curved], v, retain_graph=True, materialize_grads=True)
        bent = torch.autograd.grad(bends, leaves, along, retain_graph=True, materialize_grads=True)
        return torch.autograd.grad(z, at, bent, retain_graph=True, materialize_grads=True)[0]

    return product


PRODUCTS: dict[Matrix, Callable[[Problem, Params, Batch], Times]] = {
    "hessian": hessian_product,
    "gauss_newton": gauss_newton_product,
}


def moved(problem: Problem) -> Tensor:
    """1 for parameters, 0 for moving statistics, of which the objective is no function: `[n]`."""
    layout = problem.layout
    kept = torch.tensor([float(role != "buffer") for role in layout.roles], **problem.kind)
    return kept.repeat_interleave(torch.tensor(layout.sizes, device=problem.device))
