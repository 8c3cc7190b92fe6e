import pytest
import torch

from optbench.data.sequences import copying, modular_addition, recall, xor_sequence


def test_modular_addition_is_every_sum_once():
    data = modular_addition()
    assert data.x.shape == (9409, 3)
    assert (data.tokens, data.classes, data.shares) == (98, 97, (0.8, 0.1, 0.1))
    table = {(a, b): c for (a, b, sign), c in zip(data.x.tolist(), data.y.tolist(), strict=True) if sign == 97}
    assert table == {(a, b): (a + b) % 97 for a in range(97) for b in range(97)}


def test_a_word_is_to_be_copied_after_the_delay():
    data = copying(samples=50, symbols=3, length=4, delay=5)
    blank, sign = 3, 4
    assert data.x.shape == data.y.shape == (50, 13)
    assert (data.tokens, data.classes) == (5, 3)
    for x, y in zip(data.x.tolist(), data.y.tolist(), strict=True):
        word = x[:4]
        assert set(word) <= {0, 1, 2}
        assert x[4:] == [blank] * 4 + [sign] + [blank] * 4
        assert y == [-1] * 9 + word


def test_recall_asks_for_the_value_of_one_of_its_keys():
    data = recall()
    assert data.x.shape == (5000, 10)
    assert (data.tokens, data.classes) == (25, 8)
    for x, y in zip(data.x.tolist(), data.y.tolist(), strict=True):
        keys, values, mark, asked = x[0:8:2], x[1:8:2], x[8], x[9]
        assert len(set(keys)) == 4
        assert set(keys) <= set(range(16))
        assert mark == 24
        assert dict(zip(keys, values, strict=True))[asked] == 16 + y
    place = (data.x[:, 0:8:2] == data.x[:, 9:]).long().argmax(dim=1)
    assert torch.bincount(place).tolist() == pytest.approx([1250] * 4, abs=150)
    assert torch.bincount(data.y).tolist() == pytest.approx([625] * 8, abs=120)


def test_xor_of_a_string_is_its_parity():
    data = xor_sequence()
    assert data.x.shape == (5000, 16)
    assert data.y.tolist() == ["".join(map(str, bits)).count("1") % 2 for bits in data.x.tolist()]
    assert torch.bincount(data.y).tolist() == pytest.approx([2500, 2500], abs=180)
    assert data.x.double().mean(dim=0).tolist() == pytest.approx([0.5] * 16, abs=0.035)


@pytest.mark.parametrize("make", [copying, recall, xor_sequence])
def test_no_sequence_comes_twice_and_the_seed_decides(make):
    data = make()
    assert len({tuple(row) for row in data.x.tolist()}) == len(data)
    assert not torch.equal(data.x, make(seed=1).x)


def test_all_strings_may_be_asked_for_where_they_are_drawn():
    assert len(xor_sequence(samples=8, length=4)) == 8


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (xor_sequence, {"samples": 17, "length": 4}, "xor_sequence: there are only .* fewer than samples = 17"),
        (copying, {"samples": 9, "symbols": 2, "length": 3}, "copying: there are only .* fewer than samples = 9"),
        (recall, {"pairs": 17}, r"recall: pairs must lie in \[1, 16\], the number of keys, got 17"),
    ],
)
def test_more_sequences_than_there_are_are_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
