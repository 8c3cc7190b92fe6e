"""The page: one HTML file with its style, script, drawings and numbers inside, which asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

import numpy as np

from .content import Content, Place
from .numbers import grouped
from .story import Name, Text, Underlined
from .tables import COSTS, Cell, Table
from .theme import DARK, DASHES, LIGHT

_FAMILIES = {"sgd": "SGD family"}
_SECTIONS = {"ranking": "Ranking", "speed": "Speed", "problems": "Problems", "optimizers": "Optimizers", "numbers": "All numbers", "provenance": "Provenance"}


def render(content: Content) -> str:
    """The whole page as text."""
    style = _themes(len(content.match.contestants)) + _resource("page.css")
    script = _resource("page.js")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; img-src data:; base-uri 'none'; form-action 'none'"
    sections = _sections(content)
    body = "".join(sections.values())
    return "\n".join([
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(content.title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        f'<body data-cost="steps" data-role="{content.role}">',
        '<a class="skip" href="#report">Skip to the report</a>',
        _rail(content, [key for key, text in sections.items() if text]),
        '<main id="report">',
        _top(content),
        body,
        "</main>",
        '<div class="tip" hidden></div>',
        f'<script type="application/json" id="data">{_data(content)}</script>',
        f"<script>{script}</script>",
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def _resource(name: str) -> str:
    return files("optbench.report").joinpath(name).read_text(encoding="utf-8")


def _themes(count: int) -> str:
    """Colours of both themes, and one rule for each contestant that can be hidden or brought to the front."""
    dark = DARK.css()
    rules = [
        f":root{{color-scheme:light;{LIGHT.css()}}}",
        f"@media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}",
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}:root[data-theme=light]{{color-scheme:light;{LIGHT.css()}}}}}",
        *(f"body[data-{kind}={value}] [data-when-{kind}]:not([data-when-{kind}={value}]){{display:none}}"
          for kind, values in (("cost", COSTS), ("role", ("tuned", "default"))) for value in values),
    ]  # fmt: skip
    for i in range(count):
        rules.append(f".h{i} [data-o='{i}']{{display:none}}")
        rules.append(f"body.focus.f{i} main [data-o='{i}'],body.focus.f{i} main table [data-o='{i}'],.draw.focus.n{i} [data-o='{i}']{{opacity:1}}")
    rules += [f".t{i}{{--t:var(--t{i})}}" for i in range(8)]
    return "\n".join(rules) + "\n"


def swatch(index: int) -> str:
    """A short line in the colour and dash of a contestant."""
    dashes = " ".join(f"{2.2 * part:g}" for part in DASHES[(index + index // 8) % len(DASHES)])
    pattern = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        '<svg class="sw-line" width="26" height="6" viewBox="0 0 26 6" aria-hidden="true">'
        f'<line x1="0" y1="3" x2="26" y2="3" stroke="var(--c{index % 8})" stroke-width="2.4"{pattern}/></svg>'
    )


def rich(text: Text) -> str:
    """A sentence as HTML."""
    parts = []
    for part in text:
        if isinstance(part, Name):
            parts.append(f'<b class="name t{part.index % 8}">{escape(part.label)}</b>')
        elif isinstance(part, Underlined):
            parts.append(f"<u>{escape(part.text)}</u>")
        else:
            parts.append(escape(part))
    return "".join(parts)


def _rail(content: Content, sections: Sequence[str]) -> str:
    match, standing = content.match, content.standing
    rows = "".join(
        f'<li><label data-i="{i}" title="{escape(match.contestants[i].label)}"><input type="checkbox" checked>{swatch(i)}'
        f'<b>{escape(match.contestants[i].label)}</b><span class="rank">{_rank(standing.mean.get(i))}</span></label></li>'
        for i in content.order
    )
    families = list(dict.fromkeys(c.family for c in match.contestants))
    pills = ['<button type="button" data-show="all">all</button>', '<button type="button" data-show="none">none</button>']
    if len(families) > 1:
        pills += [f'<button type="button" data-family="{n}">{escape(_FAMILIES.get(f, f))}</button>' for n, f in enumerate(families)]
    switches = _switch("cost", "Cost", [(c, c) for c in COSTS], "steps")
    if content.roles == ("tuned", "default"):
        switches += _switch("role", "Setting of the curves", [("tuned", "tuned"), ("default", "default")], content.role)
    links = []
    for key in ("summary", *sections):
        links.append(f'<li><a href="#{key}">{"Summary" if key == "summary" else _SECTIONS[key]}</a></li>')
        if key == "problems":
            links += [f'<li class="sub"><a href="#{content.ids[p]}">{escape(p)}</a></li>' for p in match.problems]
    return (
        '<nav class="rail" aria-label="Optimizers, switches and sections">'
        f'<div class="brand">optbench<span>{escape(content.source)}</span></div>'
        f'<div><h2>Optimizers<span>rank</span></h2><ul class="who">{rows}</ul></div>'
        f'<div class="pills">{"".join(pills)}</div>{switches}'
        f'<ul class="toc">{"".join(links)}</ul>'
        '<button type="button" class="mode">dark / light</button></nav>'
    )


def _switch(name: str, heading: str, options: Iterable[tuple[str, str]], chosen: str) -> str:
    inputs = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" if value == chosen else ""}>{text}</label>'
        for value, text in options
    )
    return f'<div><h2 id="switch-{name}">{heading}</h2><div class="seg" role="radiogroup" aria-labelledby="switch-{name}">{inputs}</div></div>'


def _rank(mean: float | None) -> str:
    return "–" if mean is None or math.isnan(mean) else f"{mean:.2f}"


def _top(content: Content) -> str:
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{rich(text)}</dd></div>" for name, text in content.facts)
    return (
        f'<header id="summary"><h1>{escape(content.title)}</h1>'
        f'<p class="meta">{escape(content.meta)}</p>'
        f'<p class="lead">{rich(content.lead)}</p>'
        f'<dl class="facts">{facts}</dl></header>'
        '<div class="notice" role="status" hidden><span></span><button type="button" data-show="all">Show all</button></div>'
    )


def _sections(content: Content) -> dict[str, str]:
    """The sections by id, in their order; an empty one is left out of the rail."""
    numbering = iter(range(1, 10_000))
    found = {}
    ranking = [_place(p, next(numbering)) for p in content.places("ranking")]
    if len(content.match.contestants) > 1:
        ranking.append(_heat(content, next(numbering)))
    found["ranking"] = "".join(ranking)
    speed = [_place(p, next(numbering)) for p in content.places("profile", "ecdf")]
    found["speed"] = f'<div class="two">{"".join(speed)}</div>' if speed else ""
    problems = []
    for problem in content.match.problems:
        places = content.places("convergence", "sensitivity", "trajectories", "schedules", problem=problem)
        drawings = "".join(_place(p, next(numbering)) for p in places)
        table = _table_figure(content.runtimes[problem], next(numbering))
        problems.append(_problem(content, problem, drawings, table))
    found["problems"] = "".join(problems)
    rest = "".join(_place(p, next(numbering)) for p in content.places("schedules", "budget", "step-cost", "memory"))
    found["optimizers"] = _table_figure(content.optimizers, next(numbering)) + (f'<div class="two">{rest}</div>' if rest else "")
    found["numbers"] = _table_figure(content.summary_table, next(numbering), tall=True)
    found["provenance"] = _provenance(content)
    return {key: f'<section id="{key}"><h2>{_SECTIONS[key]}</h2>{text}</section>' if text else "" for key, text in found.items()}


def _head(no: int, title: str, links: Iterable[tuple[str, str]]) -> str:
    anchors = "".join(f'<a href="{escape(path)}">{kind}</a>' for kind, path in links)
    return f'<div class="head"><span class="no">{no}</span><h4>{escape(title)}</h4><span class="files">{anchors}</span></div>'


def _place(place: Place, no: int) -> str:
    """A place of the page: one figure, in as many drawings as the switches ask for."""
    parts = []
    for figure in place.figures:
        when = "".join(f' data-when-{kind}="{value}"' for kind, value in (("cost", figure.cost), ("role", figure.role)) if value and place.depends[kind])
        links = [(kind, f"{folder}/{figure.name}.{kind.lower()}") for kind, folder in (("SVG", "figures"), ("PDF", "figures"), ("CSV", "tables"))]
        parts.append(
            f'<div class="variant"{when} data-name="{escape(figure.name)}">{_head(no, figure.title, links)}'
            f'<div class="draw">{figure.svg}<div class="none auto" hidden>no optimizer shown</div></div>'
            f"<figcaption>{escape(figure.caption)}</figcaption></div>"
        )
    width = "full" if place.width == "full" else "half"
    return f'<figure class="{width} fig-{escape(place.kind)}" role="group">{"".join(parts)}</figure>'


def _problem(content: Content, problem: str, drawings: str, table: str) -> str:
    about, (verdict, bad) = content.match.about[problem], content.verdicts[problem]
    kind = " · ".join([str(about.get("family", "")), f"n = {grouped(content.sizes[problem])}"])
    return (
        f'<article class="problem" id="{content.ids[problem]}"><h3>{escape(problem)}<small>{escape(kind)}</small></h3>'
        f'<p class="formula">{escape(str(about.get("formula", "")))}</p><p class="says">{escape(str(about.get("summary", "")))}</p>'
        f'<p class="verdict{" bad" if bad else ""}">{rich(verdict)}</p>'
        f'<div class="two">{drawings}</div>{table}</article>'
    )


def _heat(content: Content, no: int) -> str:
    table = content.heat
    head = "".join(
        f'<th data-o="{row}" scope="col">{swatch(row)}{escape(heading)}</th>'
        for row, heading in zip(content.order, table.headings[2:], strict=True)
    )
    rows = []
    for problem, row in zip(content.match.problems, table.rows, strict=True):
        cells = "".join(_heat_cell(cell, i) for cell, i in zip(row.cells[2:], content.order, strict=True))
        rows.append(
            f'<tr><th scope="row"><a href="#{content.ids[problem]}">{escape(problem)}</a><small>{escape(content.targets[problem])}</small></th>'
            f'<td class="price">{escape(row.cells[1].text)}</td>{cells}</tr>'
        )
    dense = " dense" if len(content.order) > 14 else ""
    return (
        f'<figure class="full fig-ratios">{_head(no, table.title, [("CSV", f"tables/{table.name}.csv")])}'
        f'<div class="draw scroll"><table class="heat{dense}"><thead><tr><th scope="col">problem</th><th class="price" scope="col">fastest</th>{head}</tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table><div class="none auto" hidden>no optimizer shown</div></div>'
        f"<figcaption>{_with_cost(table.caption)}</figcaption></figure>"
    )


def _heat_cell(cell: Cell, index: int) -> str:
    if cell.text == "–":
        return f'<td data-o="{index}">–</td>'
    value = float(cell.value)
    small = f"<small>{escape(cell.small)}</small>" if cell.small else ""
    if not np.isfinite(value):
        return f'<td data-o="{index}" class="fail">{cell.text}{small}</td>'
    alpha = 0.06 + 0.74 * max(0.0, 1 - math.log2(value) / 4.5) ** 1.5
    color = ";color:#fff" if alpha > 0.6 else ""
    return f'<td data-o="{index}" style="background:rgba(var(--heat),{alpha:.3f}){color}">{cell.text}{small}</td>'


def _with_cost(caption: str) -> str:
    return escape(caption).replace("Median steps", 'Median <span class="cost-word">steps</span>', 1)


def _table_figure(table: Table, no: int, tall: bool = False) -> str:
    heads = []
    for n, heading in enumerate(table.headings):
        classes = " ".join(name for name, on in (("l", n in table.left), ("main", n == table.main)) if on)
        heads.append(f'<th scope="col"{f" class={chr(34)}{classes}{chr(34)}" if classes else ""}><button type="button">{escape(heading)}</button></th>')
    rows = "".join(
        f'<tr data-o="{row.index}">{"".join(_cell(table, row.index, n, cell) for n, cell in enumerate(row.cells))}</tr>'
        for row in table.rows
    )
    unit = ', in <span class="cost-word">steps</span>' if table.by_cost and table.name != "summary" else ""
    head = _head(no, table.title, [("CSV", f"tables/{table.name}.csv")]).replace("</h4>", f"{unit}</h4>", 1)
    by_cost = " by-cost" if table.by_cost else ""
    return (
        f'<figure class="full table-{escape(table.name)}">{head}<div class="scroll{" tall" if tall else ""}"><table class="data{by_cost}">'
        f'<thead><tr>{"".join(heads)}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"<figcaption>{escape(table.caption)}</figcaption></figure>"
    )


def _cell(table: Table, index: int | None, column: int, cell: Cell) -> str:
    value = "" if isinstance(cell.value, float) and not math.isfinite(cell.value) else cell.value
    attributes = [f'data-v="{escape(str(value))}"']
    attributes += [f'data-{cost}="{v!r}"' if math.isfinite(v) else f'data-{cost}=""' for cost, v in cell.costs.items()]
    classes = [name for name, on in (("l", column in table.left), ("best", cell.best), ("edge", cell.edge)) if on]
    named = table.headings[column] == "optimizer"
    if table.headings[column] == "mean rank":
        attributes.append(f'data-mean-rank="{index}"')
    if cell.costs and cell.small:
        attributes.append("data-ert")
    if table.headings[column] in ("fastest on", "not solved"):
        classes.append("wrap")
    if cell.edge:
        attributes.append(f'data-edge="{cell.edge}"')
    if classes:
        attributes.append(f'class="{" ".join(classes)}"')
    small = f'<small{" class=bad" if cell.bad else ""}>{escape(cell.small)}</small>' if cell.small else ""
    text = f"{swatch(index)}<b>{escape(cell.text)}</b>" if named and index is not None else escape(cell.text)
    return f"<td {' '.join(attributes)}>{_bar(cell)}{text}{small}</td>"


def _bar(cell: Cell) -> str:
    if cell.bar is None or not sum(cell.bar):
        return ""
    parts = "".join(f'<i class="{kind}" style="width:{100 * count / sum(cell.bar):.2f}%"></i>' for kind, count in zip("rnd", cell.bar, strict=True))
    return f'<span class="bar" aria-hidden="true">{parts}</span>'


def _provenance(content: Content) -> str:
    parts = ['<dl class="settings">']
    for name, value in content.provenance:
        shown = f"<pre>{escape(value)}</pre>" if "\n" in value else escape(value)
        parts.append(f"<dt>{escape(name)}</dt><dd>{shown}</dd>")
    for name, value in content.configurations:
        parts.append(f"<dt>{escape(name)}</dt><dd><details><summary>show</summary><pre>{escape(value)}</pre></details></dd>")
    parts.append("</dl>")
    if content.failed_runs is not None:
        table = content.failed_runs
        rows = "".join("<tr>" + "".join(f'<td class="l wrap">{escape(cell.text)}</td>' for cell in row.cells) + "</tr>" for row in table.rows)
        heads = "".join(f'<th class="l" scope="col">{escape(h)}</th>' for h in table.headings)
        parts.append(
            f'<h3>{escape(table.title)}</h3><div class="scroll"><table class="data"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        )
    return "".join(parts)


def _data(content: Content) -> str:
    """The numbers that the script needs to rank anew; null stands for never, −1 for not run."""
    match = content.match
    by_pair = {(row["problem"], row["index"]): row for row in content.summary.to_dict("records")}
    count = len(match.contestants)
    families = list(dict.fromkeys(c.family for c in match.contestants))
    problems = []
    for problem in match.problems:
        rows = [by_pair.get((problem, i)) for i in range(count)]
        entry = {"name": problem, "id": content.ids[problem]}
        for cost in COSTS:
            entry[cost] = [-1 if r is None else _finite(r[f"median_{cost}"]) for r in rows]
        for key in ("seeds", "successes", "diverged"):
            entry[key] = [0 if r is None else int(r[key]) for r in rows]
        problems.append(entry)
    data = {
        "names": [c.label for c in match.contestants],
        "families": [families.index(c.family) for c in match.contestants],
        "problems": problems,
        "fewest": content.standing.fewest,
        "q": content.standing.critical,
        "role": content.role,
    }
    # "</script>" inside a name would end the element
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
