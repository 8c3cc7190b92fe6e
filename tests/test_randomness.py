import pytest
import torch
from scipy.stats import chisquare, kstest

from optbench.randomness import Randomness, _mix, _mix_, derive, hashed

GAMMA, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]
"""splitmix64 with seed 1234567, https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64"""


def unsigned(words: torch.Tensor) -> list[int]:
    return [int(word) & MASK for word in words.flatten().tolist()]


def test_the_mixing_function_gives_the_published_words():
    assert [_mix((1234567 + k * GAMMA) & MASK) for k in range(1, 6)] == PUBLISHED


def test_a_row_of_words_is_a_splitmix64_sequence():
    random = Randomness([0], "test")
    random.keys = torch.tensor([1234567])
    state = _mix((1234567 + GAMMA) & MASK)  # what step 0 starts from
    expected = [_mix((state + k * GAMMA) & MASK) for k in range(1, 6)]
    assert unsigned(random.words(0, 5)) == expected


@pytest.mark.parametrize("count", [1, 16383, 16384, 16385, 50000])
def test_mixing_a_tensor_gives_the_same_words_as_one_by_one(count):
    numbers = torch.arange(count) * 982451653 - 7**19
    mixed = _mix_(numbers.clone())
    for k in {0, count // 2, count - 1, min(16384, count - 1)}:
        assert unsigned(mixed[k]) == [_mix(int(numbers[k]) & MASK)]


def test_keys_are_equal_on_every_machine():
    assert derive(0, "start") == 115180458080473407
    assert derive(-1, "start") == derive((1 << 64) - 1, "start")


def test_the_numbers_of_a_trial_depend_on_its_own_seed_alone():
    many = Randomness([5, 6, 7, 8], "a").words(3, 100)
    assert torch.equal(many[[2]], Randomness([7], "a").words(3, 100))
    assert torch.equal(many[[3, 0]], Randomness([5, 6, 7, 8], "a").words(3, 100, rows=torch.tensor([3, 0])))


def test_the_first_words_do_not_depend_on_how_many_are_drawn():
    random = Randomness([1, 2], "a")
    assert torch.equal(random.words(9, 7), random.words(9, 70000)[:, :7])


def test_seeds_steps_and_purposes_give_different_words():
    words = [Randomness(range(50), purpose).words(step, 20) for purpose in ("a", "b") for step in range(20)]
    everything = torch.stack(words).flatten()
    assert len(everything.unique()) == len(everything)


def test_uniform_numbers_are_uniform_and_inside_the_open_interval():
    u = Randomness(range(8), "u").uniform(0, 20000)
    assert u.dtype == torch.float64
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    assert kstest(u.flatten().numpy(), "uniform").pvalue > 1e-3
    assert abs(u.mean().item() - 0.5) < 4 * (1 / 12 / u.numel()) ** 0.5


def test_normal_numbers_have_the_moments_of_the_normal_distribution():
    z = Randomness(range(8), "z").normal(1, 50000)
    n = z.numel()
    assert abs(z.mean().item()) < 4 / n**0.5
    assert abs((z**2).mean().item() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z**3).mean().item()) < 4 * (15 / n) ** 0.5
    assert abs((z**4).mean().item() - 3) < 4 * (96 / n) ** 0.5
    assert kstest(z.flatten().numpy(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("neighbours", ["seeds", "steps", "positions"])
def test_neighbours_are_not_correlated(neighbours):
    if neighbours == "steps":
        z = torch.stack([Randomness([0], "z").normal(step, 200)[0] for step in range(500)])
    else:
        z = Randomness(range(500), "z").normal(0, 200)
    a, b = (z[:, :-1], z[:, 1:]) if neighbours == "positions" else (z[:-1], z[1:])
    bound = 4 / a.numel() ** 0.5
    assert abs((a * b).mean().item()) < bound
    assert abs(((a**2 - 1) * (b**2 - 1)).mean().item()) / 2 < bound


@pytest.mark.parametrize("bit", [0, 1, 31, 32, 62, 63])
def test_every_bit_of_a_word_is_a_fair_coin_that_ignores_its_neighbours(bit):
    bits = (Randomness(range(100), "bits").words(0, 1000) >> bit) & 1
    pairs = torch.bincount((2 * bits[:, :-1] + bits[:, 1:])[:, ::2].flatten(), minlength=4)
    assert chisquare(pairs.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_asked_for_is_given_and_only_rounds(dtype):
    random = Randomness([0, 1], "d")
    for draw in (random.uniform, random.normal):
        assert draw(0, 10, dtype=dtype).dtype == dtype
        assert torch.equal(draw(0, 10, dtype=dtype), draw(0, 10).to(dtype))


@pytest.mark.parametrize("count", [0, 1, 700, 20_000])
def test_words_made_by_numpy_are_those_made_by_torch(count):
    random = Randomness([0, 7, -3], "words")
    assert torch.equal(random.words(5, count), hashed(random.keys, 5, count))


def test_uniform_numbers_are_the_upper_52_bits_of_the_words():
    random = Randomness([0, 7], "uniform")
    upper = [[(word % 2**64 >> 12) for word in row] for row in random.words(3, 50).tolist()]
    assert random.uniform(3, 50).tolist() == [[(number + 0.5) / 2**52 for number in row] for row in upper]
