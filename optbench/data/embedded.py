"""The data sets that come inside scikit-learn: read once a process, no network needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from .dataset import Dataset

# scikit-learn takes a second to import: only where data is needed


@cache
def breast_cancer() -> Dataset:
    """569 tumours, 30 measurements each, 2 classes (0 malignant, 1 benign). Linearly separable.

    Source: Wolberg, Mangasarian, Street & Street, "Breast Cancer Wisconsin (Diagnostic)", UCI Machine Learning
    Repository, 1993, https://doi.org/10.24432/C5DW2B; the copy inside scikit-learn.
    """
    from sklearn.datasets import load_breast_cancer

    return _table("breast_cancer", load_breast_cancer, 2)


@cache
def wine() -> Dataset:
    """178 wines, 13 chemical measurements each, 3 classes (the grower).

    Source: Aeberhard & Forina, "Wine", UCI Machine Learning Repository, 1992, https://doi.org/10.24432/C5PC7J; the copy
    inside scikit-learn.
    """
    from sklearn.datasets import load_wine

    return _table("wine", load_wine, 3)


@cache
def iris() -> Dataset:
    """150 flowers, 4 lengths in cm each, 3 classes (the species) of 50.

    Source: Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7 (1936),
    https://doi.org/10.24432/C56C76; the copy inside scikit-learn.
    """
    from sklearn.datasets import load_iris

    return _table("iris", load_iris, 3)


@cache
def diabetes() -> Dataset:
    """442 patients, 10 measurements each; the value is the progress of the disease a year later, 25 … 346, standardised.

    Source: Efron, Hastie, Johnstone & Tibshirani, "Least angle regression", Annals of Statistics 32 (2004),
    https://doi.org/10.1214/009053604000000067; the copy inside scikit-learn.
    """
    from sklearn.datasets import load_diabetes

    x, y = (torch.tensor(a, dtype=torch.float64) for a in load_diabetes(return_X_y=True))
    return Dataset("diabetes", 1, x, y[:, None], 0, image=False, scale_targets=True)


@cache
def digits() -> Dataset:
    """1,797 handwritten digits as grey images `[1, 8, 8]`, 10 classes.

    Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits" (its test set), UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49; the copy inside scikit-learn.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    images = torch.tensor(x, dtype=torch.float64).reshape(-1, 1, 8, 8)
    return Dataset("digits", 1, images, torch.tensor(y).long(), 10, image=True)


@cache
def patches() -> Dataset:
    """520 colour patches `[3, 32, 32]` of two photographs, 2 classes (0 the temple, 1 the flower).

    Each photograph is cut on a grid of 13 × 20, so no two patches share a pixel.

    Source: the photographs china.jpg (© Flickr user rivernorth, CC BY) and flower.jpg (© Vultee, CC BY) inside
    scikit-learn, https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_sample_images.html
    """
    cut = [_grid(image, 32) for image in _photographs()]
    y = torch.arange(len(cut)).repeat_interleave(len(cut[0]))
    return Dataset("patches", 1, torch.cat(cut).double(), y, 2, image=True)


@cache
def photograph(side: int = 64) -> Dataset:
    """A photograph as a function: place (row, column) in [−1, 1]² → red, green and blue in [0, 1]; side² samples.

    The middle square of the flower, averaged over blocks; a sample stands at the centre of its block: the i-th row at
    (2i + 1)/side − 1. Neither places nor colours are standardised. The validation and test parts are places between
    those learnt from.

    Args:
        side: pixels in a row and in a column.

    Raises:
        ValueError: side is not in [2, 427].

    Source: as `patches`. The task: Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", NeurIPS 2020, section 6, https://arxiv.org/abs/2006.10739
    """
    image = _photographs()[1]
    rows, columns = image.shape[1:]
    if not 2 <= side <= rows:
        raise ValueError(f"photograph: side must lie in [2, {rows}], got {side}")
    block = rows // side
    top, left = (rows - side * block) // 2, (columns - side * block) // 2
    square = image[:, top : top + side * block, left : left + side * block].double()
    colours = square.reshape(3, side, block, side, block).mean(dim=(2, 4)) / 255
    centres = (2 * torch.arange(side, dtype=torch.float64) + 1) / side - 1
    places = torch.cartesian_prod(centres, centres)
    return Dataset("photograph", 1, places, colours.flatten(1).T.contiguous(), 0, image=False, scale_inputs=False)


def _table(name: str, load: Callable[..., Any], classes: int) -> Dataset:
    x, y = load(return_X_y=True)
    return Dataset(name, 1, torch.tensor(x, dtype=torch.float64), torch.tensor(y).long(), classes, image=False)


@cache
def _photographs() -> list[UInt8[Tensor, "3 rows columns"]]:
    from sklearn.datasets import load_sample_images

    return [torch.tensor(image).permute(2, 0, 1).contiguous() for image in load_sample_images().images]


def _grid(image: Tensor, side: int) -> UInt8[Tensor, "patches 3 side side"]:
    """Squares of the image from its upper left corner, row by row; what fills no square at the edges is left out."""
    cut = image.unfold(1, side, side).unfold(2, side, side)
    return cut.permute(1, 2, 0, 3, 4).reshape(-1, image.shape[0], side, side)
