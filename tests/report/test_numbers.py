"""How numbers are written; the expected texts are those of the design, worked out by hand."""

import math

import pytest

from optbench.report import numbers

NARROW = "\u202f"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.157, "0.157"), (0.0107, "0.0107"), (12.34, "12.3"), (99.96, "100"), (300.0, "300"), (1.0, "1"), (0.1, "0.1"),
        (999.6, f"1{NARROW}000"), (1336, f"1{NARROW}336"), (28_120, f"28{NARROW}120"), (1.2e6, "1.2·10⁶"), (1e8, "10⁸"),
        (2.2e-4, "2.2·10⁻⁴"), (7e-4, "7.0·10⁻⁴"), (1e-4, "10⁻⁴"), (9.96e-5, "10⁻⁴"), (0.00996, "0.00996"),
        (-3.4, "−3.4"), (0.0, "0"), (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "–"), (5e-324, "4.9·10⁻³²⁴"),
    ],
)  # fmt: skip
def test_a_number_has_three_digits_and_unicode_powers(value: float, text: str) -> None:
    assert numbers.number(value) == text


def test_no_number_is_written_with_an_e() -> None:
    written = [numbers.number(m * 10.0**e) for m in (1, 1.0049, 3.3, 9.949, 9.951, 9.9999) for e in range(-30, 30)]
    assert all("e" not in text for text in written)


@pytest.mark.parametrize("exponent", range(-12, 12))
@pytest.mark.parametrize("mantissa", [1.0, 1.2, 3.456, 7.77, 9.94, 9.96])
def test_what_is_written_is_within_a_twentieth_of_the_number(mantissa: float, exponent: int) -> None:
    value = mantissa * 10.0**exponent
    text = numbers.number(value).replace(NARROW, "")
    digits = text.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    if "·10" in digits:
        front, _, power = digits.partition("·10")
        read = float(front) * 10.0 ** int(power)
    elif any(sign in text for sign in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
        read = 10.0 ** int(digits[2:])
    else:
        read = float(digits)
    assert read == pytest.approx(value, rel=0.05)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1×"), (1.25, "1.3×"), (1.004, "1×"), (1.02, "1.02×"), (1.07, "1.07×"), (1.098, "1.1×"), (7.44, "7.4×"),
     (9.96, "10×"), (36.4, "36×"), (math.inf, "∞"), (math.nan, "–")],
)  # fmt: skip
def test_a_ratio_has_two_decimals_near_one_and_none_above_ten(value: float, text: str) -> None:
    assert numbers.ratio(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0182, "18.2 ms"), (3.5e-6, "3.5 µs"), (2e-9, "2 ns"), (1.25, "1.25 s"), (61, "61 s"), (250, "4 min 10 s"),
     (7500, "2 h 5 min"), (math.inf, "∞")],
)  # fmt: skip
def test_a_duration_carries_its_unit(value: float, text: str) -> None:
    assert numbers.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (16, "16 bytes"), (38_400, "38.4 kB"), (1.2e6, "1.2 MB"), (3e9, "3 GB")],
)
def test_a_size_carries_its_unit(value: float, text: str) -> None:
    assert numbers.size(value) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.64, "= 0.64"),
        (0.046, "= 0.046"),
        (0.003, "= 0.003"),
        (3.4e-5, "= 3.4·10⁻⁵"),
        (1e-20, "< 10⁻¹⁴"),
        (1.0, "= 1.00"),
    ],
)
def test_a_probability_says_how_small_it_is(p: float, text: str) -> None:
    assert numbers.p_value(p) == text


def test_words_and_lists_read_like_sentences() -> None:
    assert [numbers.word(n) for n in (0, 2, 12, 13)] == ["no", "two", "twelve", "13"]
    assert numbers.plural(1, "seed") == "1 seed"
    assert numbers.plural(3360, "trial") == f"3{NARROW}360 trials"
    assert numbers.listed(["a"]) == "a"
    assert numbers.listed(["a", "b", "c"]) == "a, b and c"
    assert numbers.listed([]) == ""
