"""The numbers that the page's script needs, as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from .content import Content
from .tables import COSTS


def as_json(content: Content) -> str:
    """The numbers from which the script ranks anew; null stands for never, −1 for not run."""
    match = content.match
    by_pair = {(row["problem"], row["index"]): row for row in content.summary.to_dict("records")}
    families = list(dict.fromkeys(c.family for c in match.contestants))
    problems = []
    for problem in match.problems:
        rows = [by_pair.get((problem, c.index)) for c in match.contestants]
        entry: dict[str, Any] = {"name": problem, "id": content.ids[problem]}
        for cost in COSTS:
            entry[cost] = [-1 if row is None else _finite(row[f"median_{cost}"]) for row in rows]
        for key in ("seeds", "successes", "diverged"):
            entry[key] = [0 if row is None else int(row[key]) for row in rows]
        problems.append(entry)
    data = {
        "names": [c.label for c in match.contestants],
        "families": [families.index(c.family) for c in match.contestants],
        "problems": problems,
        "fewest": content.standing.fewest,
        "q": content.standing.critical,
        "role": content.role,
    }
    # a name that holds "</script>" would end the element
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
