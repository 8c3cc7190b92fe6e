"""Data sets downloaded once from OpenML, through scikit-learn, and kept on disk with a checksum."""

from __future__ import annotations

import contextlib
import http.client
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import UsageError, one_line
from .dataset import Dataset
from .kept import Kept, folder


@dataclass(frozen=True)
class Source:
    """Where a data set is on OpenML, and what is expected to come.

    Args:
        data_id: number on OpenML.
        samples: rows.
        shape: of one input; the columns are its numbers in row-major order, but see `channels_last`.
        classes: number of labels.
        kind: type that holds every number of the inputs.
        stand_in: the embedded data set of the same kind.
        first_label: the label that becomes class 0; labels are taken modulo `classes`.
        channels_last: the columns are rows × columns × channels.
        test_labels: how often each class occurs in the published test part. Where the last rows are exactly so, they are
            that part; otherwise the test part is drawn from all.
        shares: of training, validation and test part.
    """

    data_id: int
    samples: int
    shape: tuple[int, ...]
    classes: int
    kind: str
    stand_in: str
    first_label: int = 0
    channels_last: bool = False
    test_labels: tuple[int, ...] = ()
    shares: tuple[float, float, float] = (0.6, 0.2, 0.2)


EVEN = (1000,) * 10
MNIST_TEST = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
SVHN_TEST = (1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595)
SIXTHS, SEVENTHS = (4 / 6, 1 / 6, 1 / 6), (5 / 7, 1 / 7, 1 / 7)

SOURCES: dict[str, Source] = {
    "cifar10": Source(40927, 60_000, (3, 32, 32), 10, "uint8", "patches", test_labels=EVEN, shares=SIXTHS),
    "covertype": Source(1596, 581_012, (54,), 7, "int16", "breast_cancer", first_label=1),
    "fashion_mnist": Source(40996, 70_000, (1, 28, 28), 10, "uint8", "digits", test_labels=EVEN, shares=SEVENTHS),
    "mnist": Source(554, 70_000, (1, 28, 28), 10, "uint8", "digits", test_labels=MNIST_TEST, shares=SEVENTHS),
    "svhn": Source(41081, 99_289, (3, 32, 32), 10, "uint8", "patches", channels_last=True, test_labels=SVHN_TEST),
}


@cache
def mnist() -> Dataset:
    """70,000 handwritten digits as grey images `[1, 28, 28]`, 10 classes; the last 10,000 are the published test part.

    Of the other 60,000, 50,000 are for training and 10,000 for validation.

    Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", Proceedings of
    the IEEE 86 (1998) 2278, https://doi.org/10.1109/5.726791; https://www.openml.org/d/554
    """
    return _load("mnist")


@cache
def fashion_mnist() -> Dataset:
    """70,000 pieces of clothing as grey images `[1, 28, 28]`, 10 classes; split as mnist.

    Source: Xiao, Rasul & Vollgraf, "Fashion-MNIST", 2017, https://arxiv.org/abs/1708.07747;
    https://www.openml.org/d/40996
    """
    return _load("fashion_mnist")


@cache
def cifar10() -> Dataset:
    """60,000 colour photographs `[3, 32, 32]`, 10 classes; the last 10,000 are the published test part.

    Of the other 50,000, 40,000 are for training and 10,000 for validation.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009,
    https://www.cs.toronto.edu/~kriz/cifar.html; https://www.openml.org/d/40927
    """
    return _load("cifar10")


@cache
def svhn() -> Dataset:
    """99,289 house numbers as colour photographs `[3, 32, 32]`, 10 classes: the digit in the middle.

    OpenML joins the published files of 73,257 and 26,032. Where the labels of the last 26,032 are those of the published
    test part, it is the test part; otherwise the test part is drawn from all.

    Source: Netzer et al., "Reading digits in natural images with unsupervised feature learning", NIPS workshop 2011,
    http://ufldl.stanford.edu/housenumbers; https://www.openml.org/d/41081
    """
    return _load("svhn")


@cache
def covertype() -> Dataset:
    """581,012 plots of forest, 54 measurements each, 7 classes (the tree that prevails), the largest 49 %.

    Source: Blackard, "Covertype", UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50K5N;
    https://www.openml.org/d/1596
    """
    return _load("covertype")


def must_be_downloaded(name: object) -> bool:
    """Whether this is the name of a data set here that is not on disk yet."""
    return isinstance(name, str) and name in SOURCES and not Kept(folder() / f"{name}.npz").there


