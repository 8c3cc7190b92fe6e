"""The page, the Markdown file and the exported files, parsed."""

import base64
import csv
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from optbench.report.build import write_report
from optbench.report.content import compose
from optbench.report.markdown import render as markdown
from optbench.report.page import render as page

VOID = {"meta", "link", "input", "br", "hr", "img"}
HOSTILE = "</script><script>alert(1)</script>\"'&<b>|*_"


class Parsed(HTMLParser):
    """The elements of a page, and whether every one of them is closed."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(report: Path) -> str:
    return (report / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text: str) -> Parsed:
    return Parsed(text)


def test_every_element_is_closed_and_every_id_is_unique(parsed: Parsed) -> None:
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_holds_every_place_of_every_problem(parsed: Parsed, medians: dict) -> None:
    figures = parsed.of("figure")
    kinds = [next(c for c in str(f["class"]).split() if c.startswith(("fig-", "table-"))) for f in figures]
    two_dimensional = 4
    expected = {
        "fig-ranking": 1, "fig-ratios": 1, "fig-profile": 1, "fig-ecdf": 1, "fig-convergence": len(medians),
        "fig-sensitivity": len(medians), "fig-trajectories": two_dimensional, "table-optimizers": 1, "table-summary": 1,
    }  # fmt: skip
    assert {kind: kinds.count(kind) for kind in expected} == expected
    assert sum(kind.endswith("-runtime") for kind in kinds) == len(medians)


def test_nothing_in_the_page_can_be_asked_of_a_server(parsed: Parsed, text: str) -> None:
    links = [a["href"] for a in parsed.of("a")] + [a.get("href") for a in parsed.of("link")]
    assert all(not re.match(r"(\w+:)?//", str(link)) for link in links)
    assert not any("src" in attributes for _, attributes in parsed.elements)
    assert "url(http" not in text
    assert "@import" not in text


def test_the_policy_forbids_everything_but_what_is_in_the_page(parsed: Parsed, text: str) -> None:
    policy = next(m["content"] for m in parsed.of("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    script = re.search(r"<script>(.*?)</script>", text, re.S)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_every_link_to_a_file_leads_to_one(parsed: Parsed, report: Path) -> None:
    links = {str(a["href"]) for a in parsed.of("a") if not str(a["href"]).startswith("#")}
    assert len(links) > 100
    missing = [link for link in links if not (report / link).stat().st_size]
    assert missing == []


def test_every_link_within_the_page_leads_somewhere(parsed: Parsed) -> None:
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    links = {str(a["href"])[1:] for a in parsed.of("a") if str(a["href"]).startswith("#")}
    assert links <= ids


def test_the_numbers_in_the_page_are_those_of_the_results(text: str, medians: dict) -> None:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    data = json.loads(found.group(1))
    for problem in data["problems"]:
        row = medians[problem["name"]]
        assert problem["steps"] == [None if np.isinf(row[name]) else row[name] for name in data["names"]]


def test_provenance_says_what_was_run_and_on_what(parsed: Parsed) -> None:
    words = " ".join(parsed.words)
    for fact in (
        "optbench run suite=made_up",
        "versions.torch: 2.13.0",
        "commit: abc1234",
        "threads: 1",
        "evaluation 0 to 2",
    ):
        assert fact in words


def test_every_figure_says_in_a_sentence_what_it_shows(parsed: Parsed, text: str) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text, re.S)
    variants = sum(attributes.get("class") == "variant" for attributes in parsed.of("div"))
    tables = sum("variant" not in part for part in re.findall(r"<figure.*?</figure>", text, re.S))
    assert len(captions) == variants + tables
    assert all(len(caption) > 60 and "." in caption for caption in captions)


def test_names_that_hold_markup_stay_names(make_results: Callable) -> None:
    results = make_results({"beale": {"adam": 30.0, "lion": 40.0}})
    for frame in (results.runs, results.trials, results.curves):
        frame["optimizer"] = frame["optimizer"].replace("adam", HOSTILE)
        frame["problem"] = f"beale{HOSTILE}"
    content = compose(results, title=HOSTILE, source=HOSTILE)
    parsed = Parsed(page(content))
    assert parsed.open == []
    assert len(parsed.of("script")) == 2
    assert parsed.of("b") != []
    assert not any("alert" in key for _, attributes in parsed.elements for key in attributes)
    assert HOSTILE in "".join(parsed.words)
    written = markdown(content)
    assert "<script>" not in written.replace(r"\<script\>", "")
    for lines in _tables(written):
        assert len({line.count("|") - line.count(r"\|") for line in lines}) == 1


def _tables(written: str) -> list[list[str]]:
    blocks = [block.splitlines() for block in written.split("\n\n")]
    return [block for block in blocks if block and block[0].startswith("| ")]


def test_markdown_holds_the_sentences_the_tables_and_the_figures(report: Path, parsed: Parsed) -> None:
    written = (report / "report.md").read_text(encoding="utf-8")
    assert written.startswith("# Four optimizers on seven problems\n")
    assert "**adam** has the best mean rank by steps to the target, " in written
    assert "Nobody solves rastrigin." in written
    images = re.findall(r"!\[.*?\]\((.*?)\)", written)
    assert len(images) == sum("fig-" in str(f["class"]) for f in parsed.of("figure")) - 1
    linked = images + re.findall(r"\]\(((?:figures|tables)/.*?)\)", written)
    assert all((report / link).exists() for link in linked)
    assert len(_tables(written)) == 1 + 7 + 1 + 1
    for lines in _tables(written):
        assert len({line.count("|") - line.count(r"\|") for line in lines}) == 1


def test_csv_files_hold_the_frames_to_the_last_digit(make_results: Callable, tmp_path: Path) -> None:
    results = make_results({"beale": {"adam": 30.0, "sgd": np.inf}, "mlp": {"adam": 77.0, "sgd": 33.0}})
    write_report(results, tmp_path)
    content = compose(results)
    frames = {table.name: table.frame for table in content.tables} | {f.table: f.data for f in content.figures}
    for name, frame in frames.items():
        with (tmp_path / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            heads, *rows = csv.reader(file)
        assert heads == list(map(str, frame.columns))
        assert len(rows) == len(frame)
        for column, (_, values) in zip(zip(*rows, strict=True), frame.items(), strict=True):
            assert [_value(text) for text in column] == [_value(str(value)) for value in values]


def _value(text: str) -> float | str:
    """A number as a number, NaN as nothing, all else as text."""
    try:
        return float(text) if text != "nan" else ""
    except ValueError:
        return text


def test_files_have_the_kind_their_names_promise(report: Path) -> None:
    drawings, papers = sorted((report / "figures").glob("*.svg")), sorted((report / "figures").glob("*.pdf"))
    assert [p.stem for p in drawings] == [p.stem for p in papers]
    for drawing in drawings:
        assert drawing.read_text(encoding="utf-8").startswith("<svg xmlns=")
        assert "var(--" not in drawing.read_text(encoding="utf-8")
    assert all(paper.read_bytes().startswith(b"%PDF-") for paper in papers)


def test_the_same_results_give_the_same_page(make_results: Callable) -> None:
    results = make_results({"beale": {"adam": 30.0, "sgd": 60.0}})
    assert page(compose(results)) == page(compose(results))


def test_the_page_of_seven_problems_stays_below_two_megabytes(report: Path) -> None:
    assert (report / "index.html").stat().st_size < 2e6


@pytest.mark.parametrize("tuned", [True, False])
def test_the_switch_between_settings_is_there_only_when_there_are_two(make_results: Callable, tuned: bool) -> None:
    text = page(compose(make_results({"beale": {"adam": 30.0, "sgd": 60.0}}, tuned=tuned)))
    assert ('name="role"' in text) is tuned
    assert f'data-role="{"tuned" if tuned else "default"}"' in text


def test_a_report_needs_neither_torch_nor_pyplot() -> None:
    line = (
        "import sys, optbench.report.page, optbench.report.markdown, optbench.report.export, optbench.report.load;"
        "print([m for m in ('torch', 'matplotlib.pyplot', 'scipy.stats', 'hydra') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.slow
def test_several_processes_write_the_files_that_one_does(make_results: Callable, tmp_path: Path) -> None:
    # this process holds torch and must not fork; a fresh one may
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import conftest; "
        "from optbench.report.build import write_report; "
        "write_report(conftest.made_up(), sys.argv[2]); print('torch' in sys.modules)"
    )
    here = [sys.executable, "-W", "error", "-c", code, str(Path(__file__).parent), str(tmp_path / "several")]
    done = subprocess.run(here, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    write_report(make_results(), tmp_path / "one")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert files == sorted(path.relative_to(tmp_path / "several") for path in (tmp_path / "several").rglob("*.*"))
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "several" / file).read_bytes(), file
