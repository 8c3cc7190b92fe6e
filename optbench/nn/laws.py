"""Laws of weights, as functions of uniform numbers in (0, 1) `[trials, *shape]`.

m counts the inputs of a unit and n its outputs as torch.nn.init does: dimension 1 and dimension 0 of the weight, each
times the number of places of a kernel. A weight made of several (the gates of an LSTM, the three projections of an
attention) is taken as the one matrix as which it is stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Law = Callable[[Tensor], Tensor]
"""Uniform numbers in (0, 1) `[trials, *shape]` → weights of the same shape."""


def normal(u: Tensor, variance: float) -> Tensor:
    """N(0, variance)."""
    return math.sqrt(variance) * torch.special.ndtri(u)


def uniform(u: Tensor, low: float, high: float) -> Tensor:
    """U(low, high)."""
    return low + (high - low) * u


def inputs_uniform(u: Tensor) -> Tensor:
    """U(±1/√m). Source: Glorot & Bengio 2010, equation 1, "the commonly used heuristic"."""
    bound = 1 / math.sqrt(_fans(u)[0])
    return uniform(u, -bound, bound)


def xavier_uniform(u: Tensor) -> Tensor:
    """U(±√(6/(m + n))). Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 16. Same law as torch.nn.init.xavier_uniform_."""
    bound = math.sqrt(6 / sum(_fans(u)))
    return uniform(u, -bound, bound)


def xavier_normal(u: Tensor) -> Tensor:
    """N(0, 2/(m + n)). Source: as `xavier_uniform`, equation 12. Same law as torch.nn.init.xavier_normal_."""
    return normal(u, 2 / sum(_fans(u)))


def kaiming_uniform(u: Tensor) -> Tensor:
    """U(±√(6/m)). Source: as `kaiming_normal`. Same law as torch.nn.init.kaiming_uniform_ with its defaults."""
    bound = math.sqrt(6 / _fans(u)[0])
    return uniform(u, -bound, bound)


def kaiming_normal(u: Tensor) -> Tensor:
    """N(0, 2/m). Source: He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015, equation 10. Same law as
    torch.nn.init.kaiming_normal_ with its defaults."""
    return normal(u, 2 / _fans(u)[0])


def lecun_normal(u: Tensor) -> Tensor:
    """N(0, 1/m), which keeps the variance of the forward pass. Source: LeCun, Bottou, Orr & Müller, "Efficient
    BackProp", 1998, equation 16."""
    return normal(u, 1 / _fans(u)[0])


def fan_out_normal(u: Tensor) -> Tensor:
    """N(0, 1/n), which keeps the variance of the backward pass. Source: Glorot & Bengio 2010, equation 11."""
    return normal(u, 1 / _fans(u)[1])


def orthogonal(u: Tensor) -> Tensor:
    """Uniform over matrices of orthonormal rows or columns, whichever are fewer; a kernel's places count as columns.

        Q R = G, G of N(0, 1);   W = Q · sign(diag R)

    Source: Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", ICLR 2014; the signs: Mezzadri, "How to generate random matrices from the classical compact groups",
    Notices of the AMS 54 (2007), 592–604. Same law as torch.nn.init.orthogonal_.
    """
    g = torch.special.ndtri(u).flatten(2)
    wide = g.shape[1] < g.shape[2]
    # one matrix after the other: a batched QR may change its algorithm, and bits, with the number of matrices
    q, r = (torch.stack(part) for part in zip(*(torch.linalg.qr(a) for a in (g.mT if wide else g)), strict=True))
    q = q * torch.where(r.diagonal(dim1=1, dim2=2) < 0, -1.0, 1.0)[:, None, :]
    return (q.mT if wide else q).reshape(u.shape)


def _fans(u: Tensor) -> tuple[int, int]:
    """(m, n) of weights `[trials, outputs, inputs, *kernel]`; at least 1, for a weight without elements."""
    places = math.prod(u.shape[3:])
    return max(1, u.shape[2] * places), max(1, u.shape[1] * places)
