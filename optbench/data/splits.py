"""Training, validation and test splits: random, stratified, fixed by (data set, version, split seed)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..randomness import Randomness
from .dataset import Dataset

FRACTIONS = (0.6, 0.2, 0.2)
"""Shares of training, validation and test."""


@dataclass(frozen=True, eq=False)
class Part:
    """Standardised inputs and labels of one split, on a device."""

    x: Float[Tensor, "samples ..."]
    y: Int64[Tensor, "samples"]

    def __len__(self) -> int:
        return self.x.shape[0]


@dataclass(frozen=True, eq=False)
class Splits:
    """The three parts of a data set: train to learn from, validation to choose settings, test to be read once."""

    train: Part
    validation: Part
    test: Part


def split_indices(data: Dataset, seed: int) -> tuple[Int64[Tensor, "samples"], ...]:
    """Indices of the training, validation and test samples, in random order.

    Stratified: each class is shuffled, its i-th of k samples gets the rank (i + ½)/k, and the three parts are cut from
    all samples sorted by rank. So every part has its exact size and, to one sample, the class shares of the whole.
    """
    samples = data.y.shape[0]
    words = Randomness([seed], f"{data.name} split, version {data.version}").words(0, 2 * samples)[0]
    rank = torch.empty(samples, dtype=torch.float64)
    for label in range(data.classes):
        members = (data.y == label).nonzero().squeeze(1)
        shuffled = members[words[members].argsort(stable=True)]
        rank[shuffled] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    order = rank.argsort(stable=True)
    first, second = round(FRACTIONS[0] * samples), round((FRACTIONS[0] + FRACTIONS[1]) * samples)
    parts = order.tensor_split((first, second))
    return tuple(part[words[samples + part].argsort(stable=True)] for part in parts)


@lru_cache(maxsize=32)
def split(data: Dataset, seed: int, dtype: torch.dtype, device: torch.device) -> Splits:
    """The standardised parts of a data set.

    Mean and standard deviation are those of the training part: of each input, or for images of all pixels together (a
    pixel that is almost always black would otherwise be blown up). An input that never changes is left unscaled.

    Args:
        data: from the table DATASETS.
        seed: number of the split; 0 is the default split of every problem.
        dtype: of the inputs.
        device: where the parts live.
    """
    indices = split_indices(data, seed)
    known = data.x[indices[0]]
    axes = tuple(range(known.ndim)) if data.image else (0,)
    mean, std = known.mean(dim=axes, keepdim=True), known.std(dim=axes, keepdim=True, correction=0)
    scaled = (data.x - mean) / torch.where(std > 0, std, torch.ones_like(std))
    parts = [Part(scaled[i].to(device, dtype).contiguous(), data.y[i].to(device)) for i in indices]
    return Splits(*parts)
