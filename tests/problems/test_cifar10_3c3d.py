"""Its layers are tested in test_deepobs.py."""

from optbench.problems.cifar10_3c3d import Cifar103c3d


def test_batches_are_those_of_the_source():
    assert Cifar103c3d().batch_size == 128
