import pytest
import torch

from optbench.data.minibatches import Draws, Minibatches, Order
from optbench.data.splits import Part
from optbench.randomness import Randomness

PART = Part(torch.arange(20.0).reshape(20, 1) * 10, torch.arange(20))
FIRST = [[5, 8, 6, 1], [8, 19, 10, 4]]
"""Samples of two trials at step 3; a change here changes every result."""


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


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("batch_size", [1, 6, 20])
def test_inputs_and_labels_of_a_batch_belong_together(batch_size, replacement):
    stream = Minibatches([0, 1, 2], PART, batch_size, replacement=replacement)
    x, y, keys, watch = stream.at(2)
    assert x.shape == (3, batch_size, 1)
    assert torch.equal(x[..., 0], y * 10.0)
    assert keys is None
    assert watch is None
    assert not stream.fixed


def test_the_full_batch_is_a_view_of_the_part_in_its_order():
    stream = Minibatches([0, 1, 2], PART, None)
    batch = stream.at(5)
    assert batch.x.shape == (3, 20, 1)
    assert batch.y.tolist() == [list(range(20))] * 3
    assert batch.x.untyped_storage().data_ptr() == PART.x.untyped_storage().data_ptr()
    assert batch.x.stride()[0] == batch.y.stride()[0] == 0
    assert stream.fixed
    assert stream.at(5, torch.tensor([2])).x.shape == (1, 20, 1)


def test_the_full_batch_does_not_stay_the_same_where_layers_draw_or_samples_change():
    assert not Minibatches([0], PART, None, keys=True).fixed
    assert not Minibatches([0], PART, None, augment=Doubled()).fixed


def test_the_data_order_is_that_of_version_1():
    assert Minibatches([0, 7], PART, 4).at(3).y.tolist() == FIRST


def test_with_replacement_every_place_is_any_sample():
    draws = Draws(range(4000), 10, 5)
    chosen = draws.at(3)
    assert torch.bincount(chosen.flatten(), minlength=10).tolist() == pytest.approx([2000] * 10, abs=200)
    repeats = sum(len(set(row)) < 5 for row in chosen.tolist()) / 4000
    assert repeats == pytest.approx(1 - 0.9 * 0.8 * 0.7 * 0.6, abs=0.04)  # the birthday problem
    assert not torch.equal(chosen, draws.at(4))


@pytest.mark.parametrize("options", [{}, {"replacement": True}, {"keys": True}])
def test_a_trial_has_the_same_batches_in_any_company_and_any_order(options):
    several = Minibatches([5, 6, 7], PART, 3, **options)
    for step in (9, 0, 4):
        alone = Minibatches([6], PART, 3, **options).at(step)
        chosen, beside = several.at(step, torch.tensor([1])), several.at(step)
        for name in ("x", "y", "keys") if "keys" in options else ("x", "y"):
            expected = getattr(alone, name)
            assert torch.equal(getattr(chosen, name), expected)
            assert torch.equal(getattr(beside, name)[1:2], expected)


def test_keys_are_one_word_a_trial_and_step():
    stream = Minibatches([0, 1, 2], PART, None, keys=True)
    keys = [stream.at(step).keys for step in range(50)]
    assert all(k is not None and k.shape == (3,) and k.dtype == torch.int64 for k in keys)
    assert len({word for k in keys for word in k.tolist()}) == 150
    assert torch.equal(keys[4], Randomness([0, 1, 2], "layers").words(4, 1)[:, 0])


class Doubled:
    """Doubles inputs and notes what it was called with."""

    def __init__(self):
        self.calls = []

    def at(self, x, y, step, rows=None):
        self.calls.append((step, rows))
        return 2 * x, y + 100


def test_augmentation_is_applied_last_and_told_step_and_rows():
    augment, rows = Doubled(), torch.tensor([0])
    plain, changed = Minibatches([0, 1], PART, 4), Minibatches([0, 1], PART, 4, augment=augment)
    assert torch.equal(changed.at(3).x, 2 * plain.at(3).x)
    assert torch.equal(changed.at(6, rows).y, plain.at(6, rows).y + 100)
    assert augment.calls == [(3, None), (6, rows)]


@pytest.mark.parametrize("batch_size", [0, 21])
@pytest.mark.parametrize("replacement", [False, True])
def test_a_batch_that_does_not_fit_the_data_is_refused(batch_size, replacement):
    with pytest.raises(ValueError, match=rf"batch_size must lie in \[1, 20\].*got {batch_size}"):
        Minibatches([0], PART, batch_size, replacement=replacement)
