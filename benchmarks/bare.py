"""The loops a person writes by hand, with which ours are compared: zero_grad, loss, backward, step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Loss = Callable[[Any, Tensor], Tensor]
"""(what the network gives, targets) → mean loss of the batch."""


def rosenbrock(steps: int, lr: float = 1e-3) -> Tensor:
    """Adam on 2-D Rosenbrock in float64 from (−1.2, 1); the point reached."""
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([x], lr=lr)
    for _ in range(steps):
        adam.zero_grad()
        loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        loss.backward()
        adam.step()
    return x.detach()


def train(module: nn.Module, loss: Loss, x: Tensor, y: Tensor, steps: int, batch_size: int, lr: float = 1e-3) -> float:
    """Adam on a network, a fresh data order in each epoch; the last loss."""
    adam = torch.optim.Adam(module.parameters(), lr=lr)
    batches = len(x) // batch_size
    last, order = x.new_zeros(()), torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        position = step % batches
        if position == 0:
            order = torch.randperm(len(x))
        chosen = order[position * batch_size : (position + 1) * batch_size]
        adam.zero_grad()
        last = loss(module(x[chosen]), y[chosen])
        last.backward()
        adam.step()
    return float(last.detach())


def evidence(out: tuple[Tensor, Tensor, Tensor], y: Tensor) -> Tensor:
    """The negative evidence lower bound of a variational autoencoder with unit variance, but for a constant."""
    rebuilt, mean, log_variance = out
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return (0.5 * ((rebuilt - y) ** 2).sum(dim=1) + divergence).mean()
