"""Learning problems beside networks written out by hand in plain torch: same loss and gradient, trial by trial."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from optbench.problems import PROBLEMS
from torch import nn

from optbench.nn.forward import Pass

LITTLE = "tests.problems.little"


def dense(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def judged_by(loss):
    return lambda network, x, y, noise: loss(network(x), y)


def rebuilding(networks, x, y, noise):
    encoder, decoder = networks
    return F.mse_loss(decoder(encoder(x)), x.flatten(1))


def likelihood(networks, x, y, noise):
    mean, log_variance = (network(x) for network in networks)
    return F.gaussian_nll_loss(mean, y, log_variance.exp(), eps=1e-300)


def evidence(networks, x, y, noise):
    encoder, decoder = networks
    mean, log_variance = encoder(x).chunk(2, dim=1)
    rebuilt = decoder(mean + (0.5 * log_variance).exp() * noise)
    law = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    divergence = torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).sum(dim=1)
    return (0.5 * (rebuilt - x.flatten(1)).square().sum(dim=1) + divergence).mean()


def two_conv_two_dense() -> nn.Module:
    layers = [nn.Conv2d(1, 32, 5, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(32, 64, 5, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, *dense(256, 1024, 10))


def three_conv_three_dense() -> nn.Module:
    convolutions = [nn.Conv2d(3, 64, 5), nn.Conv2d(64, 96, 3), nn.Conv2d(96, 128, 3, padding=1)]
    return nn.ModuleList([*convolutions, dense(128, 512, 256, 10)])


def with_penalty(networks, x, y, noise):
    *convolutions, head = networks
    for convolution in convolutions:
        x = convolution(x).relu()
        right, below = 1 - x.shape[-1] % 2, 1 - x.shape[-2] % 2
        x = F.max_pool2d(F.pad(x, (0, right, 0, below), value=-math.inf), 3, stride=2)
    weights = [value for name, value in networks.named_parameters() if name.endswith("weight")]
    return F.cross_entropy(head(x), y) + 0.001 * sum(value.square().sum() for value in weights)


def convolutional_coder() -> nn.Module:
    encoder = [nn.Conv2d(1, 64, 4, 2), nn.Conv2d(64, 64, 4, 2), nn.Conv2d(64, 64, 4), nn.Linear(256, 16)]
    decoder = [nn.Linear(8, 24), nn.Linear(24, 4), nn.ConvTranspose2d(1, 64, 4, 2)]
    decoder += [nn.ConvTranspose2d(64, 64, 4), nn.ConvTranspose2d(64, 64, 4), nn.Linear(1024, 64)]
    return nn.ModuleList([*encoder, *decoder])


def deepobs_evidence(layers, x, y, noise):
    first, second, third, code, small, quarter, *back, last = layers
    h = F.leaky_relu(first(F.pad(x, (1, 1, 1, 1))), 0.3)
    h = F.leaky_relu(second(F.pad(h, (1, 1, 1, 1))), 0.3)
    h = F.leaky_relu(third(F.pad(h, (1, 2, 1, 2))), 0.3)
    mean, log_variance = code(h.flatten(1)).chunk(2, dim=1)
    h = F.leaky_relu(small(mean + (0.5 * log_variance).exp() * noise), 0.3)
    h = F.leaky_relu(quarter(h), 0.3).view(-1, 1, 2, 2)
    h = back[0](h)[:, :, 1:-1, 1:-1].relu()
    h = back[1](h)[:, :, 1:-2, 1:-2].relu()
    h = back[2](h)[:, :, 1:-2, 1:-2].relu()
    rebuilt = last(h.flatten(1)).sigmoid()
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(dim=1)
    return (784 / 64 * (rebuilt - x.flatten(1)).square().sum(dim=1) + divergence).mean()


CASES = {
    "linear_regression": ({"batch_size": 32}, lambda: dense(10, 1), judged_by(F.mse_loss)),
    "heteroscedastic_regression": ({}, lambda: nn.ModuleList([dense(10, 32, 1), dense(10, 32, 1)]), likelihood),
    "autoencoder": ({}, lambda: nn.ModuleList([dense(64, 64, 8), dense(8, 64, 64)]), rebuilding),
    "vae": ({}, lambda: nn.ModuleList([dense(64, 64, 16), dense(8, 64, 64)]), evidence),
    "coordinate_network": ({}, lambda: dense(64, 64, 64, 64, 3), judged_by(F.mse_loss)),
    "digits_2c2d": ({"batch_size": 8}, two_conv_two_dense, judged_by(F.cross_entropy)),
    "patches_3c3d": ({"data": f"{LITTLE}.little_colour", "batch_size": 8}, three_conv_three_dense, with_penalty),
    "digits_vae": ({"batch_size": 8, "hidden_dropout": 0.0}, convolutional_coder, deepobs_evidence),
}


@pytest.mark.parametrize("seeds", [[3], [0, 3]], ids=["alone", "together"])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_a_network_written_out_in_plain_torch(name, seeds):
    settings, make, loss_of = CASES[name]
    problem = PROBLEMS[name](dtype=torch.float64, **settings)
    params, batch = problem.start(seeds), problem.stream(seeds).at(2)
    losses, gradients = problem.loss_and_grad(params, batch)
    noises = [None] * len(seeds)
    if problem.network.draws:
        noises = Pass(keys=batch.keys).normal(torch.empty(*batch.x.shape[:2], 8, dtype=torch.float64))
    for k in range(len(seeds)):
        network = make().double()
        nn.utils.vector_to_parameters(params[k], network.parameters())
        loss = loss_of(network, batch.x[k], batch.y[k], noises[k])
        gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))])
        torch.testing.assert_close(losses[k], loss.detach(), rtol=1e-12, atol=0)
        torch.testing.assert_close(gradients[k], gradient, rtol=1e-9, atol=1e-12)
