"""From a matplotlib figure to a small SVG that follows the page's colours and can be switched by its script.

matplotlib's own output is complete but four times as large, holds fixed colours and fonts, and repeats ids between
figures. It is parsed and written anew: colours become CSS variables, names of artists become classes, ids carry the
figure's name.

An artist's gid "line|o3" becomes `<g class="line" data-o="3">`; further parts are attributes: "label|o3;y=120.5" adds
`data-y="120.5"`. "class|target" becomes a class alone, "ax|…" the limits of a panel, `data-ax="…"`.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from html import escape
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing

from .theme import VARIABLES, Theme

FONTS = ("Inter", "Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans")
FAMILY = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_NUMBER = re.compile(r"-?[\d.]+(?:e-?\d+)?")
_DEFAULTS = {
    ("stroke-dashoffset", "0"),
    ("stroke-linejoin", "miter"),
    ("stroke-linecap", "butt"),
    ("stroke-width", "1"),
    ("stroke-opacity", "1"),
    ("text-anchor", "start"),
    ("font-weight", "400"),
    ("font-style", "normal"),
    ("opacity", "1"),
}


def _style() -> dict[Any, Any]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "optbench",
        "pdf.fonttype": 3,  # 42 is six times as slow
        "font.family": [font for font in FONTS if font in installed],
        "axes.unicode_minus": True,
        "path.simplify_threshold": 0.2,
    }


STYLE = _style()
"""matplotlib settings under which figures are drawn and written: `with mpl.rc_context(STYLE)`."""


def page_svg(drawing: Drawing, name: str, title: str) -> str:
    """The drawing, made with the theme PAGE, as SVG text for the page.

    Args:
        drawing: a figure with 72 dots an inch, so that a point, a pixel and a unit of the viewBox are one.
        name: prefix of every id.
        title: read out by screen readers.
    """
    root = ElementTree.fromstring(_raw(drawing))
    body = "".join(_Writer(name).write(root))
    head = f'viewBox="{root.get("viewBox")}" role="img" aria-label="{escape(title)}" stroke-linejoin="round"'
    return f"<svg {head}>{body}</svg>"


def file_svg(svg: str, theme: Theme) -> str:
    """A page's SVG as a file that stands alone: the theme's colours in place of the variables."""
    pairs = [(f"var(--c{i})", c) for i, c in enumerate(theme.lines)] + [
        (f"var(--t{i})", c) for i, c in enumerate(theme.texts)
    ]
    for variable, color in [
        *pairs,
        *((f"var(--{key})", getattr(theme, key)) for key in ("ink", "muted", "grid", "bg", "failure")),
    ]:
        svg = svg.replace(f'"{variable}"', f'"{color}"')
    svg = svg.replace('"rgb(var(--heat))"', f'"{theme.heat}"')
    box = re.search(r'viewBox="([\d. ]+)"', svg)
    width, height = box.group(1).split()[2:] if box else ("530", "376")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="{FAMILY}" '
    opening, rest = svg.removeprefix("<svg ").split(">", 1)
    return f'{head}{opening}><rect width="{width}" height="{height}" fill="{theme.bg}"/>{rest}\n'


def write_pdf(drawing: Drawing) -> bytes:
    """The drawing as a PDF file, without a time stamp."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a name in a script that no font here has
        drawing.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
    return buffer.getvalue()


def _raw(drawing: Drawing) -> str:
    buffer = io.StringIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        FigureCanvasSVG(drawing).print_svg(buffer, metadata=_METADATA)
    return buffer.getvalue()


