"""A comparison as text for the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from .model import Comparison, Finding, Interval, Test
from .pairing import count, label

SHOWN = 20
"""Lines of a section before the rest is only counted; JSON has all."""
Table = tuple[Sequence[str], list[Sequence[str]]]


def _cell(item: Finding | Interval) -> str:
    return label(asdict(item))


def _ratio(x: float) -> str:
    return "∞" if math.isinf(x) else f"{x:.3g}"


def _findings(items: Iterable[Finding | Test]) -> Table:
    rows: list[Sequence[str]] = []
    for item in items:
        if isinstance(item, Finding):
            rows.append((_cell(item), item.measure, item.text))
        else:
            over = (
                f"{_ratio(item.ratio)} × over {count(item.problems, 'problem')}, p = {item.p_adjusted:.2g} after Holm"
            )
            rows.append((item.optimizer, item.measure, over))
    return ("cell", "measure", "change"), rows


def _tests(tests: Iterable[Test]) -> Table:
    head = ("optimizer", "measure", "problems", "new / base", "p", "p (Holm)", "verdict")
    return head, [
        (
            *(t.optimizer, t.measure, str(t.problems), _ratio(t.ratio), f"{t.p:.2g}", f"{t.p_adjusted:.2g}"),
            f"too few problems: {t.needed} are needed" if t.verdict == "too few problems" else t.verdict,
        )
        for t in tests
    ]


def _intervals(intervals: Iterable[Interval]) -> Table:
    return ("cell", "measure", "pairs", "new / base", "interval", "coverage"), [
        (_cell(i), i.measure, str(i.pairs), _ratio(i.ratio), f"{_ratio(i.low)} … {_ratio(i.high)}", f"{i.coverage:.0%}")
        for i in intervals
    ]


def _sections(c: Comparison) -> list[tuple[str, Table]]:
    """Title and table; the first column of a table is what the line is about."""
    moved = sorted(
        (i for i in c.intervals if i.leaves_out_one),
        key=lambda i: -abs(math.log(i.ratio)) if 0 < i.ratio < math.inf else -math.inf,
    )
    holm = f"one sign-flip test per optimizer and measure, Holm at {c.alpha:g}, size {c.size:.0%}"
    return [
        ("Regressions", _findings(c.regressions)),
        ("Improvements", _findings(c.judged("improvement"))),
        ("Step times (they warn and never gate)", _findings(c.judged("slower", "faster"))),
        (f"Changed by less than {c.size:.0%}", _findings(c.judged("changed"))),
        (f"Over all problems: {holm}", _tests(c.tests)),
        ("Cells whose interval leaves out 1 (shown, never a gate)", _intervals(moved)),
        ("Differences to know, and what was not compared", (("note",), [(note,) for note in c.notes])),
    ]


def _totals(c: Comparison) -> str:
    return f"{count(c.runs, 'paired run')}, {count(c.trials, 'paired trial')}"


def text(c: Comparison, base: str, new: str) -> str:
    """Aligned columns, the verdict last, where a terminal leaves the eye."""
    lines = [f"{base} → {new}: {_totals(c)}", ""]
    for title, (head, rows) in _sections(c):
        if not rows:
            continue
        shown = [list(head), *rows[:SHOWN]] if len(head) > 3 else rows[:SHOWN]
        widths = [max(len(row[i]) for row in shown) for i in range(len(head))]
        lines.append(f"{title} ({len(rows)})")
        for row in shown:
            lines.append("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
        if len(rows) > SHOWN:
            lines.append(f"  … and {len(rows) - SHOWN:,} more (--format json has all)")
        lines.append("")
    return "\n".join([*lines, f"{c.verdict}.", ""])


def markdown(c: Comparison, base: str, new: str) -> str:
    """For a pull request: the verdict first, tables below."""
    lines = [f"## optbench: {c.verdict}", "", f"`{base}` → `{new}`: {_totals(c)}.", ""]
    for title, (head, rows) in _sections(c):
        if not rows:
            continue
        lines += [f"### {title}", "", f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
        lines += ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows[:SHOWN]]
        lines += ["", f"… and {len(rows) - SHOWN:,} more."] if len(rows) > SHOWN else []
        lines.append("")
    return "\n".join(lines)


def as_json(c: Comparison, base: str, new: str) -> str:
    """Everything; JSON has no infinity, so infinite numbers are the strings "inf" and "-inf", and NaN is null."""
    content = {"base": base, "new": new, "verdict": c.verdict, "regressed": bool(c.regressions), **asdict(c)}
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _finite(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_finite(item) for item in tree]
    if hasattr(tree, "item"):  # numpy's scalars
        tree = tree.item()
    if isinstance(tree, float) and not math.isfinite(tree):
        return None if math.isnan(tree) else str(tree)
    return tree


RENDERERS: dict[str, Callable[[Comparison, str, str], str]] = {"text": text, "markdown": markdown, "json": as_json}
