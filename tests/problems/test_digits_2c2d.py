"""Its layers are tested in test_deepobs.py."""

from optbench.problems.digits_2c2d import Digits2c2d


def test_batches_are_those_of_the_source():
    assert Digits2c2d().batch_size == 128
