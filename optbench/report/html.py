"""Pieces of HTML: names, swatches, tables. Whatever comes from results is escaped here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from .figures.heat import shade
from .numbers import MISSING
from .story import Name, Text, Underlined
from .tables import Cell, Table
from .theme import DASHES

NOBODY = '<div class="none auto">no optimizer shown</div>'


def attributes(pairs: Mapping[str, str | bool]) -> str:
    """Attributes of an element, each with a leading space; empty or False: left out; True: without value."""
    words = (f" {key}" if value is True else f' {key}="{escape(str(value))}"' for key, value in pairs.items() if value)
    return "".join(words)


def tag(name: str, inside: str, **pairs: str | bool) -> str:
    """An element around HTML; `class_` stands for class, `data_v` for data-v."""
    named = {key.rstrip("_").replace("_", "-"): value for key, value in pairs.items()}
    return f"<{name}{attributes(named)}>{inside}</{name}>"


def rich(text: Text) -> str:
    """A sentence as HTML."""
    parts = []
    for part in text:
        if isinstance(part, Name):
            parts.append(tag("b", escape(part.label), class_=f"name t{part.index % 8}"))
        elif isinstance(part, Underlined):
            parts.append(tag("u", escape(part.text)))
        else:
            parts.append(escape(part))
    return "".join(parts)


def swatch(index: int) -> str:
    """A short line in the colour and dash of a contestant."""
    dashes = " ".join(f"{2.2 * part:g}" for part in DASHES[(index + index // 8) % len(DASHES)])
    line = attributes(
        {"x1": "0", "y1": "3", "x2": "26", "y2": "3", "stroke-width": "2.4", "stroke-dasharray": dashes,
         "stroke": f"var(--c{index % 8})"}
    )  # fmt: skip
    return f'<svg class="sw-line" width="26" height="6" viewBox="0 0 26 6" aria-hidden="true"><line{line}/></svg>'


def head(number: int, title: str, files: str) -> str:
    """What stands above a figure: its number, title (HTML) and files (HTML, see `file_links`)."""
    return tag("div", tag("span", str(number), class_="no") + tag("h4", title) + files, class_="head")


def file_links(links: Iterable[tuple[str, str]], **pairs: str | bool) -> str:
    """Links to files: what they are and where. pairs: attributes of what holds them."""
    return tag("span", "".join(tag("a", kind, href=path) for kind, path in links), class_="files", **pairs)


def heat(table: Table, order: Sequence[int], links: Sequence[tuple[str, str]]) -> str:
    """The heat map as an HTML table. links: place in the page and target of each row's problem."""
    heads = "".join(
        tag("th", swatch(i) + escape(heading), scope="col", data_o=str(i), title=heading)
        for i, heading in zip(order, table.headings[2:], strict=True)
    )
    rows = []
    for row, (place, target) in zip(table.rows, links, strict=True):
        name = f'<a href="#{escape(place)}">{escape(row.cells[0].text)}</a>' + tag("small", escape(target))
        price = tag("td", escape(row.cells[1].text), class_="price")
        cells = "".join(_heat_cell(cell, i) for cell, i in zip(row.cells[2:], order, strict=True))
        rows.append(tag("tr", tag("th", name, scope="row") + price + cells))
    first = tag("th", "problem", scope="col") + tag("th", "fastest", scope="col", class_="price")
    inside = tag("thead", tag("tr", first + heads)) + tag("tbody", "".join(rows))
    classes = "heat dense" if len(order) > 14 else "heat"
    return tag("table", inside, class_=classes, style=f"--cell:{76 / max(len(order), 1):.2f}%")


def _heat_cell(cell: Cell, index: int) -> str:
    value = float(cell.value)
    if cell.text == MISSING:
        return tag("td", MISSING, data_o=str(index))
    inside = escape(cell.text) + (tag("small", escape(cell.small)) if cell.small else "")
    if not math.isfinite(value):
        return tag("td", inside, data_o=str(index), class_="fail")
    alpha = shade(value)
    white = ";color:#fff" if alpha > 0.6 else ""
    return tag("td", inside, data_o=str(index), style=f"background:rgba(var(--heat),{alpha:.3f}){white}")


def data_table(table: Table) -> str:
    """A table whose columns can be sorted and whose rows belong to contestants."""
    heads = "".join(
        tag("th", tag("button", escape(heading), type="button"), scope="col", class_=_column(table, n))
        for n, heading in enumerate(table.headings)
    )
    rows = "".join(
        tag("tr", "".join(_cell(table, row.index, n, cell) for n, cell in enumerate(row.cells)), **_owner(row.index))
        for row in table.rows
    )
    inside = tag("thead", tag("tr", heads)) + tag("tbody", rows)
    return tag("table", inside, class_="data by-cost" if table.by_cost else "data")


def _owner(index: int | None) -> dict[str, str | bool]:
    return {} if index is None else {"data_o": str(index)}


def _column(table: Table, n: int) -> str:
    return " ".join(name for name, on in (("l", n in table.left), ("main", n == table.main)) if on)


def _cell(table: Table, index: int | None, column: int, cell: Cell) -> str:
    heading = table.headings[column]
    endless = isinstance(cell.value, float) and not math.isfinite(cell.value)
    marks = (("l", column in table.left), ("wrap", heading in table.wrapped), ("best", cell.best), ("edge", cell.edge))
    pairs: dict[str, str | bool] = {
        "class": " ".join(name for name, on in marks if on),
        "data-edge": cell.edge,
        "data-ert": bool(cell.costs and cell.small),
        "data-mean-rank": str(index) if heading == "mean rank" else "",
    }
    costs = "".join(
        f' data-{cost}="{value!r}"' if math.isfinite(value) else f' data-{cost}=""'
        for cost, value in cell.costs.items()
    )
    value = "" if endless else escape(str(cell.value))
    small = tag("small", escape(cell.small), class_="bad" if cell.bad else "") if cell.small else ""
    text = escape(cell.text)
    if heading == "optimizer" and index is not None:
        text = swatch(index) + tag("b", text)
    return f'<td{attributes(pairs)} data-v="{value}"{costs}>{_bar(cell)}{text}{small}</td>'


def _bar(cell: Cell) -> str:
    if cell.bar is None or not sum(cell.bar):
        return ""
    shares = zip("rnd", (100 * count / sum(cell.bar) for count in cell.bar), strict=True)
    parts = "".join(tag("i", "", class_=kind, style=f"width:{share:.2f}%") for kind, share in shares)
    return f'<span class="bar" aria-hidden="true">{parts}</span>'
