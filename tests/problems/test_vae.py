import pytest
import torch
from optbench.problems.vae import VAE, divergence
from torch import nn
from torch.distributions import Normal, kl_divergence


def test_the_divergence_is_that_of_torch_distributions_and_of_monte_carlo():
    mean, log_variance = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    law, prior = Normal(mean, (0.5 * log_variance).exp()), Normal(torch.zeros_like(mean), torch.ones_like(mean))
    torch.testing.assert_close(divergence(mean, log_variance), kl_divergence(law, prior).sum(dim=1))
    z = law.sample((200_000,))
    estimate = (law.log_prob(z) - prior.log_prob(z)).sum(dim=-1).mean(dim=0)
    torch.testing.assert_close(divergence(mean, log_variance), estimate, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("seeds", [[2], [2, 5, 6]])
def test_training_equals_a_plain_torch_loop_with_the_same_noise(seeds):
    problem, rate = VAE(dtype=torch.float64), 0.01
    params, stream, losses = problem.start(seeds), problem.stream(seeds), []
    for step in range(50):
        loss, grad = problem.loss_and_grad(params, stream.at(step))
        params = params - rate * grad
        losses.append(loss[0])
    coder, alone = problem.module().double(), problem.stream(seeds[:1])
    nn.utils.vector_to_parameters(problem.start(seeds[:1])[0], coder.parameters())
    descent = torch.optim.SGD(coder.parameters(), lr=rate)
    from optbench.nn.forward import Pass

    for step in range(50):
        batch = alone.at(step)
        noise = Pass(keys=batch.keys).normal(torch.empty(1, 64, 8, dtype=torch.float64))[0]
        mean, log_variance = coder.encoder(batch.x[0]).chunk(2, dim=1)
        rebuilt = coder.decoder(mean + (0.5 * log_variance).exp() * noise)
        divergences = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
        loss = (0.5 * ((rebuilt - batch.x[0].flatten(1)) ** 2).sum(dim=1) + divergences).mean()
        descent.zero_grad()
        loss.backward()
        descent.step()
        assert loss.item() == pytest.approx(losses[step].item(), abs=1e-9), step


def test_draws_differ_between_steps_and_trials_and_not_between_evaluations():
    problem = VAE()
    params = problem.start([0, 0])
    first, second = (problem.stream([0, 1]).at(step) for step in (0, 1))
    assert len({*first.keys.tolist(), *second.keys.tolist()}) == 4
    one, again = problem.evaluate(params, 0), problem.evaluate(params, 9)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert torch.equal(one["objective"][:1], one["objective"][1:])


def test_the_reference_is_the_loss_of_a_mean_image_and_an_empty_code():
    problem = VAE(dtype=torch.float64)
    y = problem.train.y[None]
    zero = torch.zeros(1, y.shape[1], 8, dtype=torch.float64)
    mean_image = y.mean(dim=1, keepdim=True).expand_as(y)
    assert problem.reference_loss() == pytest.approx(problem.criterion((mean_image, zero, zero), y).item())


def test_it_has_as_many_parameters_as_stated():
    assert VAE().layout.n == 9936


def test_monte_carlo_predictions_are_refused():
    problem = VAE(predictions=3)
    with pytest.raises(ValueError, match="leave it at 0"):
        problem.evaluate(problem.start([0]), 0)
