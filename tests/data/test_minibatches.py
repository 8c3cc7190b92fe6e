import pytest
import torch

from optbench.data.minibatches import Minibatches, Order
from optbench.data.splits import Part


@pytest.mark.parametrize(("samples", "batch_size"), [(12, 4), (14, 4), (5, 1), (6, 6)])
def test_every_sample_comes_once_an_epoch_but_for_those_that_fill_no_batch(samples, batch_size):
    order = Order([0, 1, 2], samples, batch_size)
    assert order.batches == samples // batch_size
    for epoch in range(3):
        seen = torch.cat([order.at(epoch * order.batches + k) for k in range(order.batches)], dim=1)
        for row in seen.tolist():
            assert len(set(row)) == len(row) == order.batches * batch_size
            assert set(row) <= set(range(samples))


def test_epochs_and_trials_have_orders_of_their_own():
    order = Order([0, 1], 100, 100)
    first, second = order.at(0), order.at(1)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], second[0])


def test_samples_left_out_of_an_epoch_come_in_others():
    order = Order([0], 7, 3)
    assert len({i for step in range(20) for i in order.at(step)[0].tolist()}) == 7


def test_every_sample_is_equally_likely_in_the_first_batch():
    chosen = Order(range(4000), 10, 2).at(0)
    assert torch.bincount(chosen.flatten()).tolist() == pytest.approx([800] * 10, abs=120)


def test_steps_may_be_asked_for_in_any_order():
    order = Order([3, 4], 20, 5)
    steps = [order.at(step) for step in range(12)]
    for step in (11, 0, 7, 3, 8):
        assert torch.equal(order.at(step), steps[step])
        assert torch.equal(order.at(step, torch.tensor([1])), steps[step][1:])


def test_inputs_and_labels_of_a_batch_belong_together():
    part = Part(torch.arange(20.0).reshape(20, 1) * 10, torch.arange(20))
    stream = Minibatches([0, 1, 2], part, 6)
    x, y = stream.at(2)
    assert x.shape == (3, 6, 1)
    assert torch.equal(x[..., 0], y * 10.0)
    assert not stream.fixed


@pytest.mark.parametrize("batch_size", [0, 21])
def test_a_batch_that_does_not_fit_the_data_is_refused(batch_size):
    with pytest.raises(ValueError, match=rf"batch_size must lie in \[1, 20\].*got {batch_size}"):
        Order([0], 20, batch_size)
