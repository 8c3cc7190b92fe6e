"""Training, validation and test splits: random, stratified, fixed by (data set, version, split seed)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor

from .altered import altered
from .dataset import Dataset, check
from .ranks import class_ranks, draw

CHUNK = 2**18
"""Numbers standardised together: 2 MiB in float64, whatever the size of the data set."""


@dataclass(frozen=True, eq=False)
class Part:
    """Standardised inputs and targets of one split, on a device."""

    x: Num[Tensor, "samples ..."]
    y: Num[Tensor, "samples ..."]

    def __len__(self) -> int:
        return self.x.shape[0]


@dataclass(frozen=True, eq=False)
class Splits:
    """The three parts of a data set: train to learn from, validation to choose settings, test to be read once."""

    train: Part
    validation: Part
    test: Part

    @cached_property
    def all_but_test(self) -> Part:
        """Training and validation part joined: what is learnt from once the settings are chosen."""
        return Part(torch.cat([self.train.x, self.validation.x]), torch.cat([self.train.y, self.validation.y]))


def split_indices(data: Dataset, seed: int) -> tuple[Int64[Tensor, "samples"], ...]:
    """Indices of the training, validation and test samples, in random order.

    Stratified by label where a sample has one: the three parts are cut from all samples sorted by their rank within
    their class. So every part has its exact size and, to one sample at each cut, the class shares of the whole. Where the data set
    holds out a published test part, that is the test part, and the others are cut from the rest.
    """
    samples = len(data) - data.held_out
    words = draw(data, seed, "split").words(0, 2 * samples)[0]
    order = class_ranks(data, torch.arange(samples), words).argsort(stable=True)
    known = data.shares[0] + data.shares[1]
    if data.held_out:
        cuts = (round(data.shares[0] / known * samples), samples)
    else:
        cuts = (round(data.shares[0] * samples), round(known * samples))
    parts = [part[words[samples + part].argsort(stable=True)] for part in order.tensor_split(cuts)]
    if data.held_out:
        parts[2] = torch.arange(samples, len(data))
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if len(part) == 0:
            raise ValueError(f"{data.name}: the {name} part is empty, there are only {len(data)} samples")
    return tuple(parts)


@lru_cache(maxsize=4)
def split(
    data: Dataset,
    seed: int,
    dtype: torch.dtype,
    device: torch.device,
    *,
    fraction: float = 1.0,
    label_noise: float = 0.0,
    random_labels: bool = False,
    imbalance: float = 1.0,
) -> Splits:
    """The standardised parts of a data set. The options change the training part alone.

    Mean and standard deviation are those of the whole training part: of each input, or for images of each channel over
    all pixels (a pixel that is almost always black would otherwise be blown up). An input that never changes is left
    unscaled; tokens are left as they are.

    Args:
        data: from the table DATASETS, or one's own.
        seed: number of the split; 0 is the default split of every problem.
        dtype: of inputs and of values.
        device: where the parts live.
        fraction: share of the training part that is kept, in (0, 1], stratified; a smaller share is part of a larger one.
        label_noise: share of the training labels that is replaced by another label, each other one equally likely.
        random_labels: every training label is drawn anew, each equally likely.
        imbalance: ρ ≥ 1; class k of C keeps the share ρ^(−k/(C − 1)) of its training samples, and at least one.

    Raises:
        ValueError: the data set is not sound (see `check`), an option lies outside its range or does not fit the targets,
            or a part would be empty.

    Source: random labels: Zhang et al., "Understanding deep learning requires rethinking generalization", ICLR 2017,
    https://arxiv.org/abs/1611.03530; imbalance: Cui et al., "Class-balanced loss based on effective number of samples",
    CVPR 2019, section 4.1, https://arxiv.org/abs/1901.05555
    """
    check(data)
    train, validation, test = split_indices(data, seed)
    kept, y = altered(data, train, seed, fraction, label_noise, random_labels, imbalance)
    x_scale = _scale(data.x, train, data.image) if data.scale_inputs and not data.tokens else None
    y_scale = _scale(data.y, train, False) if data.scale_targets and data.task == "values" else None
    x_dtype, y_dtype = (torch.int64 if data.tokens else dtype), (dtype if data.task == "values" else torch.int64)

    def part(rows: Tensor, targets: Tensor) -> Part:
        return Part(
            _scaled(data.x, rows, x_scale, x_dtype, device),
            _scaled(targets, rows, y_scale, y_dtype, device),
        )

    return Splits(part(kept, y), part(validation, data.y), part(test, data.y))


Scale = tuple[Float[Tensor, "..."], Float[Tensor, "..."]]
"""Mean and standard deviation, in a shape that broadcasts over the samples."""


def _scale(values: Tensor, rows: Int64[Tensor, "samples"], image: bool) -> Scale:
    axes = (0, 2, 3) if image else (0,)
    if values.dtype == torch.float64:
        known = values[rows]
        mean, std = known.mean(dim=axes, keepdim=True), known.std(dim=axes, keepdim=True, correction=0)
    else:  # 50,000 colour images take 1.2 GB in float64: two passes over chunks
        chunks = _chunks(values, rows)
        count = len(rows) * (values[0, 0].numel() if image else 1)
        mean = torch.stack([values[i].double().sum(dim=axes, keepdim=True) for i in chunks]).sum(dim=0) / count
        squares = [values[i].double().sub_(mean).square_().sum(dim=axes, keepdim=True) for i in chunks]
        std = (torch.stack(squares).sum(dim=0) / count).sqrt()
    return mean, torch.where(std > 0, std, torch.ones_like(std))


def _scaled(
    values: Tensor, rows: Int64[Tensor, "samples"], scale: Scale | None, dtype: torch.dtype, device: torch.device
) -> Tensor:
    made = torch.empty(len(rows), *values.shape[1:], dtype=dtype, device=device)
    first = 0
    for i in _chunks(values, rows):
        chunk = values[i]
        made[first : first + len(i)] = chunk if scale is None else chunk.double().sub_(scale[0]).div_(scale[1])
        first += len(i)
    return made


def _chunks(values: Tensor, rows: Int64[Tensor, "samples"]) -> tuple[Tensor, ...]:
    return rows.split(max(1, CHUNK // max(1, values[0].numel())))
