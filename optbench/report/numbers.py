"""How the report writes numbers: three digits, narrow spaces between thousands, Unicode powers of ten, words for units.

The script in the page (script/numbers.js) writes numbers by the same rules; a test compares the two.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

NARROW = "\u202f"
MINUS = "\u2212"
NEVER = "∞"
MISSING = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(value: float) -> str:
    """Three digits: 0.157, 12.3, 1 336, 2.2·10⁻⁴; ∞ for infinity, – for NaN."""
    if math.isnan(value):
        return MISSING
    if value < 0:
        return MINUS + number(-value)
    if math.isinf(value):
        return NEVER
    if value == 0:
        return "0"
    if value < 0.00995 or value >= 999_999.5:
        return _scientific(value)
    if value >= 999.5:
        return grouped(_half_up(value))
    decimals = 2 - math.floor(math.log10(value))
    text = _rounded(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rounded(value: float, decimals: int) -> str:
    """To the nearest, exact halves away from zero as JavaScript has it; Python itself would go to the even digit."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)


def _scientific(value: float) -> str:
    exponent = math.floor(math.log10(value))
    tenths = (
        _half_up(value / 10.0**exponent * 10) if exponent > -300 else _half_up(value * 1e300 / 10.0 ** (exponent + 299))
    )
    if tenths >= 100:
        exponent, tenths = exponent + 1, 10
    return power(exponent) if tenths == 10 else f"{tenths // 10}.{tenths % 10}·{power(exponent)}"


def power(exponent: int) -> str:
    """10⁻⁴ for −4."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def decade(exponent: int) -> str:
    """A power of ten as a tick: 10⁻², 0.1, 1, 10, 100, 10³."""
    return number(10.0**exponent) if -1 <= exponent <= 2 else power(exponent)


def grouped(value: int) -> str:
    """An integer with narrow spaces between thousands, from 1 000 on."""
    sign = MINUS if value < 0 else ""
    return sign + f"{abs(value):,}".replace(",", NARROW)


def fixed(value: float, decimals: int) -> str:
    """A number with this many decimals, for columns in which they must stand below each other: 3.08."""
    if not math.isfinite(value):
        return number(value)
    return _rounded(value, decimals).replace("-", MINUS)


def ratio(value: float) -> str:
    """A multiple of the best: 1×, 1.02× below 1.1, 7.4× below 10, 36× above; ∞ for never."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return NEVER
    if abs(value - 1) < 0.005:
        return "1×"
    decimals = 2 if value < 1.095 else 1 if value < 9.95 else 0
    return (_rounded(value, decimals) if decimals else grouped(_half_up(value))) + "×"


def seconds(value: float) -> str:
    """A duration with its unit: 18.2 ms, 3.5 µs, 1.2 s, 4 min 10 s, 2 h 5 min."""
    if not math.isfinite(value):
        return number(value)
    if value < 0:
        return MINUS + seconds(-value)
    for below, factor, unit in ((0.9995e-6, 1e9, "ns"), (0.9995e-3, 1e6, "µs"), (0.9995, 1e3, "ms"), (99.95, 1.0, "s")):
        if value < below:
            return f"{number(value * factor)} {unit}"
    whole = _half_up(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{grouped(whole // 3600)} h {whole % 3600 // 60} min"


def amount(value: float, cost: str) -> str:
    """A cost with its unit: 276 steps, 1 336 evaluations, 18.2 ms."""
    if cost == "seconds":
        return seconds(value)
    return f"{number(value)} {cost[:-1] if value == 1 else cost}"


def size(value: float) -> str:
    """Bytes with their unit: 16 bytes, 38.4 kB, 1.2 MB (1 kB = 1 000 bytes)."""
    if not math.isfinite(value):
        return number(value)
    if value < 999.5:
        return f"{number(value)} byte{'' if value == 1 else 's'}"
    for below, factor, unit in ((999.5e3, 1e3, "kB"), (999.5e6, 1e6, "MB"), (999.5e9, 1e9, "GB")):
        if value < below:
            return f"{number(value / factor)} {unit}"
    return f"{number(value / 1e12)} TB"


def percent(fraction: float) -> str:
    """A share as a percentage, whole from 1 % on."""
    if not math.isfinite(fraction):
        return number(fraction)
    value = 100 * fraction
    if value == 0 or value >= 0.995:
        return f"{_half_up(value)} %"
    return f"{number(value)} %"


def p_value(value: float) -> str:
    """A probability after p: "= 0.64", "= 0.046", "< 10⁻¹⁴"."""
    if not math.isfinite(value):
        return f"= {MISSING}"
    if value < 1e-14:
        return f"< {power(-14)}"
    if value < 0.00095:
        return f"= {_scientific(value)}"
    return f"= {_rounded(value, 2)}" if value >= 0.0995 else f"= {float(f'{value:.2g}'):g}"


def word(value: int) -> str:
    """no, one, two … twelve, then digits."""
    return _WORDS[value] if 0 <= value < len(_WORDS) else grouped(value)


def plural(value: int, noun: str, many: str | None = None) -> str:
    """1 problem, 6 problems, 3 360 trials."""
    return f"{grouped(value)} {noun if value == 1 else many or noun + 's'}"


def listed(items: list[str], last: str = "and") -> str:
    """a; a and b; a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""
