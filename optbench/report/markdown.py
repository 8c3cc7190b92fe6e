"""The report as Markdown: the same sentences and tables, for pull requests, terminals and archives."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .content import Content, Place
from .story import Name, Text, Underlined
from .tables import Cell, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def render(content: Content) -> str:
    """The whole report as text. Figures and tables are linked where `export` writes them."""
    blocks = [f"# {plain(content.title)}", plain(content.meta), rich(content.lead)]
    blocks += [f"**{plain(name)}.** {rich(text)}" for name, text in content.facts]
    blocks += [plain(content.reading), "## Ranking"]
    blocks += _places(content.places("ranking"))
    if len(content.match.contestants) > 1:
        blocks += _table(content.heat, [place.figures[0].name for place in content.places("ratios")])
    speed = content.places("profile", "ecdf")
    blocks += ["## Speed", *_places(speed)] if speed else []
    blocks.append("## Problems")
    for problem in content.match.problems:
        about = content.match.about[problem]
        blocks.append(f"### {plain(problem)}")
        if about.get("formula"):
            blocks.append("\n".join(f"    {line}" for line in str(about["formula"]).splitlines()))
        blocks += [plain(str(about.get("summary", ""))), rich(content.verdicts[problem][0])]
        blocks += _places(content.places("convergence", "sensitivity", "trajectories", "schedules", problem=problem))
        blocks += _table(content.runtimes[problem])
        blocks += _places(content.instruments(problem))
    blocks += ["## Optimizers", *_table(content.optimizers)]
    blocks += _places(content.places("schedules", "budget", "step-cost", "memory"))
    blocks += ["## All numbers", *_table(content.summary_table)]
    blocks.append("## Provenance")
    for name, value in content.provenance:
        lines = "\n".join(f"    {line}" for line in value.splitlines())
        blocks.append(f"**{plain(name)}**\n\n{lines}" if "\n" in value else f"**{plain(name)}:** {plain(value)}")
    if content.failed_runs is not None:
        blocks += _table(content.failed_runs)
    return "\n\n".join(block for block in blocks if block) + "\n"


def plain(text: str) -> str:
    """Text in which nothing is taken for markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split(None))) if text else ""


def rich(text: Text) -> str:
    """A sentence; names and what must not be overlooked in bold."""
    parts = []
    for part in text:
        if isinstance(part, Name):
            parts.append(f"**{plain(part.label)}**")
        elif isinstance(part, Underlined):
            parts.append(f"**{plain(part.text)}**")
        else:
            parts.append(_SPECIAL.sub(r"\\\1", part))
    return "".join(parts)


def _places(places: Iterable[Place]) -> list[str]:
    """The first drawing of each place, with links to the others."""
    blocks = []
    for place in places:
        first, *others = place.figures
        blocks.append(f"**{plain(first.title)}**")
        blocks.append(f"![{plain(first.title)}](figures/{first.name}.svg)")
        more = "".join(
            f" · [{plain(_variant(figure.cost, figure.role))}](figures/{figure.name}.svg)" for figure in others
        )
        blocks.append(f"{plain(first.caption)} ([CSV](tables/{first.table}.csv){more})")
    return blocks


def _variant(cost: str, role: str) -> str:
    return ", ".join(
        word
        for word in (f"{role} setting" if role else "", f"over {cost.replace(' ', ' and ')}" if cost else "")
        if word
    )


def _table(table: Table, drawn: Iterable[str] = ()) -> list[str]:
    """A table with links to its files. drawn: file stem of the figure that shows the same."""
    head = "| " + " | ".join(plain(heading) for heading in table.headings) + " |"
    rule = "|" + "|".join(":--" if n in table.left else "--:" for n in range(len(table.headings))) + "|"
    rows = ["| " + " | ".join(_cell(cell) for cell in row.cells) + " |" for row in table.rows]
    svg = "".join(f" · [SVG](figures/{name}.svg)" for name in drawn)
    return [
        f"**{plain(table.title)}**",
        "\n".join([head, rule, *rows]),
        f"{plain(table.caption)} ([CSV](tables/{table.name}.csv){svg})",
    ]


def _cell(cell: Cell) -> str:
    text = plain(cell.text) + (f" {cell.edge}" if cell.edge else "")
    text = f"**{text}**" if cell.best else text
    return f"{text} ({plain(cell.small)})" if cell.small else text
