from dataclasses import replace

import pytest
import torch

from optbench.checks import UsageError
from optbench.data import DATASETS, Dataset, check, dataset
from optbench.data.openml import SOURCES

X = torch.arange(12.0).double().reshape(6, 2)
LABELS = Dataset("mine", 1, X, torch.tensor([0, 1, 2, 0, 1, 2]), 3, image=False)
VALUES = Dataset("mine", 1, X, X.clone(), 0, image=False)
WORDS = torch.tensor([[0, 1, 2], [2, 1, 0]])
SEQUENCES = Dataset("mine", 1, WORDS, torch.tensor([[-1, -1, 1], [-1, -1, 0]]), 2, image=False, tokens=3)


def test_the_task_follows_from_classes_and_shape():
    assert (LABELS.task, VALUES.task, SEQUENCES.task) == ("classes", "values", "sequence")
    assert len(LABELS) == 6


@pytest.mark.parametrize("data", [LABELS, VALUES, SEQUENCES])
def test_sound_data_sets_pass(data):
    check(data)


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in SOURCES])
def test_every_data_set_of_the_table_is_sound_and_called_by_its_key(name):
    data = dataset(name)
    check(data)
    assert data.name == name
    assert data is dataset(name)
    assert data.x.dtype == (torch.int64 if data.tokens else torch.float64)


def put(values, place, value):
    changed = values.clone()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (replace(LABELS, x=put(X, (4, 1), float("nan"))), "mine: input 1 of sample 4 is nan; fill it in"),
        (replace(LABELS, x=put(X, (0, 0), -float("inf"))), "mine: input 0 of sample 0 is -inf"),
        (
            replace(LABELS, x=put(X.reshape(6, 1, 2, 1), (3, 0, 1, 0), float("nan")), image=True),
            r"mine: input \[0, 1, 0\] of sample 3 is nan",
        ),
        (replace(VALUES, y=put(X, (2, 0), float("nan"))), "mine: target 0 of sample 2 is nan"),
        (replace(LABELS, y=put(LABELS.y, 3, 3)), r"mine: every label must lie in \[0, 2\], got 3 in sample 3"),
        (replace(LABELS, y=put(LABELS.y, 1, -1)), r"mine: every label must lie in \[0, 2\], got -1 in sample 1"),
        (
            replace(SEQUENCES, y=put(SEQUENCES.y, (1, 0), -2)),
            r"mine: every label must lie in \[-1, 1\], got -2 in sample 1",
        ),
        (
            replace(SEQUENCES, x=put(WORDS, (1, 2), 3)),
            r"mine: every input token must lie in \[0, 2\], got 3 in sample 1",
        ),
        (replace(LABELS, y=LABELS.y[:5]), "mine: there are 6 inputs but 5 targets"),
        (replace(LABELS, y=torch.tensor(0)), "mine: there are 6 inputs but 0 targets"),
        (replace(LABELS, y=LABELS.y.double()), r"mine: labels must be int64 .*, got float64 \[6\]"),
        (replace(VALUES, y=X[:, 0]), r"mine: values .* must be floats \[samples, outputs\], got float64 \[6\]"),
        (replace(LABELS, tokens=9), r"mine: tokens must be int64 \[samples, length\], got float64 \[6, 2\]"),
        (replace(SEQUENCES, tokens=0), r"mine: inputs must be floats .*, or int64 with tokens set, got int64 \[2, 3\]"),
        (replace(LABELS, x=X[:, 0]), r"mine: inputs must be floats \[samples, …\].* got float64 \[6\]"),
        (
            replace(LABELS, image=True),
            r"mine: images must be \[samples, channels, rows, columns\], got float64 \[6, 2\]",
        ),
        (replace(LABELS, shares=(0.6, 0.2, 0.3)), "mine: shares must be positive and sum to 1"),
        (replace(LABELS, shares=(1.0, 0.0, 0.0)), "mine: shares must be positive and sum to 1"),
        (replace(LABELS, held_out=6), r"mine: held_out must lie in \[0, 5\], got 6"),
    ],
)
def test_unsound_data_sets_are_refused_in_one_line(data, message):
    with pytest.raises(ValueError, match=message) as caught:
        check(data)
    assert "\n" not in str(caught.value)


def test_large_numbers_whose_sum_overflows_are_no_damage():
    check(replace(LABELS, x=torch.full((6, 2), 1e308, dtype=torch.float64)))


MINE = """
import torch
from optbench.data import Dataset

calls = []

def mine():
    calls.append(1)
    x = torch.randn(9, 2).double()
    return Dataset("mine", 1, x, torch.arange(9) % 3, 3, image=False)

def wrong():
    return [1, 2]

def fails():
    raise OSError("no such\\nfile")

def needs(more):
    return more

number = 3
"""


def test_a_function_of_ones_own_gives_a_data_set_and_is_called_once(folder):
    (folder / "sets.py").write_text(MINE)
    data = dataset("./sets.py:mine")
    assert data.name == "mine"
    assert dataset("./sets.py:mine") is data
    assert dataset("sets.mine").x.shape == (9, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit", r"no data set is called 'digit'; did you mean 'digits'\? \(there are breast_cancer, "),
        ("./sets.py:mime", "sets.py defines no 'mime'; did you mean 'mine'"),
        ("./none.py:mine", "there is no file ./none.py"),
        ("./sets.py:wrong", "./sets.py:wrong gives list, expected an optbench.data.Dataset"),
        ("./sets.py:fails", "./sets.py:fails failed: OSError: no such file"),
        (
            "./sets.py:needs",
            "./sets.py:needs failed: TypeError: needs.. missing 1 required positional argument: 'more'",
        ),
        ("./sets.py:number", "./sets.py:number is int, expected a function without arguments that gives a Dataset"),
    ],
)
def test_names_that_lead_to_no_data_set_are_refused_in_one_line(folder, name, message):
    (folder / "sets.py").write_text(MINE)
    with pytest.raises(UsageError, match=message) as caught:
        dataset(name)
    assert "\n" not in str(caught.value)
