"""The page in a real browser: switches, recomputed statistics, hovering, and that it asks nothing of any server."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from optbench.report import numbers
from optbench.report.build import write_report


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report, opened afresh; at the end it must have neither complained nor asked for anything."""
    browser.open(report / "index.html")
    yield browser
    assert browser.errors() == []
    assert browser.requests() == []


def visible(page: Any, selector: str) -> int:
    """How many elements of the selector take up room."""
    return page.run(f"[...document.querySelectorAll({selector!r})].filter((e) => e.getClientRects().length).length")


def rail_ranks(page: Any) -> dict[str, str]:
    return page.run(
        "Object.fromEntries([...document.querySelectorAll('.who label')].map((l) => "
        "[l.querySelector('b').textContent, l.querySelector('.rank').textContent]))"
    )


def index_of(page: Any, name: str) -> int:
    return page.run(f"JSON.parse(document.getElementById('data').textContent).names.indexOf({name!r})")


def test_the_page_opens_with_its_title_and_all_its_figures(page: Any, medians: dict) -> None:
    assert page.run("document.title") == "Four optimizers on seven problems"
    # ranking, ratios, profile, ECDF, optimizers, summary; for each problem curves, sensitivity, table; 4 trajectories
    assert page.run("document.querySelectorAll('figure').length") == 6 + 3 * len(medians) + 4
    assert page.run("[...document.querySelectorAll('svg')].every((s) => !s.querySelector('parsererror'))")
    assert visible(page, "figure .variant") == 3 + 2 * len(medians) + 4


def test_clicking_an_optimizer_hides_it_everywhere(page: Any) -> None:
    lion = index_of(page, "lion")
    assert visible(page, f"main [data-o='{lion}']") > 20
    page.click(f".who label[data-i='{lion}'] input")
    assert visible(page, f"main [data-o='{lion}']") == 0
    assert "hide=lion" in page.run("location.search")
    assert page.run("document.querySelector('.notice').innerText").startswith("Showing 3 of 4 optimizers.")
    page.click(".notice button")
    assert visible(page, f"main [data-o='{lion}']") > 20
    assert visible(page, ".notice") == 0


def test_the_ranks_of_a_subset_are_those_that_python_computes(page: Any, medians: dict) -> None:
    kept = ["sgd", "momentum", "adam"]
    page.click(f".who label[data-i='{index_of(page, 'lion')}'] input")
    costs = np.array([[row[name] for name in kept] for row in medians.values()])
    table = stats.rankdata(costs, axis=1)
    assert {name: rail_ranks(page)[name] for name in kept} == {
        name: f"{mean:.2f}" for name, mean in zip(kept, table.mean(axis=0), strict=True)
    }
    p = stats.friedmanchisquare(*np.where(np.isinf(costs), 1e9, costs).T).pvalue
    assert f"Friedman p {numbers.p_value(p)}" in page.run(
        "document.querySelector('.fig-ranking figcaption').textContent"
    )
    cd = stats.studentized_range.ppf(0.95, 3, np.inf) / math.sqrt(2) * math.sqrt(3 * 4 / (6 * 7))
    assert f"(CD {cd:.2f})" in page.run("document.querySelector('.fig-ranking svg').textContent")


def test_the_ratios_of_a_subset_are_to_the_fastest_that_is_shown(page: Any, medians: dict) -> None:
    page.click(f".who label[data-i='{index_of(page, 'adam')}'] input")
    kept = ("momentum", "lion", "sgd")
    rows = page.run(
        "[...document.querySelectorAll('table.heat tbody tr')].map((r) => [...r.cells].filter((c) => "
        "c.getClientRects().length).map((c) => c.firstChild.textContent))"
    )
    heads = page.run(
        "[...document.querySelectorAll('table.heat thead th')].filter((c) => c.getClientRects().length)"
        ".map((c) => c.textContent)"
    )
    for row in rows:
        own = medians[row[0]]
        best = min(own[name] for name in kept)
        for name, shown in zip(heads[2:], row[2:], strict=True):
            assert shown == (numbers.ratio(own[name] / best) if math.isfinite(own[name]) else "0/3")


def test_the_profile_of_a_subset_starts_at_the_wins_and_ends_at_the_solved(page: Any, medians: dict) -> None:
    page.click(f".who label[data-i='{index_of(page, 'adam')}'] input")
    momentum = index_of(page, "momentum")
    d, axes = page.run(
        f"(() => {{ const s = document.querySelector('.fig-profile svg'); return "
        f"[s.querySelector('g.line[data-o=\"{momentum}\"] path').getAttribute('d'), "
        "s.querySelector('.ax').dataset.ax]; })()"
    )
    _, top, _, height, _, _, low, high, *_ = (float(v) if v not in ("log", "linear") else 0.0 for v in axes.split())
    points = [tuple(map(float, pair.split())) for pair in d.removeprefix("M").split("L")]
    level = [low + (top + height - y) / height * (high - low) for _, y in points]
    kept = ("sgd", "momentum", "lion")
    wins = sum(row["momentum"] == min(row[k] for k in kept) < math.inf for row in medians.values())
    solved = sum(math.isfinite(row["momentum"]) for row in medians.values())
    assert level[0] == pytest.approx(wins, abs=0.08)
    assert level[-1] == pytest.approx(solved, abs=0.08)


