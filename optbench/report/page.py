"""The page: one HTML file with its style, script, drawings and numbers inside, which asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from .content import Content, Place
from .figures.figure import Figure
from .html import NOBODY, data_table, file_links, head, heat, rich, swatch, tag
from .numbers import MISSING, fixed, grouped
from .page_data import as_json
from .tables import COSTS, Table
from .theme import DARK, LIGHT

_FAMILIES = {"sgd": "SGD family"}
_SECTIONS = {
    "summary": "Summary",
    "ranking": "Ranking",
    "speed": "Speed",
    "problems": "Problems",
    "optimizers": "Optimizers",
    "numbers": "All numbers",
    "provenance": "Provenance",
}
_PARTS = (
    "state", "numbers", "statistics", "shown", "heat", "tables", "axes", "labels", "hover", "switches", "drawings",
    "begin",
)  # fmt: skip
"""The files of the script, in their order in the page."""
_SCRIPT = """"use strict";
// The page works without this script; with it optimizers can be hidden, and what depends on who is shown is computed anew.
(() => {{
{}}})();
"""


def render(content: Content) -> str:
    """The whole page as text."""
    style = _themes(len(content.match.contestants)) + _resource("page.css")
    script = _SCRIPT.format("".join(_resource("script", f"{part}.js") for part in _PARTS))
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    sections = {key: text for key, text in _sections(content).items() if text}
    body = "".join(tag("section", tag("h2", _SECTIONS[key]) + text, id=key) for key, text in sections.items())
    return "\n".join([
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        tag("title", escape(content.title)),
        tag("style", style),
        "</head>",
        f'<body data-cost="steps" data-role="{content.role}">',
        '<a class="skip" href="#report">Skip to the report</a>',
        _rail(content, list(sections)),
        '<main id="report">',
        _top(content),
        body,
        "</main>",
        '<div class="tip" hidden></div>',
        f'<script type="application/json" id="data">{as_json(content)}</script>',
        f"<script>{script}</script>",
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def _resource(*path: str) -> str:
    return files("optbench.report").joinpath(*path).read_text(encoding="utf-8")


def _themes(count: int) -> str:
    """Colours of both themes, and the rules by which the switches show, hide and bring to the front."""
    light, dark = f"color-scheme:light;{LIGHT.css()}", f"color-scheme:dark;{DARK.css()}"
    rules = [
        f":root{{{light}}}",
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}",
        f"@media screen{{:root[data-theme=dark]{{{dark}}}:root[data-theme=light]{{{light}}}}}",
    ]
    for kind, values in (("cost", COSTS), ("role", ("tuned", "default"))):
        for value in values:
            rules.append(
                f"body[data-{kind}={value}] [data-when-{kind}]:not([data-when-{kind}~={value}]){{display:none}}"
            )
    for i in range(count):
        front = (f"body.focus.f{i} main", f"body.focus.f{i} main table", f".draw.focus.n{i}")
        rules.append(f".h{i} [data-o='{i}']{{display:none}}")
        rules.append(",".join(f"{where} [data-o='{i}']" for where in front) + "{opacity:1}")
    rules += [f".t{i}{{--t:var(--t{i})}}" for i in range(8)]
    return "\n".join(rules) + "\n"


def _rail(content: Content, sections: Sequence[str]) -> str:
    match, mean = content.match, content.standing.mean
    rows = []
    for i in content.order:
        name = escape(match.contestants[i].label)
        rank = tag("span", fixed(mean[i], 2) if math.isfinite(mean[i]) else MISSING, class_="rank")
        inside = f'<input type="checkbox" checked>{swatch(i)}<b>{name}</b>{rank}'
        rows.append(f'<li><label data-i="{i}" title="{name}">{inside}</label></li>')
    families = list(dict.fromkeys(c.family for c in match.contestants))
    pills = [tag("button", word, type="button", data_show=word) for word in ("all", "none")]
    if len(families) > 1:
        named = [escape(_FAMILIES.get(family, family)) for family in families]
        pills += [tag("button", name, type="button", data_family=str(n)) for n, name in enumerate(named)]
    switches = _switch("cost", "Cost", COSTS, "steps")
    if len(content.roles) > 1:
        switches += _switch("role", "Setting of the curves", content.roles, content.role)
    links = []
    for key in ("summary", *sections):
        links.append(f'<li><a href="#{key}">{_SECTIONS[key]}</a></li>')
        if key == "problems":
            links += [f'<li class="sub"><a href="#{content.ids[p]}">{escape(p)}</a></li>' for p in match.problems]
    return (
        '<nav class="rail" aria-label="Optimizers, switches and sections">'
        f'<div class="brand">optbench<span>{escape(content.source)}</span></div>'
        f'<div><h2>Optimizers<span>rank</span></h2><ul class="who">{"".join(rows)}</ul></div>'
        f'<div class="pills">{"".join(pills)}</div>{switches}'
        f'<ul class="toc">{"".join(links)}</ul>'
        '<button type="button" class="mode">dark / light</button></nav>'
    )


def _switch(name: str, heading: str, options: Iterable[str], chosen: str) -> str:
    def radio(value: str) -> str:
        checked = " checked" if value == chosen else ""
        return tag("label", f'<input type="radio" name="{name}" value="{value}"{checked}>{value}')

    inputs = "".join(map(radio, options))
    group = tag("div", inputs, class_="seg", role="radiogroup", aria_labelledby=f"switch-{name}")
    return f'<div><h2 id="switch-{name}">{heading}</h2>{group}</div>'


def _top(content: Content) -> str:
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{rich(text)}</dd></div>" for name, text in content.facts)
    return (
        f'<header id="summary"><h1>{escape(content.title)}</h1>'
        f'<p class="meta">{escape(content.meta)}</p><p class="lead">{rich(content.lead)}</p>'
        f'<dl class="facts">{facts}</dl><p class="reading">{escape(content.reading)}</p></header>'
        '<div class="notice" role="status" hidden><span></span>'
        '<button type="button" data-show="all">Show all</button></div>'
    )


def _sections(content: Content) -> dict[str, str]:
    """What stands in each section; figures and tables are numbered as they come."""
    numbers = iter(range(1, 100_000))
    found = {"ranking": _places(content.places("ranking"), numbers)}
    if len(content.match.contestants) > 1:
        found["ranking"] += _heat(content, next(numbers))
    found["speed"] = _two(_places(content.places("profile", "ecdf"), numbers))
    found["problems"] = "".join(_problem(content, problem, numbers) for problem in content.match.problems)
    found["optimizers"] = _table(content.optimizers, next(numbers))
    found["optimizers"] += _two(_places(content.places("schedules", "budget", "step-cost", "memory"), numbers))
    found["numbers"] = _table(content.summary_table, next(numbers), tall=True)
    found["provenance"] = _provenance(content, numbers)
    return found


def _files(figure: Figure) -> list[tuple[str, str]]:
    """The files of a figure: what they are, and where."""
    drawings = [(kind.upper(), f"figures/{figure.name}.{kind}") for kind in ("svg", "pdf")]
    return [*drawings, ("CSV", f"tables/{figure.table}.csv")]


def _two(inside: str) -> str:
    return tag("div", inside, class_="two") if inside else ""


def _places(places: Sequence[Place], numbers: Iterator[int]) -> str:
    """Figures, each in as many drawings as the switches ask for."""
    parts = []
    for place in places:
        number = next(numbers)
        variants = []
        for figure in place.figures:
            inside = head(number, escape(figure.title), file_links(_files(figure)))
            inside += tag("div", figure.svg + NOBODY, class_="draw") + tag("figcaption", escape(figure.caption))
            variants.append(tag("div", inside, class_="variant", data_name=figure.name, **place.when(figure)))
        parts.append(tag("figure", "".join(variants), class_=f"{place.width} fig-{place.kind}", role="group"))
    return "".join(parts)


def _problem(content: Content, problem: str, numbers: Iterator[int]) -> str:
    about, (verdict, bad) = content.match.about[problem], content.verdicts[problem]
    kind = " · ".join([escape(str(about.get("family", ""))), f"n = {grouped(content.sizes[problem])}"])
    places = content.places("convergence", "sensitivity", "trajectories", "schedules", problem=problem)
    looked = content.instruments(problem)
    inside = (
        tag("h3", escape(problem) + tag("small", kind))
        + tag("p", escape(str(about.get("formula", ""))), class_="formula")
        + tag("p", escape(str(about.get("summary", ""))), class_="says")
        + tag("p", rich(verdict), class_="verdict bad" if bad else "verdict")
        + _two(_places(places, numbers))
        + _table(content.runtimes[problem], next(numbers))
        + _two(_places(looked, numbers))
    )
    return tag("article", inside, class_="problem", id=content.ids[problem])


def _heat(content: Content, number: int) -> str:
    table = content.heat
    links = [(content.ids[p], content.targets[p]) for p in content.match.problems]
    caption = escape(table.caption).replace("Median steps", 'Median <span class="cost-word">steps</span>', 1)
    files = "".join(
        file_links(_files(figure), **place.when(figure))
        for place in content.places("ratios")
        for figure in place.figures
    )
    inside = head(number, escape(table.title), files)
    inside += tag("div", heat(table, content.order, links) + NOBODY, class_="grid scroll") + tag("figcaption", caption)
    return tag("figure", inside, class_="full fig-ratios")


def _table(table: Table, number: int, tall: bool = False) -> str:
    unit = ', in <span class="cost-word">steps</span>' if table.by_cost else ""
    inside = head(number, escape(table.title) + unit, file_links([("CSV", f"tables/{table.name}.csv")]))
    owned = NOBODY if any(row.index is not None for row in table.rows) else ""
    classes = " ".join(name for name, on in (("grid", owned), ("scroll", True), ("tall", tall)) if on)
    inside += tag("div", data_table(table) + owned, class_=classes) + tag("figcaption", escape(table.caption))
    return tag("figure", inside, class_=f"full table-{table.name}")


def _provenance(content: Content, numbers: Iterator[int]) -> str:
    parts = []
    for name, value in content.provenance:
        parts.append(tag("dt", escape(name)) + tag("dd", tag("pre", escape(value)) if "\n" in value else escape(value)))
    for name, value in content.configurations:
        shown = tag("details", "<summary>show</summary>" + tag("pre", escape(value)))
        parts.append(tag("dt", escape(name)) + tag("dd", shown))
    failed = _table(content.failed_runs, next(numbers)) if content.failed_runs is not None else ""
    return failed + tag("dl", "".join(parts), class_="settings")
