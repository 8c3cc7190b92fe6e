"""docs/data.md says what is so."""

from pathlib import Path

import pytest
import torch

from optbench.data import DATASETS, Dataset, dataset
from optbench.data.openml import SOURCES
from optbench.data.points import gaussian_mixture, xor
from optbench.data.regression import sparse_regression, teacher_student
from optbench.data.splits import split_indices

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text()
ROWS = {
    cells[0].strip("`"): cells[1:]
    for line in PAGE.splitlines()
    if line.startswith("| `") and len(cells := [cell.strip() for cell in line.strip("|").split("|")]) >= 5
}


def described(data: Dataset) -> list[str]:
    """The first cells of a row."""
    sizes = " / ".join(str(len(part)) for part in split_indices(data, 0))
    shape = data.x.shape[1:]
    if data.tokens:
        one = f"{shape[0]} tokens of {data.tokens}"
    elif data.image:
        one = f"{' × '.join(map(str, shape))} pixels"
    else:
        one = f"{shape[0]} numbers"
    values = "1 value" if data.y.shape[-1] == 1 else f"{data.y.shape[-1]} values"
    targets = {"classes": "{} classes", "sequence": "{} classes a place", "values": values}
    return [sizes, one, targets[data.task].format(data.classes)]


def test_the_page_has_every_data_set():
    assert set(ROWS) == set(DATASETS)


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in SOURCES])
def test_sizes_are_as_the_page_says(name):
    assert ROWS[name][:3] == described(dataset(name))


@pytest.mark.parametrize("name", SOURCES)
def test_downloaded_data_sets_have_the_sizes_of_the_page(name):
    source = SOURCES[name]
    x = torch.zeros(1, dtype=torch.uint8).expand(source.samples, *source.shape)
    y = torch.arange(source.samples) % source.classes
    data = Dataset(
        name, 1, x, y, source.classes, len(source.shape) == 3, shares=source.shares, held_out=sum(source.test_labels)
    )
    assert ROWS[name][:5] == [*described(data), str(source.data_id), f"`{source.stand_in}`"]


def test_the_most_that_can_be_reached_is_as_the_page_says():
    x, y = (many := gaussian_mixture(samples=50_000)).x, many.y
    centres = torch.stack(
        [x[y == k].mean(dim=0) for k in range(5)]
    )  # clouds of unit size: the nearest is the likeliest
    assert (torch.cdist(x, centres).argmin(dim=1) == y).double().mean().item() == pytest.approx(0.77, abs=0.005)
    assert "77 %" in ROWS["gaussian_mixture"][3]
    many = xor(samples=100_000)
    assert ((many.x.prod(dim=1) < 0) == many.y).double().mean().item() == pytest.approx(0.988, abs=0.0015)
    assert "98.8 %" in ROWS["xor"][3]


def test_the_errors_that_stay_are_as_the_page_says():
    left = ((teacher_student().y - teacher_student(noise=0.0).y) ** 2).mean().item()
    assert left == pytest.approx(0.01, rel=0.1)
    assert "0.01" in ROWS["teacher_student"][3]
    left = ((sparse_regression().y - sparse_regression(noise=0.0).y) ** 2).mean().item()
    assert left == pytest.approx(0.25, rel=0.2)
    assert "0.25" in ROWS["sparse_regression"][3]


def test_the_example_of_the_page_is_a_data_set(folder):
    code = PAGE.split("```python\n")[1].split("```")[0]
    (folder / "mine.py").write_text(code)
    data = dataset("./mine.py:waves")
    assert data.task == "values"
    assert [len(part) for part in split_indices(data, 0)] == [300, 100, 100]