class _Writer:
    """Writes an element and what lies in it; short ids are given in the order of appearance."""

    def __init__(self, name: str):
        self.name = name
        self.ids: dict[str, str] = {}

    def write(self, parent: ElementTree.Element) -> Iterator[str]:
        for element in parent:
            tag = element.tag.rpartition("}")[2]
            if tag in ("style", "metadata") or element.tag is ElementTree.Comment:
                continue
            inner = "".join(self.write(element))
            attributes = self.attributes(tag, element)
            if tag in ("g", "defs") and not inner:
                continue
            if tag == "g" and not attributes:
                yield inner
            elif tag == "text":
                yield f"<text{attributes}>{escape(element.text or '', quote=False)}</text>"
            else:
                yield f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"

    def attributes(self, tag: str, element: ElementTree.Element) -> str:
        found: dict[str, str] = {}
        for key, value in element.attrib.items():
            key = key.rpartition("}")[2]
            if key == "id":
                found |= self.named(tag, value)
            elif key == "d":
                found["d"] = short_path(value)
            elif key == "href":
                found["href"] = "#" + self.short_id(value[1:])
            elif key == "clip-path":
                found[key] = f"url(#{self.short_id(value[5:-1])})"
            elif key == "style":
                found |= _properties(value)
            elif key in ("x", "y", "width", "height"):
                found[key] = _short(float(value))
            elif key == "transform" and not value.startswith("rotate(-0 "):
                found[key] = _NUMBER.sub(lambda match: _short(float(match.group())), value)
        return "".join(f' {key}="{escape(value)}"' for key, value in found.items())

    def named(self, tag: str, value: str) -> dict[str, str]:
        """The attributes behind an id: a short id, or class and data of a group whose artist has a gid of ours."""
        if tag != "g":
            return {"id": self.short_id(value)}
        kind, bar, rest = value.partition("|")
        if not bar:
            return {}
        if kind == "class":
            return {"class": rest}
        if kind == "ax":
            return {"class": "ax", "data-ax": rest}
        index, *extras = rest.removeprefix("o").split(";")
        return {"class": kind, "data-o": index} | {
            f"data-{k}": v for k, _, v in (extra.partition("=") for extra in extras)
        }

    def short_id(self, value: str) -> str:
        return self.ids.setdefault(value, f"{self.name}-{len(self.ids)}")


def _properties(style: str) -> dict[str, str]:
    """A style as presentation attributes, which need no permission in a Content-Security-Policy."""
    found = {}
    for item in style.split(";"):
        key, _, value = (part.strip() for part in item.partition(":"))
        value = VARIABLES.get(value, value)
        if not key or key == "font-family" or (key, value) in _DEFAULTS:
            continue
        if key in ("stroke-width", "font-size"):
            value = f"{float(value.removesuffix('px')):g}"
        found[key] = value.replace(",", " ") if key == "stroke-dasharray" else value
    return found


def _short(value: float) -> str:
    """At most one decimal, no zeros that carry nothing."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def short_path(d: str) -> str:
    """A path with relative commands and one decimal; rounding does not add up along it.

    Every stretch begins with an absolute M, so that lines read `M x y l dx dy dx dy …`.
    """
    out: list[str] = []
    at = start = (0, 0)
    last = ""
    for command, numbers in re.findall(r"([MLCQzZ])([^MLCQzZ]*)", d):
        if command in "zZ":
            out.append("z")
            at, last = start, "z"
            continue
        values = [round(10 * float(v)) for v in numbers.split()]
        points = list(zip(values[::2], values[1::2], strict=True))
        if command == "M":
            at = start = points[0]
            out.append(f"M{_tenths(at[0])} {_tenths(at[1])}")
            last = "M"
            continue
        steps = [(x - at[0], y - at[1]) for x, y in points]
        at = points[-1]
        relative = command.lower()
        text = " ".join(f"{_tenths(x)} {_tenths(y)}" for x, y in steps)
        out.append(f" {text}" if relative == last else relative + text)
        last = relative
    return "".join(out).replace(" -", "-")


def _tenths(value: int) -> str:
    whole, tenth = divmod(abs(value), 10)
    return ("-" if value < 0 else "") + (f"{whole}.{tenth}" if tenth else str(whole))
