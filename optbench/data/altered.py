"""What may be done to a training part on purpose: fewer samples, rarer classes, wrong labels."""

from __future__ import annotations

import torch
from jaxtyping import Int64, Num
from torch import Tensor

from .dataset import Dataset
from .ranks import class_ranks, draw


def altered(
    data: Dataset,
    train: Int64[Tensor, "train"],
    seed: int,
    fraction: float,
    label_noise: float,
    random_labels: bool,
    imbalance: float,
) -> tuple[Int64[Tensor, "kept"], Num[Tensor, "samples ..."]]:
    """Indices of the training samples that are kept, in their order, and the targets of all samples with those changed.

    In this order: imbalance, fraction, random labels, label noise. What happens to a sample depends on (data set,
    version, split seed) and on the options, never on its place in the part.

    Raises:
        ValueError: an option lies outside its range, does not fit the targets, or leaves no sample.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"{data.name}: fraction must lie in (0, 1], got {fraction:g}")
    if not 0 <= label_noise <= 1:
        raise ValueError(f"{data.name}: label_noise must lie in [0, 1], got {label_noise:g}")
    if not 1 <= imbalance < float("inf"):
        raise ValueError(f"{data.name}: imbalance must lie in [1, inf), got {imbalance:g}")
    if data.task == "values" and (label_noise or random_labels):
        raise ValueError(f"{data.name}: label_noise and random_labels are for labels, its targets are values")
    if data.task != "classes" and imbalance > 1:
        raise ValueError(
            f"{data.name}: imbalance needs one label a sample, its targets are {'sequences' if data.classes else 'values'}"
        )
    kept = train
    if imbalance > 1:
        kept = kept[_rarer(data, kept, seed, imbalance)]
    if fraction < 1:
        count = round(fraction * len(kept))
        if count == 0:
            raise ValueError(f"{data.name}: fraction {fraction:g} of {len(kept)} training samples leaves none")
        order = class_ranks(data, kept, draw(data, seed, "fraction").words(0, len(data))[0]).argsort(stable=True)
        kept = kept[order[:count].sort().values]
    y = data.y
    if random_labels or label_noise:
        y = y.clone()
        y[kept] = _wrong(data, kept, seed, label_noise, random_labels)
    return kept, y


def _rarer(data: Dataset, train: Tensor, seed: int, imbalance: float) -> Int64[Tensor, "kept"]:
    """Places in `train` that stay: of class k of C the first share ρ^(−k/(C − 1)), and at least one."""
    rank = class_ranks(data, train, draw(data, seed, "imbalance").words(0, len(data))[0])
    y = data.y[train]
    sizes = torch.bincount(y, minlength=data.classes)
    share = imbalance ** (-torch.arange(data.classes, dtype=torch.float64) / max(1, data.classes - 1))
    keep = (sizes * share).round().clamp(min=1)
    return (rank * sizes[y] < keep[y]).nonzero().squeeze(1)


def _wrong(data: Dataset, kept: Tensor, seed: int, label_noise: float, random_labels: bool) -> Tensor:
    """Labels of the kept samples, random or with noise; in sequences those of the scored places."""

    def below(purpose: str, end: int) -> Tensor:
        drawn = draw(data, seed, purpose).uniform(0, data.y.numel())[0] * end
        return drawn.long().reshape(data.y.shape)[kept]

    y = data.y[kept].clone()
    scored = y >= 0
    if random_labels:
        y[scored] = below("random labels", data.classes)[scored]
    if label_noise and data.classes > 1:
        words = draw(data, seed, "label noise").words(0, data.y.numel())[0].reshape(data.y.shape)[kept]
        chosen = words[scored].argsort(stable=True)[: round(label_noise * int(scored.sum()))]
        wrong = (y + 1 + below("wrong label", data.classes - 1)) % data.classes
        known = y[scored]
        known[chosen] = wrong[scored][chosen]
        y[scored] = known
    return y
