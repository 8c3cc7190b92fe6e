import pytest
import torch

from optbench.data import DATASETS, Dataset
from optbench.data.openml import SOURCES
from optbench.data.ranks import class_ranks
from optbench.data.splits import split, split_indices
from optbench.randomness import Randomness

EMBEDDED = [name for name in DATASETS if name not in SOURCES]
every_dataset = pytest.mark.parametrize("name", EMBEDDED)
CPU = torch.device("cpu")
DIGITS = [[644, 515, 623, 1333], [801, 1741, 186, 1739], [344, 1763, 338, 374]]
TUMOURS = [[398, 153, 171, 380], [57, 267, 165, 344], [336, 71, 187, 287]]
"""First samples of training, validation and test; a change here changes every result: raise the data set's version."""


@every_dataset
def test_the_parts_share_no_sample_and_leave_none_out(name):
    data = DATASETS[name]()
    train, validation, test = split_indices(data, 0)
    assert sorted(torch.cat([train, validation, test]).tolist()) == list(range(len(data.y)))
    shares = (0.8, 0.1, 0.1) if name == "modular_addition" else (0.6, 0.2, 0.2)
    expected = [share * len(data) for share in shares]
    assert [len(part) for part in (train, validation, test)] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("name", [name for name in EMBEDDED if DATASETS[name]().task == "classes"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_part_has_the_class_shares_of_the_whole_to_one_sample_at_each_cut(name, seed):
    data = DATASETS[name]()
    whole = torch.bincount(data.y).double()
    for part, cuts in zip(split_indices(data, seed), (1, 2, 1), strict=True):
        expected = whole * len(part) / len(data.y)
        assert (torch.bincount(data.y[part], minlength=data.classes) - expected).abs().max() <= cuts


@every_dataset
def test_splits_are_random_and_fixed_by_their_seed(name):
    data = DATASETS[name]()
    first, again, other = split_indices(data, 0), split_indices(data, 0), split_indices(data, 1)
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a, b)
        wide = 4 / len(a) ** 0.5  # eight standard deviations and more, in shares of the part
        shared = len(set(a.tolist()) & set(c.tolist())) / len(a)
        assert shared == pytest.approx(len(a) / len(data.y), abs=wide / 2)  # what two independent draws share
        in_order = (a[1:] > a[:-1]).double().mean().item()
        assert in_order == pytest.approx(0.5, abs=wide / 2)


def test_the_rank_of_a_sample_does_not_depend_on_its_place():
    data, chosen = DATASETS["digits"](), torch.arange(100, 900)
    words = Randomness([0], "any").words(0, 900)[0]
    ranks = class_ranks(data, chosen, words)
    assert torch.equal(class_ranks(data, chosen.flip(0), words).flip(0), ranks)
    for label in range(10):
        own = ranks[data.y[chosen] == label]
        assert (own.sort().values * len(own)).tolist() == pytest.approx([i + 0.5 for i in range(len(own))])


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


def test_the_bits_of_one_channel_are_those_of_one_mean_over_all_pixels():
    data = DATASETS["digits"]()
    train, _, test = split_indices(data, 0)
    mean, std = data.x[train].mean(), data.x[train].std(correction=0)
    parts = split(data, 0, torch.float64, CPU)
    torch.testing.assert_close(parts.test.x, (data.x[test] - mean) / std, rtol=1e-14, atol=0)
    narrow = split(data, 0, torch.float32, CPU)
    assert torch.equal(narrow.test.x, parts.test.x.float())


def test_colours_are_standardised_by_channel():
    data = DATASETS["patches"]()
    train, _, test = split_indices(data, 0)
    known, parts = data.x[train].numpy(), split(data, 0, torch.float64, CPU)
    for channel in range(3):
        mean, std = known[:, channel].mean(), known[:, channel].std()
        torch.testing.assert_close(parts.test.x[:, channel], (data.x[test, channel] - mean) / std)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.float32])
def test_narrow_numbers_give_what_float64_gives_in_chunks_of_any_size(kind, monkeypatch):
    values = torch.arange(60 * 2 * 3 * 3).reshape(60, 2, 3, 3) * 37 % 251
    y = torch.arange(60) % 3
    wide = Dataset("mine", 1, values.double(), y, 3, image=True)
    narrow = Dataset("mine", 1, values.to(kind), y, 3, image=True)
    for chunk in (1, 100, 10**6):
        monkeypatch.setattr("optbench.data.splits.CHUNK", chunk)
        split.cache_clear()
        expected, found = (split(data, 0, torch.float64, CPU) for data in (wide, narrow))
        for name in ("train", "validation", "test"):
            torch.testing.assert_close(getattr(found, name).x, getattr(expected, name).x, rtol=1e-13, atol=1e-13)
            assert torch.equal(getattr(found, name).y, getattr(expected, name).y)


def test_values_are_standardised_on_the_training_part_where_the_data_set_says_so():
    data = DATASETS["diabetes"]()
    train, validation, _ = split_indices(data, 0)
    parts = split(data, 0, torch.float64, CPU)
    known = data.y[train].numpy()
    expected = (data.y[validation].numpy() - known.mean()) / known.std()
    torch.testing.assert_close(parts.validation.y, torch.from_numpy(expected))
    photograph = split(DATASETS["photograph"](), 0, torch.float32, CPU)
    assert photograph.train.y.dtype == torch.float32
    for part in (photograph.train, photograph.validation, photograph.test):
        assert part.y.min() >= 0
        assert part.y.max() <= 1
        assert part.x.abs().max() == pytest.approx(1, abs=1.01 / 64)


def test_tokens_and_labels_pass_untouched():
    data = DATASETS["copying"]()
    parts = split(data, 0, torch.float32, CPU)
    for part, chosen in zip((parts.train, parts.validation, parts.test), split_indices(data, 0), strict=True):
        assert torch.equal(part.x, data.x[chosen])
        assert torch.equal(part.y, data.y[chosen])


def test_a_published_test_part_is_kept_and_the_rest_divided_in_proportion():
    y = torch.arange(100) % 2
    data = Dataset("mine", 1, torch.arange(100.0).double()[:, None], y, 2, image=False, held_out=20)
    train, validation, test = split_indices(data, 0)
    assert test.tolist() == list(range(80, 100))
    assert sorted(torch.cat([train, validation]).tolist()) == list(range(80))
    assert (len(train), len(validation)) == (60, 20)
    assert torch.bincount(y[train]).tolist() == [30, 30]


def test_train_and_validation_join_to_all_but_the_test_part():
    data = DATASETS["iris"]()
    parts = split(data, 0, torch.float64, CPU)
    joined = parts.all_but_test
    assert len(joined) == 120
    assert torch.equal(joined.x, torch.cat([parts.train.x, parts.validation.x]))
    assert torch.equal(joined.y[90:], parts.validation.y)
    assert parts.all_but_test is joined


def test_a_data_set_too_small_for_three_parts_is_refused():
    data = Dataset("mine", 1, torch.zeros(2, 1).double(), torch.tensor([0, 1]), 2, image=False)
    with pytest.raises(ValueError, match="mine: the test part is empty, there are only 2 samples"):
        split(data, 0, torch.float64, CPU)


def test_an_unsound_data_set_is_refused_before_it_is_split():
    x = torch.zeros(30, 4).double()
    x[7, 2] = float("nan")
    data = Dataset("mine", 1, x, torch.arange(30) % 3, 3, image=False)
    with pytest.raises(ValueError, match="mine: input 2 of sample 7 is nan"):
        split(data, 0, torch.float64, CPU)
