"""Curvature of the objective: its largest Hessian eigenvalue and the trace."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..interfaces import Batch, Loss, Problem
from ..nn import Learning
from ..oracle import chunks
from ..products import hessian_product, moved
from ..randomness import Randomness
from .instrument import Instrument, View

LANCZOS = 20
"""Steps of the Lanczos iteration; the largest eigenvalue is found to a few digits long before."""
VECTORS = 10
"""Random vectors of Hutchinson's estimate."""


def fixed_batch(problem: Problem, trials: int) -> Batch:
    """What curvature is measured on: the objective of a landscape, the first 256 training samples of a learning problem."""
    return problem.reference_batch(trials) if isinstance(problem, Learning) else None


def lanczos(product: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> Tensor:
    """Eigenvalues of symmetric matrices, one a row, by the Lanczos iteration with full reorthogonalisation, `[trials, steps]`.

    Args:
        product: v `[trials, n]` → H v.
        start: first vectors `[trials, n]`, not zero.
        steps: of the iteration, at most n.

    A row whose Krylov space is exhausted sooner has the Rayleigh quotient of its first vector among its values, which lies
    within their range. Where a product is not finite, all are nan.

    Source: Golub & Van Loan, "Matrix computations" (2013), Algorithm 10.1.1 with section 10.3.4.
    """
    tiny = 100 * torch.finfo(start.dtype).eps
    basis = [start / start.norm(dim=1, keepdim=True)]
    tridiagonal = start.new_zeros(len(start), steps, steps)
    alive = torch.ones_like(start[:, :1], dtype=torch.bool)
    for k in range(steps):
        w = product(basis[-1])
        tridiagonal[:, k, k] = torch.where(alive[:, 0], (w * basis[-1]).sum(dim=1), tridiagonal[:, 0, 0])
        all_so_far = torch.stack(basis, dim=1)
        for _ in range(2):  # once is not enough in floating point
            w = w - (all_so_far.mT @ (all_so_far @ w[..., None]))[..., 0]
        length = w.norm(dim=1, keepdim=True)
        if k + 1 < steps:
            alive = alive & (length > tiny * tridiagonal.abs().amax(dim=(1, 2))[:, None])
            tridiagonal[:, k, k + 1] = tridiagonal[:, k + 1, k] = torch.where(alive, length, 0)[:, 0]
            basis.append(torch.where(alive, w / length, 0))
    known = tridiagonal.isfinite().all(dim=2).all(dim=1)[:, None]
    return torch.linalg.eigvalsh(tridiagonal.nan_to_num(0.0, 0.0, 0.0)).where(known, float("nan"))


class HessianEigenvalue(Instrument):
    """Largest eigenvalue of the Hessian of the objective.

        hessian_eigenvalue = λ_max(∇²f(w))

    By 20 steps of the Lanczos iteration on Hessian-vector products; for a network f is the loss on the first 256
    training samples. Gradient descent with rate lr is stable where λ_max < 2/lr. Every 2 % of the budget. Units: loss over
    squared units of the parameters.

    Source: Golub & Van Loan, "Matrix computations" (2013), section 10.1; products by Pearlmutter, "Fast exact
    multiplication by the Hessian", Neural Computation 6 (1994), 147–160.
    """

    columns = ("hessian_eigenvalue",)
    costly = True

    def measure(self, view: View) -> dict[str, Loss]:
        problem, found = view.problem, []
        for rows in chunks(len(view.params), problem.loss_chunk or len(view.params)):
            params = view.params[rows]
            batch = fixed_batch(problem, len(params))
            seeds = list(view.seeds)[rows]
            first = Randomness(seeds, "lanczos", params.device).normal(0, problem.layout.n, dtype=params.dtype)
            kept = moved(problem)
            product = hessian_product(problem, params, batch)
            steps = min(LANCZOS, int(kept.sum()))
            found.append(lanczos(lambda v, h=product, kept=kept: kept * h(v), kept * first, steps)[:, -1])
        return {"hessian_eigenvalue": torch.cat(found)}


class HessianTrace(Instrument):
    """Trace of the Hessian of the objective, with the standard error of its estimate.

        hessian_trace = mean over 10 random v of vᵀ ∇²f(w) v,   v with entries ±1

    For a network f is the loss on the first 256 training samples. Every 2 % of the budget. The vectors are the same at every
    step, so the curve does not jump about. hessian_trace_error is the standard deviation over √10.

    Source: Hutchinson, "A stochastic estimator of the trace of the influence matrix", Commun. Statist. Simulation 19
    (1990), 433–450.
    """

    columns = ("hessian_trace", "hessian_trace_error")
    costly = True

    def measure(self, view: View) -> dict[str, Loss]:
        problem, means, errors = view.problem, [], []
        for rows in chunks(len(view.params), problem.loss_chunk or len(view.params)):
            params, seeds = view.params[rows], list(view.seeds)[rows]
            random = Randomness(seeds, "hutchinson", params.device)
            signs = torch.stack([random.uniform(k, problem.layout.n) for k in range(VECTORS)])
            signs = torch.where(signs < 0.5, -1.0, 1.0).to(params.dtype) * moved(problem)
            product = hessian_product(problem, params, fixed_batch(problem, len(params)))
            deviation, mean = torch.std_mean(torch.stack([(v * product(v)).sum(dim=1) for v in signs]), dim=0)
            means.append(mean)
            errors.append(deviation / VECTORS**0.5)
        return {"hessian_trace": torch.cat(means), "hessian_trace_error": torch.cat(errors)}
