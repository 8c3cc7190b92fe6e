"""The course of a schedule over 100 steps, drawn in the style of the reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.figure
import numpy as np
import torch

from optbench import registry
from optbench.report.figures.canvas import Panel, Sheet, styled
from optbench.report.svg import file_svg, page_svg
from optbench.report.theme import LIGHT, PAGE, SIZES, Theme
from optbench.verbs.show import written

STEPS = 100
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "exponential": [{"rate": 2.0}],
    "halving": [{"every": 0.25, "gamma": 0.1}],
    "multistep": [{"milestones": (0.3, 0.6, 0.9), "gamma": 0.5}],
    "inverse": [{"rate": 100.0}],
    "inverse_sqrt": [{"warmup": 0.2}],
    "linear": [{"until": 0.5, "end": 0.2}],
    "polynomial": [{"power": 2.0}, {"power": 0.5}],
    "cosine": [{"warmup": 0.2, "floor": 0.1}],
    "cosine_restarts": [{"t_0": 0.25, "t_mult": 1.0}],
    "cyclic": [{"mode": "triangular2"}],
    "one_cycle": [{"three_phase": True}],
    "one_cycle_momentum": [{"three_phase": True}],
    "wsd": [{"decay": 0.5, "form": "cosine"}],
    "trapezoid": [{"warmup": 0.3}],
    "warmup": [{"over": 0.5, "form": "exponential", "start": 0.01}],
    "reduce_on_plateau": [{"gamma": 0.5, "smoothing": 0.0}],
    "product": [{"parts": ({"name": "warmup", "over": 0.3}, {"name": "cyclic", "mode": "triangular2"})}],
    "sequence": [{"parts": ("linear", "cyclic"), "milestones": (0.4,)}],
}
"""Settings that are drawn beside the defaults."""
WIDTH, HEIGHT, LEFT, TOP = 760, 330, 52, 84


@dataclass(frozen=True)
class Curve:
    """One line: its words and its value at each step."""

    words: str
    values: np.ndarray


def loss(step: int) -> float:
    """The made-up loss on which `reduce_on_plateau` is drawn: it falls from 1 to 0.8 in 10 steps, then stays."""
    return 1 - 0.02 * min(step, 10)


def curves(name: str) -> list[Curve]:
    """With the defaults first, then the variants."""
    found = [Curve(_words(settings), factors(name, settings)) for settings in ({}, *VARIANTS.get(name, []))]
    if name == "one_cycle":
        found.append(Curve("momentum, by one_cycle_momentum", factors("one_cycle_momentum", {})))
    if name == "reduce_on_plateau":
        found.append(Curve("the loss, made up", np.array([loss(step) for step in range(STEPS)])))
    return found


def factors(name: str, settings: dict[str, Any]) -> np.ndarray:
    """The factor at each of the steps."""
    schedule = registry.build("schedule", name, settings)
    state, values = schedule.init(1, STEPS), []
    for step in range(STEPS):
        values.append(float(torch.as_tensor(schedule.factor(step, STEPS, state)).reshape(-1)[0]))
        state = schedule.observe(state, torch.tensor([loss(step)], dtype=torch.float64))
    return np.array(values)


def curve_svg(name: str) -> str:
    """The figure of one schedule as a file."""
    title = f"Factor of {name} over {STEPS} steps"
    return file_svg(page_svg(_draw(name, curves(name), PAGE), f"curve-{name}", title), LIGHT)


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {written(value)}" for key, value in settings.items()) or "default settings"


@styled
def _draw(name: str, found: Sequence[Curve], theme: Theme) -> matplotlib.figure.Figure:
    sheet = Sheet(WIDTH, HEIGHT, theme)
    sheet.text(1, 24, name, theme.text(0), 19, weight="bold")
    top = max(1.0, max(float(curve.values.max()) for curve in found))
    panel = Panel(sheet, (LEFT, TOP, WIDTH - LEFT - 12, HEIGHT - TOP - 48), (0, STEPS), (0, top * 1.03), log="")
    panel.ticks("y", [tick for tick in (0, 0.25, 0.5, 0.75, 1.0) if tick <= top], lambda v: f"{v:g}")
    panel.ticks("x", range(0, STEPS + 1, 20), lambda v: f"{v:g}")
    panel.names("step", "multiple of what is set")
    at = LEFT + 150.0
    for k, curve in enumerate(found):
        steps = panel.x(np.arange(STEPS))
        sheet.line(
            steps, panel.y(curve.values), theme.line(k), 2.4 if k == 0 else 1.6, panel, zorder=4 - k,
            linestyle="solid" if k == 0 else (0, (5.5, 1.8)) if k == 1 else (0, (1.1, 1.3)),
        )  # fmt: skip
        sheet.text(at, TOP - 15, curve.words, theme.text(k), SIZES["label"], weight="bold" if k == 0 else "normal")
        at += 6.6 * len(curve.words) + 26
    return sheet.drawing
