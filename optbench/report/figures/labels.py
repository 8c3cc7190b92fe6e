"""Names at the right ends of lines, spread so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..theme import SIZES
from .canvas import Panel


@dataclass(frozen=True)
class EndLabel:
    """A name at the right end of a line.

    Args:
        index: of the contestant.
        words: what is written.
        y: height of the line's end in pixels; None where no line reaches the edge.
        order: where there is no line end: a place among such labels; negative ones stand at the top, others at the
            bottom.
        x: where the line ends, if that is before the panel's edge.
    """

    index: int
    words: str
    y: float | None
    order: float = 0.0
    x: float | None = None


def end_labels(
    panel: Panel, labels: Sequence[EndLabel], gap: float = 14.5, groups: tuple[str, str] = ("leader", "label")
) -> None:
    """Write the names beside the panel's right edge, with thin leaders to the lines.

    Groups: `leader` and `label`, each with the wanted height as `data-y`, from which the page's script spreads anew;
    those of other names it leaves alone.
    """
    above = sorted((label for label in labels if label.y is None and label.order < 0), key=lambda label: label.order)
    below = sorted((label for label in labels if label.y is None and label.order >= 0), key=lambda label: label.order)
    ends = sorted(((label.y, label) for label in labels if label.y is not None), key=lambda pair: pair[0])
    ordered = [*above, *(label for _, label in ends), *below]
    wanted = [*([panel.top - 1] * len(above)), *(y for y, _ in ends), *([panel.bottom + 1] * len(below))]
    gap = min(gap, panel.height / max(len(ordered) - 1, 1))
    sheet, right = panel.sheet, panel.right
    for label, want, place in zip(ordered, wanted, spread(wanted, gap, panel.top, panel.bottom), strict=True):
        gid = f"o{label.index};y={want:.1f}"
        if label.y is not None:
            start = right + 1 if label.x is None else min(label.x + 2, right + 1)
            color = sheet.theme.line(label.index)
            sheet.line((start, right + 6, right + 14), (want, want, place), color, gid=f"{groups[0]}|{gid}")
        sheet.text(
            right + 17,
            place + 4.2,
            label.words,
            sheet.theme.text(label.index),
            SIZES["label"],
            weight="bold",
            gid=f"{groups[1]}|{gid}",
        )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones (in ascending order), at least `gap` apart, within [low, high] where there is room.

    Neighbours that are too close form a block, which stands where the mean of its members' wishes is least hurt (the
    least squares solution, by pooling adjacent violators).
    """
    blocks: list[tuple[float, int]] = []  # the place the block's first member wants, and how many members it has

    def place(block: tuple[float, int]) -> float:
        return max(low, min(block[0], high - (block[1] - 1) * gap))

    for want in wanted:
        block = (want, 1)
        while blocks and place(blocks[-1]) + blocks[-1][1] * gap > place(block):
            first, members = blocks.pop()
            total = members + block[1]
            block = ((first * members + (block[0] - members * gap) * block[1]) / total, total)
        blocks.append(block)
    return [place(block) + member * gap for block in blocks for member in range(block[1])]
