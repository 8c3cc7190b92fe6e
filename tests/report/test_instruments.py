"""What the report shows of instruments, from results whose numbers are known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from optbench.report.build import write_report
from optbench.report.figures import draw_all
from optbench.report.figures.measures import even_ticks, quartile_curve
from optbench.report.figures.surfaces import Plane, levels
from optbench.statistics.contest import contest
from optbench.statistics.summary import summarise

LEVEL = {"sgd": 1.0, "momentum": 10.0, "adam": 100.0, "lion": 1000.0}


class Measured:
    """The made-up results with instruments: gradient_norm = LEVEL (1 + seed), its layers ten times less and more."""

    def __init__(self, made):
        self.sweeps, self.hits, self.trials = made.sweeps, made.hits, made.trials
        told = {
            "gradient_norm": {"summary": "Length of the gradient.", "formula": "‖g‖", "columns": ["gradient_norm"]},
            "loss_line": {"summary": "The line.", "formula": "", "columns": []},
            "loss_plane": {"summary": "The plane.", "formula": "", "columns": []},
        }
        self.runs = made.runs.copy()
        self.runs["about"] = [json.dumps(json.loads(a) | {"instruments": told}) for a in self.runs["about"]]
        self.curves = made.curves.copy()
        value = self.curves["optimizer"].map(LEVEL) * (1 + self.curves["seed"])
        on_network = self.curves["problem"] == "mlp"
        self.curves["gradient_norm"] = value
        for layer, factor in (("<in>.weight", 0.1), ("out.weight", 10.0)):
            self.curves[f"gradient_norm.{layer}"] = (value * factor).where(on_network)
        parts = []
        for run_id, trial, seed, optimizer, role in self.trials[
            ["run_id", "trial", "seed", "optimizer", "role"]
        ].itertuples(index=False):
            if role == "tuning":
                continue
            alpha, height = np.linspace(-0.25, 1.25, 7), LEVEL[optimizer]
            shared = {"run_id": run_id, "trial": trial}
            line = {"instrument": "loss_line", "alpha": alpha, "beta": 0.0}
            parts.append(pd.DataFrame({**shared, **line, "other": -1, "objective": height * (2 - alpha)}))
            if seed < 2:
                between = {"other": trial + 1, "objective": height * (1 + seed)}
                parts.append(pd.DataFrame({**shared, **line, **between}))
            if seed == 0:
                a, b = (v.ravel() for v in np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5)))
                plane = {"instrument": "loss_plane", "other": -1, "alpha": a, "beta": b}
                parts.append(pd.DataFrame({**shared, **plane, "objective": height * (0.1 + a**2 + 3 * b**2)}))
        self.slices = pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def measured(make_results):
    medians = {p: {"sgd": 100, "momentum": 50, "adam": 25, "lion": 40} for p in ("saddle", "mlp")}
    return Measured(make_results(medians))


@pytest.fixture(scope="module")
def figures(measured):
    match = contest(measured)
    return {f.name: f for f in draw_all(match, summarise(match))}


@pytest.fixture(scope="module")
def out(measured, tmp_path_factory):
    folder = tmp_path_factory.mktemp("instruments")
    write_report(measured, folder, source="made up")
    return folder


def test_a_measure_is_the_median_and_the_middle_half_of_the_seeds(figures):
    data = figures["saddle-gradient-norm"].data.set_index("contestant")
    for optimizer, level in LEVEL.items():
        row = data.loc[optimizer].iloc[3]
        assert row["gradient_norm_median"] == 2 * level  # of 1, 2 and 3 times the level
        assert (row["gradient_norm_q1"], row["gradient_norm_q3"]) == (1.5 * level, 2.5 * level)


def test_layers_have_a_panel_an_optimizer_and_a_line_a_layer(figures):
    assert "saddle-gradient-norm-layers" not in figures
    figure = figures["mlp-gradient-norm-layers"]
    assert figure.width == "full"
    assert figure.svg.count('class="line"') == 4 * 2
    assert figure.svg.count('data-layer="&lt;in&gt;.weight"') == 4
    assert figure.svg.count("data-ax=") == 4
    data = figure.data.set_index(["contestant", "layer"])["gradient_norm_median"]
    assert data.loc["adam", "<in>.weight"].iloc[0] == pytest.approx(20.0)
    assert data.loc["adam", "out.weight"].iloc[0] == pytest.approx(2000.0)


def test_lines_lead_from_the_start_and_between_solutions(figures):
    own = figures["mlp-loss-line"].data
    ends = own[own["contestant"] == "adam"].set_index("alpha")["objective_median"]
    assert (ends[0.0], ends[1.0]) == pytest.approx((200.0, 100.0))
    between = figures["mlp-loss-between"].data
    assert between.loc[between["contestant"] == "lion", "objective_median"].tolist() == pytest.approx([1500.0] * 7)


def test_planes_are_drawn_with_the_same_levels_for_everybody(figures):
    figure = figures["mlp-loss-plane"]
    assert figure.svg.count("data-ax=") == 4
    assert figure.svg.count('class="solution"') == 4
    depth = {i: figure.svg.count(f'class="level" data-o="{i}"') for i in range(4)}
    assert depth[0] > depth[1] > depth[2] > depth[3]  # the lowest optimizer lies in the most levels
    data = figure.data[figure.data["contestant"] == "adam"]
    assert data["objective"].tolist() == pytest.approx(
        (100 * (0.1 + data["alpha"] ** 2 + 3 * data["beta"] ** 2)).tolist()
    )


def test_every_figure_of_an_instrument_is_in_the_page_the_markdown_and_the_files(figures, out):
    page, text = ((out / name).read_text() for name in ("index.html", "report.md"))
    looked = [name for name, f in figures.items() if f.kind.startswith(("measure-", "layers-", "loss-"))]
    assert len(looked) == 2 * (2 * 4 + 1)  # roles × (problems × (measure, two lines, plane) + layers of the network)
    for name in looked:
        assert f'data-name="{name}"' in page
        assert f"figures/{name}.svg" in text
        assert figures[name].caption.endswith(".")
        for file in (f"figures/{name}.svg", f"figures/{name}.pdf", f"tables/{figures[name].table}.csv"):
            assert (out / file).stat().st_size > 100
    assert "Length of the gradient. ‖g‖." in page


def test_without_instruments_there_is_nothing_of_them(make_results):
    match = contest(make_results({"saddle": {"sgd": 10, "adam": 20}}))
    assert not [f for f in draw_all(match, summarise(match)) if f.kind.startswith(("measure-", "layers-", "loss-"))]


def test_quartiles_are_those_of_numpy_over_the_seeds_that_have_a_value():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 5))
    table[1, 0] = table[2, :2] = np.nan
    table[3, :3] = np.inf  # fewer than half are left
    table[4] = np.nan
    found = quartile_curve(0, "", np.arange(6), table)
    assert found.steps.tolist() == [0, 1, 2, 5]
    for step, *own in zip(found.steps, found.low, found.middle, found.high, strict=True):
        assert own == pytest.approx(np.nanquantile(table[step], [0.25, 0.5, 0.75]).tolist())


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7), (1e-9, 4e-9), (990, 1010), (-1e6, 5)])
def test_even_ticks_are_round_and_lie_within(low, high):
    ticks = even_ticks(low, high, 5)
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-9 * abs(low) <= t <= high + 1e-9 * abs(high) for t in ticks)
    assert np.ptp(np.diff(ticks)) < 1e-9 * (high - low)


@pytest.mark.parametrize("values", [[1.0, 1e9], [-2.0, 5.0], [0.0, 0.0], [3.0, 3.1], [-5.0, -1.0], [np.nan, 2.0]])
def test_levels_ascend_within_what_was_measured(values):
    found = levels([Plane(0, np.arange(2.0), np.arange(1.0), np.array([values]))])
    assert len(found) == 9
    assert (np.diff(found) > 0).all()
    assert found[0] > np.nanmin(values)


def test_in_the_page_layers_are_told_by_name_and_follow_the_optimizers_shown(browser, out):
    browser.open(out / "index.html", query="?hide=sgd")
    figure = "document.querySelector('.fig-layers-gradient-norm .variant[data-when-role=tuned]')"
    box = browser.run(
        f"(() => {{ const f = {figure}; f.scrollIntoView({{block: 'center'}});"
        " const r = f.querySelectorAll('g.frame')[1].getBoundingClientRect(); return [r.x + r.width / 2, r.y - 30]; })()"
    )
    left = browser.run(f"{figure}.querySelector('svg').getBoundingClientRect().x")
    assert box[0] - left < 330  # momentum has moved to the first place
    browser.move(*box)
    told = browser.run("document.querySelector('.tip').innerText")
    assert "momentum" in told
    assert "<in>.weight: " in told
    assert "out.weight: " in told
    assert "sgd" not in told
    assert "steps" in told
    assert browser.errors() == []
