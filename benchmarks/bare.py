"""The loops a person writes by hand, with which ours are compared: zero_grad, loss, backward, step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from optbench.data import DATASETS
from optbench.data.splits import split


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


def digits() -> tuple[Tensor, Tensor]:
    """The images that our MLP trains on: pixels and labels."""
    train = split(DATASETS["digits"](), 0, dtype=torch.float32, device=torch.device("cpu")).train
    return train.x, train.y


def mlp(steps: int, x: Tensor, y: Tensor, lr: float = 1e-3, batch_size: int = 64) -> float:
    """Adam on a 64-64-10 network in float32, a fresh data order in each epoch; the last loss."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    adam = torch.optim.Adam(module.parameters(), lr=lr)
    batches = len(x) // batch_size
    loss, order = x.new_zeros(()), torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        position = step % batches
        if position == 0:
            order = torch.randperm(len(x))
        chosen = order[position * batch_size : (position + 1) * batch_size]
        adam.zero_grad()
        loss = cross_entropy(module(x[chosen]), y[chosen])
        loss.backward()
        adam.step()
    return float(loss.detach())