def test_hovering_names_the_line_and_gives_values_at_that_step(page: Any) -> None:
    page.run("document.querySelector('#problem-beale .fig-convergence').scrollIntoView({block: 'center'})")
    momentum = index_of(page, "momentum")
    # beale, momentum: the gap is 10 · 10^(−3 t / 60); t = 20 gives 1
    x, y = page.run(
        "(() => { const s = document.querySelector('#problem-beale .fig-convergence .variant svg');"
        "const [l, t, w, h, x0, x1, y0, y1] = s.querySelector('.ax').dataset.ax.split(' ').map(Number);"
        "const at = (v, a, b) => (Math.log10(v) - Math.log10(a)) / (Math.log10(b) - Math.log10(a));"
        "const p = new DOMPoint(l + w * at(20, x0, x1), t + h * (1 - at(1, y0, y1))).matrixTransform(s.getScreenCTM());"
        "return [p.x, p.y]; })()"
    )
    page.move(x - 3, y)
    page.move(x, y)
    tip = page.run("document.querySelector('.tip').innerText")
    near = page.run("document.querySelector('.tip tr.near').innerText").split("\t")
    assert tip.splitlines()[0] == "after 20 steps"
    assert near[1] == "momentum"
    assert float(near[2]) == pytest.approx(1.0, rel=0.15)
    assert (
        page.run(f"getComputedStyle(document.querySelector('.draw.focus g.line[data-o=\"{momentum}\"]')).opacity")
        == "1"
    )
    box, drawing = page.run(
        "[document.querySelector('.tip'), document.querySelector('#problem-beale .fig-convergence .draw')]"
        ".map((e) => { const b = e.getBoundingClientRect(); return [b.left, b.right]; })"
    )
    assert box[0] >= drawing[1] or box[1] <= drawing[0]
    page.move(5, 5)
    assert visible(page, ".tip") == 0


def test_hovering_a_row_of_the_ranking_gives_its_ranks(page: Any) -> None:
    x, y = page.run(
        "(() => { const s = document.querySelector('.fig-ranking .variant svg'); s.scrollIntoView({block: 'center'});"
        "const [l, t, w, h] = s.querySelector('.ax').dataset.ax.split(' ').map(Number);"
        "const p = new DOMPoint(l + w / 2, t + h / 8).matrixTransform(s.getScreenCTM()); return [p.x, p.y]; })()"
    )
    page.move(x - 2, y)
    page.move(x, y)
    lines = page.run("document.querySelector('.tip').innerText").replace("\t", " ").split("\n")
    assert "adam 1.64" in " ".join(line.strip() for line in lines)


