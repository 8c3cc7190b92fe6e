"""docs/schedules: a page a schedule, and an index with all curves."""

from __future__ import annotations

from optbench import registry
from optbench.describe import describe, headline
from optbench.verbs.show import equals, settings

from .curve_figure import STEPS, curve_svg
from .markdown import code, page, plain, prose, section, table

NOTES = {
    "reduce_on_plateau": "Drawn on a loss made up for it: it falls from 1 to 0.8 in 10 steps and then stays. The running mean of "
    "the defaults falls for long after so sudden an end; without smoothing the rate falls after six bad steps.",
    "one_cycle": "The momentum that goes with it is the schedule [one_cycle_momentum](one_cycle_momentum.md): "
    "`schedules={momentum: one_cycle_momentum}`.",
    "one_cycle_momentum": "A schedule for the momentum: `schedules={momentum: one_cycle_momentum}` beside "
    "`schedule=one_cycle`.",
}


def pages() -> dict[str, str]:
    """All files of docs/schedules by name."""
    files = {"README.md": _index()}
    for name in registry.table("schedule"):
        files[f"{name}.md"] = _page(name)
        files[f"curves/{name}.svg"] = curve_svg(name)
    return files


def _page(name: str) -> str:
    cls = registry.table("schedule")[name]
    told = describe(cls)
    rows = [
        (f"`{key}`", f"`{value}`", plain(legal), plain(meaning)) for key, value, legal, meaning in settings(cls)
    ]  # fmt: skip
    note = f"\n\n{NOTES[name]}" if name in NOTES else ""
    run = "schedule=one_cycle schedules={momentum: one_cycle_momentum}" if name == "one_cycle_momentum" else (
        f"schedule={name}"
    )  # fmt: skip
    return page(
        name,
        "[All schedules](README.md)",
        plain(told["summary"]),
        code(told["formula"]),
        prose(told["text"]),
        section("Curve", f"![Factor of {name} over {STEPS} steps](curves/{name}.svg){note}"),
        section("Settings", table(("setting", "default", "range", "meaning"), rows) if rows else ""),
        section("Equals", "\n".join(map(plain, equals(name, cls)))),
        section("Source", plain(told["source"])),
        code(f"optbench run optimizer=momentum {_quoted(run)}"),
    )


def _quoted(words: str) -> str:
    return words if "{" not in words else words.replace("schedules={", "'schedules={") + "'"


def _index() -> str:
    rows = [
        (
            f"[{name}]({name}.md)",
            f'<img src="curves/{name}.svg" width="300" alt="curve of {name}">',
            plain(headline(cls)),
            plain(describe(cls)["equals"].removeprefix("Same result as ")),
        )
        for name, cls in registry.table("schedule").items()
    ]
    return page(
        "Schedules",
        "Factors on the learning rate, and on any other setting (`schedules={momentum: one_cycle_momentum}`), as a function "
        f"of the step. Drawn over {STEPS} steps: with the defaults (blue), and with other settings (dashed).\n\n"
        "Lengths and times up to 1 are parts of the run, above 1 they are numbers of steps. They are rounded to whole steps, "
        "and are one step at least; the cycles of `cyclic` and `cosine_restarts` are not rounded.",
        table(("name", "curve", "what it is", "same result as"), rows),
    )
