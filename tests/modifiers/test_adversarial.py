"""Adversarial training, against the closed form of a linear model and a plain module."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.autoencoder import Autoencoder
from optbench.problems.cnn import CNN
from optbench.problems.mlp import MLP
from torch import nn

from optbench.modifiers.adversarial import Adversarial
from optbench.modifiers.label_smoothing import LabelSmoothing

LINEAR = MLP(data="breast_cancer", hidden=(), batch_size=32, dtype=torch.float64)


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_for_logistic_regression_it_is_the_closed_form(seeds: list[int]) -> None:
    """mean of log(1 + e^(ε‖w‖₁ − s (w·x + b))): Goodfellow, Shlens & Szegedy, section 5."""
    eps = 0.25
    params, batch = LINEAR.start(seeds), LINEAR.stream(seeds).at(0)
    loss = Adversarial(eps=eps, alpha=0.0).change(LINEAR).loss(params, batch)
    weight, bias = LINEAR.layout.split(params).values()
    w, b = weight[:, 1] - weight[:, 0], bias[:, 1] - bias[:, 0]
    margin = (2 * batch.y - 1) * (torch.einsum("tbi,ti->tb", batch.x, w) + b[:, None])
    expected = F.softplus(eps * w.abs().sum(dim=1, keepdim=True) - margin).mean(dim=1)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "problem",
    [
        MLP(hidden=(8,), activation="tanh", batch_size=5, dtype=torch.float64),
        MLP(data="iris", hidden=(8,), batch_size=None, dtype=torch.float64),
        CNN(batch_size=5, dtype=torch.float64),
    ],
    ids=["mlp", "full batch", "cnn"],
)
@pytest.mark.parametrize("seeds", [[1], [0, 1]])
def test_loss_and_gradient_are_those_of_a_plain_module(problem: Any, seeds: list[int]) -> None:
    eps, alpha = 0.3, 0.7
    params, batch = problem.start(seeds), problem.stream(seeds).at(0)
    loss, grad = Adversarial(eps=eps, alpha=alpha).change(problem).loss_and_grad(params, batch)
    for k in range(len(seeds)):
        module = problem.module().double()
        nn.utils.vector_to_parameters(params[k], module.parameters())
        x = batch.x[k].clone().requires_grad_()
        F.cross_entropy(module(x), batch.y[k]).backward()
        assert x.grad is not None
        moved = x.detach() + eps * x.grad.sign()
        module.zero_grad()
        theirs = alpha * F.cross_entropy(module(batch.x[k]), batch.y[k])
        theirs = theirs + (1 - alpha) * F.cross_entropy(module(moved), batch.y[k])
        theirs.backward()
        torch.testing.assert_close(loss[k], theirs.detach(), rtol=1e-12, atol=0)
        flat = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
        torch.testing.assert_close(grad[k], flat, rtol=1e-9, atol=1e-13)
    assert (loss > problem.loss(params, batch)).all()


def test_a_loss_asked_for_without_gradient_has_none_and_is_the_same() -> None:
    changed = Adversarial().change(LINEAR)
    params, batch = LINEAR.start([0, 1]), LINEAR.stream([0, 1]).at(0)
    with torch.no_grad():
        plain = changed.loss(params, batch)
    assert not plain.requires_grad
    assert torch.equal(plain, changed.loss(params.clone().requires_grad_(), batch).detach())


def test_an_autoencoder_rebuilds_the_inputs_as_they_are() -> None:
    problem = Autoencoder(hidden=(), code=4, batch_size=6, dtype=torch.float64)
    params, batch = problem.start([0, 1]), problem.stream([0, 1]).at(0)
    loss = Adversarial(eps=0.5, alpha=0.0).change(problem).loss(params, batch)
    x = batch.x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(problem.loss(params, batch._replace(x=x)).sum(), x)
    expected = problem.loss(params, batch._replace(x=batch.x + 0.5 * slope.sign()))
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    assert (expected > problem.loss(params, batch)).all()


def test_smoothed_labels_are_seen_by_both_passes() -> None:
    params, batch = LINEAR.start([0, 1]), LINEAR.stream([0, 1]).at(0)
    smooth = LabelSmoothing(eps=0.2).change(LINEAR)
    both = Adversarial(eps=0.0).change(smooth).loss(params, batch)
    torch.testing.assert_close(both, smooth.loss(params, batch), rtol=1e-12, atol=0)
    order = [Adversarial(eps=0.1).change(smooth), LabelSmoothing(eps=0.2).change(Adversarial(eps=0.1).change(LINEAR))]
    torch.testing.assert_close(*(problem.loss(params, batch) for problem in order), rtol=1e-12, atol=0)


def test_tokens_and_wrong_settings_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^adversarial needs inputs that are numbers, and those of recall are tokens$"
    ):
        Adversarial().change(MLP(data="recall"))
    with pytest.raises(ValueError, match=r"^Adversarial: alpha must lie in \[0, 1\], got 2$"):
        Adversarial(alpha=2.0)
