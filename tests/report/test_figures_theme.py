"""The palette keeps its contrast and stays apart for colour-blind readers."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from optbench.report.theme import DARK, DASHES, LIGHT, MARKERS, PAGE, VARIABLES, dash, marker, mixed, rgb

# Simulation of colour-vision deficiency in linear RGB: Viénot, Brettel & Mollon, "Digital video colourmaps for checking
# the legibility of displays by dichromats", Color Research & Application 24, 1999 (protan, deutan); for tritan the
# projection of Brettel, Viénot & Mollon, JOSA A 14, 1997, as one matrix (severity 1 of Machado et al., 2009).
SIGHT = {
    "normal": np.eye(3),
    "protan": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, -0.0], [0.00401, -0.00401, 1.0]]),
    "deutan": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, -0.0], [-0.02234, 0.02234, 1.0]]),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(color):
    c = np.array(rgb(color))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2.2: (L₁ + 0.05) / (L₂ + 0.05)."""
    light, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def oklab(color, sight):
    """Ottosson, "A perceptual color space for image processing", 2020."""
    seen = np.clip(SIGHT[sight] @ linear(color), 0, 1)
    lms = np.array([
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]) @ seen  # fmt: skip
    return np.array([
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]) @ np.cbrt(lms)  # fmt: skip


def nearest(theme, sight):
    seen = [oklab(color, sight) for color in theme.lines]
    return min(100 * float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))


@pytest.mark.parametrize(("theme", "least"), [(LIGHT, 3.0), (DARK, 5.0)])
def test_lines_stand_out_from_the_background(theme, least):
    assert min(contrast(color, theme.bg) for color in theme.lines) >= least


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_can_be_read(theme):
    assert min(contrast(color, theme.bg) for color in (*theme.texts, theme.muted, theme.failure)) >= 4.5
    assert contrast(theme.ink, theme.bg) >= 12


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_colours_can_be_told_apart(theme, sight):
    assert nearest(theme, sight) >= (15 if sight == "normal" else 7)


def test_forty_contestants_have_forty_pairs_of_colour_and_dash():
    assert len({(i % 8, str(dash(i))) for i in range(40)}) == 40


def test_no_more_than_two_of_the_first_eight_share_a_dash():
    used = [str(dash(i)) for i in range(8)]
    assert max(used.count(d) for d in used) == 2
    assert len(set(used)) == len(DASHES)


def test_markers_repeat_with_the_colours():
    assert [marker(i) for i in range(16)] == [*MARKERS, *MARKERS]
    assert LIGHT.line(11) == LIGHT.lines[3]


def test_a_mixture_lies_between_its_parts():
    assert mixed("#000000", "#FFFFFF", 0.2) == "#333333"
    assert mixed("#102030", "#FFFFFF", 0) == "#102030"


def test_every_sentinel_is_a_colour_of_its_own_and_has_a_variable():
    sentinels = [*PAGE.lines, *PAGE.texts, PAGE.ink, PAGE.muted, PAGE.grid, PAGE.bg, PAGE.failure, PAGE.heat.lower()]
    assert len(set(sentinels)) == len(sentinels)
    assert set(sentinels) == set(VARIABLES)
    for theme in (LIGHT, DARK):
        for variable in VARIABLES.values():
            assert f"{re.search(r'--[a-z0-9]+', variable).group()}:" in theme.css()
