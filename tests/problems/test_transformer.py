import pytest
import torch
from optbench.problems.transformer import Transformer
from torch import nn


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize(("dtype", "steps", "tolerance"), [(torch.float32, 20, 1e-5), (torch.float64, 50, 1e-9)])
def test_losses_equal_those_of_a_plain_torch_loop(norm_first, dtype, steps, tolerance):
    problem, seeds, rate = (
        Transformer(norm_first=norm_first, width=16, depth=1, batch_size=16, dtype=dtype),
        [3, 1],
        0.1,
    )
    params, stream, ours = problem.start(seeds), problem.stream(seeds), []
    for step in range(steps):
        loss, grad = problem.loss_and_grad(params, stream.at(step))
        params = params - rate * grad
        ours.append(loss)
    for k, seed in enumerate(seeds):
        module, alone = problem.module().to(dtype), problem.stream([seed])
        nn.utils.vector_to_parameters(problem.start([seed])[0], module.parameters())
        descent = torch.optim.SGD(module.parameters(), lr=rate)
        for step in range(steps):
            batch = alone.at(step)
            descent.zero_grad()
            loss = nn.functional.cross_entropy(module(batch.x[0]), batch.y[0])
            loss.backward()
            descent.step()
            assert ours[step][k].item() == pytest.approx(loss.item(), abs=tolerance), step


def test_a_place_is_not_changed_by_those_behind_it():
    problem = Transformer(data="copying", dtype=torch.float64)
    params, x = problem.start([0, 1]), problem.train.x[:2]
    changed = x.clone()
    changed[:, -1] = (changed[:, -1] + 1) % problem.dataset.tokens
    before, after = problem.outputs_of(params, x), problem.outputs_of(params, changed)
    torch.testing.assert_close(before[:, :, :-1], after[:, :, :-1])
    assert not torch.allclose(before[:, :, -1], after[:, :, -1])


def test_it_has_as_many_parameters_as_stated():
    assert Transformer().layout.n == 26856


@pytest.mark.parametrize(
    ("settings", "message"), [({"data": "wine"}, "reads tokens"), ({"heads": 5}, "heads must divide width")]
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Transformer(**settings).start([0])
