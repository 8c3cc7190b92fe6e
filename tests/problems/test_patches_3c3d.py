"""Its layers are tested in test_deepobs.py."""

from optbench.problems.patches_3c3d import Patches3c3d


def test_batches_are_those_of_the_source():
    assert Patches3c3d().batch_size == 128
