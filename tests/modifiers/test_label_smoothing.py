"""Label smoothing, by hand and against torch's other form of it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.autoencoder import Autoencoder
from optbench.problems.mlp import MLP

from optbench.modifiers.label_smoothing import LabelSmoothing, smoothed
from optbench.nn.layers import cross_entropy

IRIS = MLP(data="iris", hidden=(5,), batch_size=20, dtype=torch.float64)


def test_probabilities_worked_by_hand() -> None:
    p = smoothed(torch.tensor([[2, 0]]), 0.2, 5, torch.float64)
    expected = torch.tensor([[[0.05, 0.05, 0.8, 0.05, 0.05], [0.8, 0.05, 0.05, 0.05, 0.05]]], dtype=torch.float64)
    torch.testing.assert_close(p, expected, rtol=1e-15, atol=1e-16)


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_the_loss_is_that_of_torch_with_a_larger_eps(seeds: list[int]) -> None:
    """torch gives eps/k to each of the k classes, so 1 − eps + eps/k to the right one: here k = 3."""
    eps = 0.15
    problem, params = LabelSmoothing(eps=eps).change(IRIS), IRIS.start(seeds)
    batch = IRIS.stream(seeds).at(0)
    loss, grad = problem.loss_and_grad(params, batch)
    for k in range(len(seeds)):
        module = IRIS.module().double()
        torch.nn.utils.vector_to_parameters(params[k], module.parameters())
        theirs = F.cross_entropy(module(batch.x[k]), batch.y[k], label_smoothing=eps * 3 / 2)
        theirs.backward()
        torch.testing.assert_close(loss[k], theirs.detach(), rtol=1e-12, atol=0)
        flat = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
        torch.testing.assert_close(grad[k], flat, rtol=1e-10, atol=1e-14)
    assert (loss - IRIS.loss(params, batch)).abs().min() > 1e-4


def test_the_best_logits_give_the_smoothed_probabilities() -> None:
    p = smoothed(torch.tensor([[1]]), 0.3, 4, torch.float64)
    logits = p.log().requires_grad_()
    cross_entropy(logits, p).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-15


def test_mixed_labels_are_mixtures_of_smoothed_ones() -> None:
    first, second = torch.tensor([[0, 2]]), torch.tensor([[1, 2]])
    mixed = 0.7 * F.one_hot(first, 3).double() + 0.3 * F.one_hot(second, 3).double()
    apart = [smoothed(y, 0.2, 3, torch.float64) for y in (first, second)]
    found = smoothed(mixed, 0.2, 3, torch.float64)
    torch.testing.assert_close(found, 0.7 * apart[0] + 0.3 * apart[1], rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(1, 2, dtype=torch.float64))
    problem = MLP(data="iris", augment={"mixup": 0.4}, dtype=torch.float64)
    params, batch = problem.start([0, 1]), problem.stream([0, 1]).at(0)
    assert batch.y.is_floating_point()
    assert torch.isfinite(LabelSmoothing().change(problem).loss(params, batch)).all()


def test_places_of_a_sequence_that_are_not_scored_count_for_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(-1, 4, (2, 3, 5), generator=generator)
    assert (labels < 0).any()
    eps, k = 0.12, 4
    found = cross_entropy(logits, smoothed(labels, eps, k, torch.float64))
    for trial in range(2):
        theirs = F.cross_entropy(
            logits[trial].flatten(0, 1), labels[trial].flatten(), ignore_index=-1, label_smoothing=eps * k / (k - 1)
        )
        torch.testing.assert_close(found[trial], theirs, rtol=1e-13, atol=0)


def test_without_eps_nothing_changes() -> None:
    params, batch = IRIS.start([0, 1]), IRIS.stream([0, 1]).at(0)
    torch.testing.assert_close(LabelSmoothing(eps=0.0).change(IRIS).loss(params, batch), IRIS.loss(params, batch))


def test_it_is_judged_by_the_labels_as_they_are() -> None:
    params = IRIS.start([0, 1])
    assert torch.equal(LabelSmoothing(eps=0.5).change(IRIS).objective(params, 0), IRIS.objective(params, 0))


def test_values_and_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^label_smoothing needs labels, and MLP on diabetes learns values$"):
        LabelSmoothing().change(MLP(data="diabetes"))
    with pytest.raises(ValueError, match=r"^label_smoothing needs labels, and Autoencoder on digits learns values$"):
        LabelSmoothing().change(Autoencoder())
    with pytest.raises(ValueError, match=r"^LabelSmoothing: eps must lie in \[0, 1\), got 1$"):
        LabelSmoothing(eps=1.0)
