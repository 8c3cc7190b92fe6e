"""Its layers are tested in test_deepobs.py."""

from optbench.problems.mnist_vae import MnistVAE


def test_batches_are_those_of_the_source():
    assert MnistVAE().batch_size == 64
