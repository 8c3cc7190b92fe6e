"""Random orders of samples in which classes keep their shares."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..randomness import Randomness
from .dataset import Dataset


def draw(data: Dataset, seed: int, purpose: str) -> Randomness:
    """The random numbers that belong to (data set, version, seed, purpose)."""
    return Randomness([seed], f"{data.name} {purpose}, version {data.version}")


def class_ranks(
    data: Dataset, chosen: Int64[Tensor, "chosen"], words: Int64[Tensor, "samples"]
) -> Float[Tensor, "chosen"]:
    """A rank in (0, 1) for each of the chosen samples: each class is shuffled, its i-th of k samples gets (i + ½)/k.

    The samples with the least ranks are so, to one sample, of each class the same share. Samples without a label of
    their own (values, sequences) are one class.

    Args:
        data: the data set.
        chosen: indices of samples.
        words: by which classes are shuffled; at least one word for every sample of the data set up to the last chosen.
    """
    rank = torch.empty(len(chosen), dtype=torch.float64)
    labels = data.y[chosen] if data.task == "classes" else torch.zeros_like(chosen)
    for label in range(data.classes if data.task == "classes" else 1):
        members = (labels == label).nonzero().squeeze(1)
        shuffled = members[words[chosen[members]].argsort(stable=True)]
        rank[shuffled] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    return rank
