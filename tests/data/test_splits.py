import pytest
import torch

from optbench.data import DATASETS
from optbench.data.splits import split, split_indices

every_dataset = pytest.mark.parametrize("name", DATASETS)
CPU = torch.device("cpu")
DIGITS = [[644, 515, 623, 1333], [801, 1741, 186, 1739], [344, 1763, 338, 374]]
TUMOURS = [[398, 153, 171, 380], [57, 267, 165, 344], [336, 71, 187, 287]]
"""First samples of training, validation and test; a change here changes every result: raise the data set's version."""


@every_dataset
def test_the_parts_share_no_sample_and_leave_none_out(name):
    data = DATASETS[name]()
    train, validation, test = split_indices(data, 0)
    assert sorted(torch.cat([train, validation, test]).tolist()) == list(range(len(data.y)))
    assert [len(part) / len(data.y) for part in (train, validation, test)] == pytest.approx([0.6, 0.2, 0.2], abs=1e-3)


@every_dataset
@pytest.mark.parametrize("seed", [0, 1])
def test_every_part_has_the_class_shares_of_the_whole_to_one_sample(name, seed):
    data = DATASETS[name]()
    whole = torch.bincount(data.y).double()
    for part in split_indices(data, seed):
        expected = whole * len(part) / len(data.y)
        assert (torch.bincount(data.y[part]) - expected).abs().max() <= 1


@every_dataset
def test_splits_are_random_and_fixed_by_their_seed(name):
    data = DATASETS[name]()
    first, again, other = split_indices(data, 0), split_indices(data, 0), split_indices(data, 1)
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a, b)
        shared = len(set(a.tolist()) & set(c.tolist())) / len(a)
        assert shared == pytest.approx(len(a) / len(data.y), abs=0.12)  # what two independent draws share
        in_order = (a[1:] > a[:-1]).double().mean().item()
        assert in_order == pytest.approx(0.5, abs=0.15)


def test_the_default_splits_are_the_ones_of_version_1():
    digits = [part[:4].tolist() for part in split_indices(DATASETS["digits"](), 0)]
    tumours = [part[:4].tolist() for part in split_indices(DATASETS["breast_cancer"](), 0)]
    assert digits == DIGITS
    assert tumours == TUMOURS


def test_tables_are_standardised_by_the_training_part_alone():
    data = DATASETS["breast_cancer"]()
    parts = split(data, 0, torch.float64, CPU)
    known = data.x[split_indices(data, 0)[0]]
    torch.testing.assert_close(parts.train.x.mean(dim=0), torch.zeros(30, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(parts.train.x.std(dim=0, correction=0), torch.ones(30, dtype=torch.float64))
    expected = (data.x[split_indices(data, 0)[2]] - known.mean(dim=0)) / known.std(dim=0, correction=0)
    torch.testing.assert_close(parts.test.x, expected)
    assert parts.test.x.mean(dim=0).abs().max() > 0.01


def test_images_are_standardised_with_one_mean_and_deviation():
    parts = split(DATASETS["digits"](), 0, torch.float32, CPU)
    assert parts.train.x.shape == (1078, 1, 8, 8)
    assert parts.train.x.dtype == torch.float32
    assert parts.train.x.mean().item() == pytest.approx(0, abs=1e-5)
    assert parts.train.x.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    assert len(parts.train.x.unique()) == 17  # the grey levels 0 … 16


def test_labels_stay_with_their_samples():
    data = DATASETS["digits"]()
    parts = split(data, 2, torch.float64, CPU)
    for part, chosen in zip((parts.train, parts.validation, parts.test), split_indices(data, 2), strict=True):
        assert torch.equal(part.y, data.y[chosen])
        grey = part.x * (part.x.max() - part.x.min()).reciprocal() * 16
        torch.testing.assert_close(grey - grey.min(), data.x[chosen], rtol=0, atol=1e-9)


def test_data_are_read_once_a_process():
    assert DATASETS["digits"]() is DATASETS["digits"]()
    assert split(DATASETS["digits"](), 0, torch.float32, CPU) is split(DATASETS["digits"](), 0, torch.float32, CPU)


@pytest.mark.parametrize(("name", "samples", "classes"), [("digits", 1797, 10), ("breast_cancer", 569, 2)])
def test_the_data_sets_have_the_published_sizes(name, samples, classes):
    data = DATASETS[name]()
    assert data.name == name
    assert data.x.shape[0] == data.y.shape[0] == samples
    assert data.y.unique().tolist() == list(range(classes))
    assert data.classes == classes
