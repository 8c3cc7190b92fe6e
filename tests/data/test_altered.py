import pytest
import torch

from optbench.data import DATASETS, Dataset
from optbench.data.splits import split, split_indices

CPU = torch.device("cpu")
CLASSES = 5
SIZE = 5000
DATA = Dataset(
    "mine",
    1,
    torch.arange(SIZE).double()[:, None],
    torch.arange(SIZE) % CLASSES,
    CLASSES,
    image=False,
    scale_inputs=False,
)
"""Inputs are the numbers of the samples, so that what became of each can be followed."""
TRAIN = 3000


def train(**options):
    part = split(DATA, 0, torch.float64, CPU, **options).train
    return part.x[:, 0].long(), part.y


def test_the_options_leave_validation_and_test_and_the_data_set_as_they_are():
    before = DATASETS["digits"]().y.clone()
    plain = split(DATASETS["digits"](), 0, torch.float64, CPU)
    changed = split(
        DATASETS["digits"](), 0, torch.float64, CPU, fraction=0.1, label_noise=0.5, random_labels=True, imbalance=10.0
    )
    for name in ("validation", "test"):
        assert torch.equal(getattr(plain, name).x, getattr(changed, name).x)
        assert torch.equal(getattr(plain, name).y, getattr(changed, name).y)
    assert len(changed.train) < len(plain.train) / 10
    assert torch.equal(DATASETS["digits"]().y, before)


@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.01])
def test_a_fraction_is_stratified_and_of_the_exact_size(fraction):
    samples, y = train(fraction=fraction)
    assert len(samples) == round(fraction * TRAIN)
    assert torch.bincount(y).tolist() == pytest.approx([fraction * TRAIN / CLASSES] * CLASSES, abs=1)
    assert torch.equal(y, samples % CLASSES)


def test_a_smaller_fraction_is_part_of_a_larger_one_and_in_the_same_order():
    whole, _ = train()
    half, _ = train(fraction=0.5)
    tenth, _ = train(fraction=0.1)
    assert half.tolist() == [i for i in whole.tolist() if i in set(half.tolist())]
    assert tenth.tolist() == [i for i in half.tolist() if i in set(tenth.tolist())]


def test_a_fraction_is_a_random_part_of_the_training_samples():
    samples, _ = train(fraction=0.5)
    whole, _ = train()
    assert whole.double().mean().item() == pytest.approx(
        samples.double().mean().item(), abs=5 * SIZE / 12**0.5 / 1500**0.5
    )
    first_half = set(whole[: TRAIN // 2].tolist()) & set(samples.tolist())
    assert len(first_half) == pytest.approx(750, abs=100)


@pytest.mark.parametrize("noise", [0.1, 0.4, 1.0])
def test_label_noise_changes_this_share_of_the_labels_to_any_other_label(noise):
    samples, y = train(label_noise=noise)
    moved = (y - samples) % CLASSES
    counts = torch.bincount(moved, minlength=CLASSES).tolist()
    changed = round(noise * TRAIN)
    assert counts[0] == TRAIN - changed
    assert counts[1:] == pytest.approx([changed / 4] * 4, abs=5 * (changed * 3 / 16) ** 0.5)
    assert torch.equal(samples, train()[0])


def test_more_label_noise_changes_the_same_labels_and_others():
    samples, little = train(label_noise=0.1)
    _, much = train(label_noise=0.4)
    wrong = little != samples % CLASSES
    assert torch.equal(little[wrong], much[wrong])


def test_random_labels_say_nothing_of_the_true_ones():
    samples, y = train(random_labels=True)
    table = torch.bincount(CLASSES * (samples % CLASSES) + y, minlength=CLASSES**2).double()
    expected = TRAIN / CLASSES**2
    assert float(((table - expected) ** 2 / expected).sum()) < 52.6  # χ² of 24 degrees of freedom: one in 1,500
    assert torch.equal(samples, train()[0])


def test_a_sample_has_the_same_random_label_however_many_are_kept():
    whole = dict(zip(*(values.tolist() for values in train(random_labels=True)), strict=True))
    few = dict(zip(*(values.tolist() for values in train(random_labels=True, fraction=0.3)), strict=True))
    assert len(few) == 900
    assert few.items() < whole.items()


@pytest.mark.parametrize(
    ("ratio", "sizes"), [(16.0, [600, 300, 150, 75, 38]), (1e9, [600, 3, 1, 1, 1]), (1.0, [600] * 5)]
)
def test_imbalance_makes_classes_rarer_in_a_geometric_row_and_keeps_one_of_each(ratio, sizes):
    samples, y = train(imbalance=ratio)
    assert torch.bincount(y).tolist() == sizes
    assert torch.equal(y, samples % CLASSES)


def test_a_fraction_of_imbalanced_data_keeps_its_shares():
    _, y = train(imbalance=16.0, fraction=0.5)
    assert torch.bincount(y).tolist() == pytest.approx([300, 150, 75, 37, 19], abs=1)


def test_what_is_altered_depends_on_the_split_seed_alone():
    options = {"fraction": 0.5, "label_noise": 0.3, "imbalance": 2.0}
    first = split(DATA, 3, torch.float64, CPU, **options).train
    split.cache_clear()
    again, other = (split(DATA, seed, torch.float64, CPU, **options).train for seed in (3, 4))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)


def test_in_sequences_only_scored_places_change():
    data = DATASETS["copying"]()
    true = data.y[split_indices(data, 0)[0]]
    noisy = split(data, 0, torch.float32, CPU, label_noise=0.2).train.y
    assert torch.equal(noisy < 0, true < 0)
    scored = true >= 0
    assert int((noisy != true).sum()) == round(0.2 * int(scored.sum()))
    drawn = split(data, 0, torch.float32, CPU, random_labels=True).train.y
    assert torch.equal(drawn < 0, true < 0)
    assert (drawn == true)[scored].double().mean().item() == pytest.approx(1 / 8, abs=0.015)


def test_values_may_be_fewer():
    data = DATASETS["diabetes"]()
    few, whole = (split(data, 0, torch.float64, CPU, fraction=f).train for f in (0.2, 1.0))
    assert len(few) == round(0.2 * len(whole))
    assert {tuple(row) for row in few.x.tolist()} < {tuple(row) for row in whole.x.tolist()}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("diabetes", {"label_noise": 0.1}, "diabetes: label_noise and random_labels are for labels"),
        ("diabetes", {"random_labels": True}, "diabetes: label_noise and random_labels are for labels"),
        ("diabetes", {"imbalance": 2.0}, "diabetes: imbalance needs one label a sample, its targets are values"),
        ("copying", {"imbalance": 2.0}, "copying: imbalance needs one label a sample, its targets are sequences"),
        ("iris", {"fraction": 0.0}, r"iris: fraction must lie in \(0, 1\], got 0"),
        ("iris", {"fraction": 1.5}, r"iris: fraction must lie in \(0, 1\], got 1.5"),
        ("iris", {"fraction": 0.001}, "iris: fraction 0.001 of 90 training samples leaves none"),
        ("iris", {"label_noise": -0.1}, r"iris: label_noise must lie in \[0, 1\], got -0.1"),
        ("iris", {"imbalance": 0.5}, r"iris: imbalance must lie in \[1, inf\), got 0.5"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        split(DATASETS[name](), 0, torch.float64, CPU, **options)
    assert "\n" not in str(caught.value)
