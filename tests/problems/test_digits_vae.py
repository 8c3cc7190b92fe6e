"""Its layers are tested in test_deepobs.py."""

from optbench.problems.digits_vae import DigitsVAE


def test_batches_are_those_of_the_source():
    assert DigitsVAE().batch_size == 64