def test_pointing_at_a_name_in_the_rail_fades_the_others(page: Any) -> None:
    adam = index_of(page, "adam")
    box = page.run(
        f"(() => {{ const b = document.querySelector('.who label[data-i=\"{adam}\"]').getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    page.move(*box)
    opacity = "(i) => getComputedStyle(document.querySelector(`.fig-ecdf g.line[data-o='${i}']`)).opacity"
    assert page.run(f"({opacity})({adam})") == "1"
    assert page.run(f"({opacity})({index_of(page, 'sgd')})") == "0.14"


@pytest.mark.parametrize("cost", ["evaluations", "seconds"])
def test_the_cost_switch_shows_other_drawings_and_other_numbers(page: Any, cost: str) -> None:
    before = page.run("document.querySelector('#problem-beale table.data tbody td[data-ert]').innerText")
    figures = visible(page, "figure .variant")
    page.click(f"input[value={cost}]")
    assert visible(page, "figure .variant") == figures
    assert visible(page, f".variant[data-when-cost~={cost}]") == 3 + 7
    after = page.run("document.querySelector('#problem-beale table.data tbody td[data-ert]').innerText")
    assert ("s" in after.split("\t")[0]) is (cost == "seconds")
    assert (after == before) is (cost == "evaluations")
    assert f"cost={cost}" in page.run("location.search")


def test_the_setting_switch_shows_the_default_curves(page: Any) -> None:
    page.click("input[value=default]")
    assert visible(page, "[data-when-role=default]") == 7
    assert visible(page, "[data-when-role=tuned]") == 0


def test_a_click_on_a_heading_sorts_up_then_down_with_infinities_last(page: Any) -> None:
    column = "#problem-cliff table.data"
    read = f"[...document.querySelectorAll('{column} tbody tr')].map((r) => r.querySelector('b').textContent)"
    heading = f"{column} th:nth-child(4) button"
    page.click(heading)
    assert page.run(read)[:3] == ["lion", "adam", "sgd"]
    assert page.run(f"document.querySelector('{column} th:nth-child(4)').getAttribute('aria-sort')") == "ascending"
    page.click(heading)
    assert page.run(read) == ["sgd", "adam", "lion", "momentum"]


def test_a_family_button_shows_that_family_alone(page: Any) -> None:
    page.click("[data-family='0']")
    assert page.run("new URLSearchParams(location.search).getAll('hide')") == ["adam", "lion"]


def test_with_nobody_shown_every_figure_says_so(page: Any) -> None:
    page.click("[data-show=none]")
    figures = page.run("document.querySelectorAll('figure').length")
    assert visible(page, ".none.auto") == figures
    assert visible(page, ".draw > svg") == 0
    page.click("[data-show=all]")
    assert visible(page, ".none.auto") == 0


def test_one_optimizer_alone_has_no_rank(page: Any) -> None:
    page.click("[data-show=none]")
    page.click(f".who label[data-i='{index_of(page, 'adam')}'] input")
    assert page.run("document.querySelector('.fig-ranking h4').textContent") == "Only adam is shown; a rank needs two"


def test_the_address_brings_the_state_back(browser: Any, report: Path) -> None:
    browser.open(report / "index.html", "?hide=lion&hide=sgd&cost=seconds&setting=default&theme=dark")
    assert browser.run("document.documentElement.dataset.theme") == "dark"
    assert browser.run("document.querySelector('input[value=seconds]').checked")
    assert browser.run("document.body.dataset.role") == "default"
    assert browser.run("document.querySelector('.notice').innerText").startswith("Showing 2 of 4")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert browser.errors() == []


@pytest.mark.parametrize("width", [1400, 800, 500])
def test_nothing_reaches_beyond_the_window(browser: Any, report: Path, width: int) -> None:
    browser.open(report / "index.html", width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.errors() == []


def test_the_script_writes_numbers_as_python_does(page: Any) -> None:
    # the functions are private to the script: ask for them through what they write into the table
    values = [0.157, 1.0, 12.34, 99.96, 999.6, 1336.4, 2.2e-4, 9.96e-5, 0.00996, 1.2e6, 5e-9]
    texts = page.run(
        f"(() => {{ const cell = document.querySelector('td[data-steps]'); const texts = [];"
        f"for (const v of {json.dumps(values)}) {{ cell.dataset.steps = v;"
        "document.querySelector('input[value=steps]').dispatchEvent(new Event('change'));"
        "texts.push(cell.firstChild.textContent); }"
        "return texts; })()"
    )
    assert texts == [numbers.number(v) for v in values]


def test_names_with_markup_are_shown_as_text(browser: Any, make_results: Callable, tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='hacked'>&\"'"
    results = make_results({"beale": {"adam": 30.0, "lion": 40.0}, "mlp": {"adam": 30.0, "lion": 40.0}})
    for frame in (results.runs, results.trials, results.curves):
        frame["optimizer"] = frame["optimizer"].replace("adam", name)
    write_report(results, tmp_path)
    browser.open(tmp_path / "index.html")
    assert browser.run("document.title") == "Two optimizers on two problems"
    assert browser.run("document.querySelector('.who b').textContent") == name
    browser.click(".who label[data-i='0'] input")
    browser.click(".who label[data-i='0'] input")
    browser.click(".who label[data-i='1'] input")
    assert browser.run("new URLSearchParams(location.search).get('hide')") == "lion"
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.title") == "Two optimizers on two problems"
    assert browser.errors() == []


@pytest.mark.parametrize(
    "medians",
    [
        pytest.param({"beale": {"adam": 30.0}}, id="one optimizer"),
        pytest.param({f"p{n}": {"adam": math.inf, "sgd": math.inf} for n in range(7)}, id="nobody solves anything"),
        pytest.param(
            {f"p{n}": {f"o{i}": 10.0 + i + n for i in range(40)} for n in range(2)},
            id="forty optimizers",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_unusual_result_sets_make_a_page_that_works(
    browser: Any, make_results: Callable, tmp_path: Path, medians: dict
) -> None:
    write_report(make_results(medians), tmp_path)
    browser.open(tmp_path / "index.html")
    browser.click(".who label[data-i='0'] input")
    browser.click(".who label[data-i='0'] input")
    browser.click("input[value=seconds]")
    assert browser.run("document.documentElement.scrollWidth") <= 1400
    assert browser.errors() == []
    assert browser.requests() == []


def test_it_prints_in_light_colours_without_the_rail(browser: Any, report: Path) -> None:
    browser.open(report / "index.html", "?theme=dark")
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert visible(browser, ".rail") == 0
    browser.call("Emulation.setEmulatedMedia", media="")
    assert browser.pdf().startswith(b"%PDF-")