def _load(name: str) -> Dataset:
    source = SOURCES[name]
    kept = Kept(folder() / f"{name}.npz")
    if not kept.there:
        with kept.alone():
            if not kept.there:
                kept.write(_fetch(name, source))
    arrays = kept.read()
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]).long()
    published = sum(source.test_labels)
    last = torch.bincount(y[len(y) - published :], minlength=source.classes).tolist()
    held_out = published if last == list(source.test_labels) else 0
    return Dataset(name, 1, x, y, source.classes, image=len(source.shape) == 3, shares=source.shares, held_out=held_out)


def _fetch(name: str, source: Source) -> dict[str, NDArray[Any]]:
    """Inputs and labels from OpenML.

    Raises:
        UsageError: there is no connection, or what came is not what is expected.
    """
    from sklearn.datasets import fetch_openml

    where = f"{name} (OpenML data set {source.data_id})"
    with tempfile.TemporaryDirectory(dir=folder(), prefix=f"{name}-") as scratch, _telling(name, scratch):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of retries and of the data set's status; what fails is told below
                # scikit-learn reads a file twice, so it must keep it meanwhile; float32 holds all of these numbers, takes
                # half the memory, and spares us categories, which scikit-learn 1.9 cannot read with pandas 3.1
                found: Any = fetch_openml(
                    data_id=source.data_id,
                    as_frame=True,
                    parser="pandas",
                    data_home=scratch,
                    read_csv_kwargs={"dtype": "float32"},
                )
        except (OSError, http.client.HTTPException) as error:
            raise UsageError(
                f"{where} cannot be downloaded ({_reason(error)}); connect once, or use {source.stand_in}, "
                "which needs no connection"
            ) from error
        except (EOFError, KeyError, ValueError, zlib.error) as error:  # what a broken transfer leaves
            raise UsageError(
                f"{where} came damaged ({one_line(error)}); try again, or use {source.stand_in}"
            ) from error
        return _arrays(where, source, found.data, found.target)


def _arrays(where: str, source: Source, data: Any, target: Any) -> dict[str, NDArray[Any]]:
    columns = int(np.prod(source.shape))
    if data.shape != (source.samples, columns):
        raise UsageError(
            f"{where} came with {data.shape[0]} rows of {data.shape[1]} numbers, expected {source.samples} of {columns}; "
            f"it was changed there: use {source.stand_in}"
        )
    x = np.empty((source.samples, columns), source.kind)
    try:
        for column in range(columns):  # one at a time: all at once would take the memory twice
            _put(x[:, column], data.iloc[:, column].to_numpy(), f"column {column}")
        labels = np.empty(source.samples, np.int64)
        _put(labels, target.to_numpy(), "the label")
        labels = (labels - source.first_label) % source.classes
        if len(np.unique(labels)) != source.classes:
            raise ValueError(f"it has {len(np.unique(labels))} different labels, expected {source.classes}")
    except ValueError as error:
        raise UsageError(f"{where} is not as expected: {one_line(error)}; use {source.stand_in}") from error
    if source.channels_last:
        channels, *sides = source.shape
        x = np.ascontiguousarray(x.reshape(-1, *sides, channels).transpose(0, 3, 1, 2))
    return {"x": x.reshape(-1, *source.shape), "y": labels.astype(np.uint8)}


def _put(place: NDArray[Any], values: NDArray[Any], what: str) -> None:
    with np.errstate(invalid="ignore"):
        place[:] = values
    if not np.array_equal(place, values):
        raise ValueError(f"{what} does not hold whole numbers of type {place.dtype}")


def _reason(error: BaseException) -> str:
    """What an error of the network says, without the words urllib puts around it."""
    inner = getattr(error, "reason", None)
    return one_line(inner if isinstance(inner, Exception) else error)


@dataclass
class Growing:
    """How much lies in a folder, looked at whenever it is drawn."""

    folder: Path

    def __rich__(self) -> str:
        came = 0
        with contextlib.suppress(FileNotFoundError):  # a file that is moved while it is looked at counts the next time
            for path in self.folder.rglob("*"):
                came += path.stat().st_size if path.is_file() else 0
        return f"{came / 1e6:.1f} MB have come"


@contextlib.contextmanager
def _telling(name: str, scratch: str) -> Iterator[None]:
    """Say on stderr what is downloaded, and on a terminal how much has come."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"optbench: downloading {name} from OpenML, once, into {folder()}", markup=False)
    with console.status(Growing(Path(scratch))):  # pyright: ignore[reportArgumentType] # any renderable does
        yield
