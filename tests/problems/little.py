"""Small data sets, on which networks are quick."""

import torch

from optbench.data import Dataset
from optbench.data.sequences import recall, xor_sequence


def keys() -> Dataset:
    return recall(samples=100)


def bits() -> Dataset:
    return xor_sequence(samples=100)


def grey() -> Dataset:
    """Images in the format of MNIST and Fashion-MNIST."""
    x = (torch.arange(60 * 784, dtype=torch.float64) ** 2 % 251).view(60, 1, 28, 28)
    return Dataset("grey", 1, x, torch.arange(60) % 10, 10, image=True)


def colour() -> Dataset:
    """Images in the format of CIFAR-10."""
    x = (torch.arange(60 * 3072, dtype=torch.float64) ** 2 % 253).view(60, 3, 32, 32)
    return Dataset("colour", 1, x, torch.arange(60) % 10, 10, image=True)


def little_grey() -> Dataset:
    """Small grey images, on which networks are quick."""
    return Dataset(
        "little_grey", 1, grey().x[:, :, ::4, ::4][:, :, 1:, :].repeat(1, 1, 2, 2)[:, :, :8, :8], grey().y, 10, True
    )


def little_colour() -> Dataset:
    """Small images in colour, on which networks are quick."""
    return Dataset("little_colour", 1, colour().x[:, :, ::2, ::2], colour().y, 10, image=True)
