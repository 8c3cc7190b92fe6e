"""Every figure, over results of every kind: drawable, well-formed, free of clashes and of what names might inject."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from optbench.report.figures import draw_all, focus
from optbench.report.figures.figure import COSTS
from optbench.report.svg import file_svg, write_pdf
from optbench.report.theme import DARK, LIGHT
from optbench.statistics.contest import contest
from optbench.statistics.summary import summarise

NEVER = np.inf
MANY = {f"problem {j}": {f"optimizer number {i}": 10.0 + (i * 7 + j * 3) % 41 for i in range(40)} for j in range(2)}


def drawn(results):
    match = contest(results)
    return draw_all(match, summarise(match))


@pytest.fixture(scope="module")
def figures(make_results):
    return drawn(make_results(diverged=[("rosenbrock", "sgd")]))


def of(figures, kind, **wanted):
    found = [
        f
        for f in figures
        if f.kind == kind and all(v in getattr(f, k).split() or v == getattr(f, k) for k, v in wanted.items())
    ]
    assert found, (kind, wanted)
    return found[0]


def check(figures):
    """What holds for every figure of every result set."""
    names = [f.name for f in figures]
    assert len(set(names)) == len(names)
    ids = []
    for figure in figures:
        assert re.fullmatch(r"[a-z0-9-]+", figure.name)
        assert figure.title
        assert figure.caption.endswith(".")
        assert figure.width in ("full", "half")
        assert "nan" not in figure.svg.lower()
        assert not re.search(r'="[^"]*\binf\b', figure.svg)
        assert "style=" not in figure.svg  # a strict Content-Security-Policy forbids style attributes
        root = ElementTree.fromstring(figure.svg)
        assert root.get("viewBox").split()[2] == ("1060" if figure.width == "full" else "530")
        own = [e.get("id") for e in root.iter() if e.get("id")]
        assert all(i.startswith(figure.name + "-") for i in own)
        ids += own
        for element in root.iter():
            for key, value in element.attrib.items():
                assert not value.startswith("#") or key == "href", (figure.name, key, value)  # colours are variables
            if element.get("href"):
                assert element.get("href")[1:] in own
            if element.get("clip-path"):
                assert element.get("clip-path")[5:-1] in own
            if element.get("data-ax"):
                *numbers, xscale, yscale = element.get("data-ax").split()
                assert len(numbers) == 8
                assert np.isfinite([float(v) for v in numbers]).all()
                assert {xscale, yscale} <= {"log", "linear"}
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"tuned": False},
        {"medians": {"rosenbrock": {"adam": 20}}},
        {"medians": {"mlp": {"adam": 20, "sgd": 30}}},
        {"medians": {"rosenbrock": {"adam": NEVER, "sgd": NEVER}, "mlp": {"adam": NEVER, "sgd": NEVER}}},
        {
            "medians": {"rosenbrock": {"adam": 20, "sgd": 30}, "mlp": {"adam": 20, "sgd": 30}},
            "diverged": [(p, o) for p in ("rosenbrock", "mlp") for o in ("adam", "sgd")],
        },
        {
            "medians": {"rosenbrock": {"adam": 20, "sgd": 30}, "beale": {"adam": 20, "broken": 3}},
            "errors": {("beale", "broken"): "boom"},
        },
        {"medians": {"<b>x</b> & 'y'": {'<script>"a"</script>': 20, "$x_1$ ✕": 30}, "b x b y": {"sgd": 3}}},
    ],
    ids=[
        "plain",
        "defaults only",
        "one optimizer",
        "unknown minimum",
        "nobody solves",
        "all diverge",
        "an error",
        "markup",
    ],
)
def test_every_figure_of_every_kind_of_results_is_sound(make_results, variant):
    check(drawn(make_results(**variant)))


def test_forty_optimizers_are_all_drawn_and_ten_are_named(make_results):
    results = make_results(MANY)
    figures = drawn(results)
    check(figures)
    match = contest(results)
    assert len(focus(match, summarise(match))) == 10
    for kind in ("convergence", "profile", "ecdf"):
        svg = of(figures, kind).svg
        assert len(set(re.findall(r'class="line" data-o="(\d+)"', svg))) == 40
        assert len(re.findall(r'class="label" data-o="(\d+)"', svg)) == 10


def test_one_seed_and_infinite_numbers_everywhere_are_survived(make_results):
    results = make_results({"rosenbrock": {"adam": 20, "sgd": 30}, "mlp": {"adam": 20, "sgd": 30}})
    rng = np.random.default_rng(0)
    trials = results.trials[~results.trials["seed"].isin([1, 2, 1_000_001, 1_000_002])].copy()
    kept = set(zip(trials["run_id"], trials["trial"], strict=True))
    one = [pair in kept for pair in zip(results.curves["run_id"], results.curves["trial"], strict=True)]
    curves = results.curves[one].copy()
    curves["objective"] = np.where(
        rng.random(len(curves)) < 0.5, rng.choice([np.inf, np.nan, 0.0, -1e-9, 1e300], len(curves)), 1
    )
    trials["final_loss"] = rng.choice([np.inf, 0.0, -1e-12, 1e300], len(trials))
    trials["best_loss"] = np.nan
    check(drawn(replace(results, trials=trials, curves=curves)))


def test_names_are_text_and_never_markup(make_results):
    figures = drawn(make_results({"rosenbrock": {"<b>bold</b>": 20, "a & b": 30}}))
    svg = of(figures, "convergence").svg
    assert "<b>" not in svg
    assert "&lt;b&gt;bold&lt;/b&gt;" in svg
    assert "a &amp; b" in svg


def test_every_cost_and_role_has_its_convergence(figures):
    found = {
        (cost, f.role) for f in figures for cost in f.cost.split() if f.kind == "convergence" and f.problem == "beale"
    }
    assert found == {(cost, role) for cost in COSTS for role in ("tuned", "default")}


def test_the_hidden_part_of_a_line_can_be_read_back_from_its_path(figures):
    figure = of(figures, "convergence", problem="beale", cost="steps", role="tuned")
    limits = re.search(r'data-ax="([^"]+)"', figure.svg).group(1).split()
    left, top, width, height, x0, x1, y0, y1 = (float(v) for v in limits[:8])
    path = re.search(r'class="line" data-o="2"><path d="([^"]+)"', figure.svg).group(1)
    numbers = np.array([float(v) for v in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2)
    x, y = np.cumsum(numbers, axis=0).T
    steps = x0 * (x1 / x0) ** ((x - left) / width)
    gap = y0 * (y1 / y0) ** ((top + height - y) / height)
    # adam reaches 0.01 from 10 at step 30: gap = 10 · 10^(−3 t / 30); a tenth of a pixel is 0.5 % here
    inside = (gap > y0 * 1.1) & (steps > 2)
    assert inside.sum() > 3
    np.testing.assert_allclose(np.log10(gap[inside]), 1 - steps[inside] / 10, atol=0.02)


def test_who_lost_every_seed_has_no_line_and_says_so(figures):
    svg = of(figures, "convergence", problem="rosenbrock", cost="steps", role="tuned").svg
    labels = dict(re.findall(r'class="label" data-o="(\d)"[^>]*><text[^>]*>([^<]+)', svg))
    assert labels["0"] == "sgd ✕3/3"
    assert labels["2"].startswith("adam")
    assert 'class="dead" data-o="0"' in svg


def test_a_line_that_leaves_below_is_labelled_with_the_step_at_which_it_does(figures):
    svg = of(figures, "convergence", problem="beale", cost="steps", role="tuned").svg
    labels = re.findall(r'class="label" data-o="(\d)"[^>]*><text[^>]*>([^<]+)', svg)
    leaving = [(int(text.rsplit("↓", 1)[1].replace("\u202f", "")), text) for _, text in labels if "↓" in text]
    assert leaving
    assert leaving == sorted(leaving)


def test_the_band_is_drawn_only_where_both_quartiles_are_finite(make_results):
    results = make_results({"rosenbrock": {"adam": 20}})
    curves = results.curves.copy()
    lost = (curves["seed"] == 2) & (curves["step"] > 10) & (curves["role"] == "tuned")
    curves = curves[~lost]
    svg = of(drawn(replace(results, curves=curves)), "convergence", cost="steps", role="tuned").svg
    ax = [float(v) for v in re.search(r'data-ax="([^"]+)"', svg).group(1).split()[:8]]
    path = re.search(r'class="band" data-o="0"><path d="M([^"]+)z"', svg).group(1)
    x = np.cumsum(np.array([float(v) for v in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2), axis=0)[:, 0]
    assert x.max() <= ax[0] + ax[2] * np.log(10) / np.log(ax[5]) + 0.2


def test_an_unknown_minimum_is_replaced_by_the_best_seen_and_named(figures):
    figure = of(figures, "convergence", problem="mlp")
    assert "The minimum is unknown" in figure.caption
    assert "unknown" not in of(figures, "convergence", problem="beale").caption


def test_sensitivity_marks_the_chosen_rate_and_the_border(make_results):
    results = make_results({"beale": {"adam": 30, "sgd": 40}})
    trials = results.trials.copy()
    trials.loc[(trials["optimizer"] == "sgd") & (trials["role"] == "tuned"), "lr"] = 1.0
    figure = of(drawn(replace(results, trials=trials)), "sensitivity")
    names = dict(re.findall(r'class="bar-name" data-o="(\d)"[^>]*><text[^>]*>([^<]+)', figure.svg))
    assert names == {"0": "adam", "1": "sgd ▸"}
    chosen = figure.data[figure.data["chosen"]]
    assert list(zip(chosen["contestant"], chosen["lr"], strict=True)) == [("adam", 0.1), ("sgd", 1.0)]


def test_there_is_no_sensitivity_without_a_searched_rate(make_results):
    figures = drawn(make_results({"beale": {"adam": 30}}, tuned=False))
    assert not [f for f in figures if f.kind == "sensitivity"]


def test_trajectories_need_contours_and_share_them(figures):
    assert {f.problem for f in figures if f.kind == "trajectories"} == {"rosenbrock", "beale", "saddle", "rastrigin"}
    svg = of(figures, "trajectories", problem="beale").svg
    used = re.findall(r'class="contours" data-o="\d">(?:<defs>.*?</defs>)?<use href="#([\w-]+)"', svg)
    assert len(used) == 4
    assert len(set(used)) == 1


def test_a_trajectory_ends_with_its_gap_or_its_failure(figures):
    svg = of(figures, "trajectories", problem="rosenbrock").svg
    values = dict(re.findall(r'class="value" data-o="(\d)"><text[^>]*>([^<]+)', svg))
    assert values["0"] == "diverged"
    assert values["2"] == "&lt; 10⁻¹⁴"  # adam: 10 · 10^(−3·1000/199)


def test_ranking_says_what_the_test_allows(figures, make_results):
    leader = of(figures, "ranking", cost="steps")
    assert leader.title.startswith("adam leads, ")
    assert "q₀.₀₅" in leader.caption
    few = of(drawn(make_results({"beale": {"adam": 30, "sgd": 40}})), "ranking")
    assert few.title == "adam leads, but one problem is too few for a test"
    assert "zone" not in few.svg
    nobody = of(drawn(make_results({"beale": {"adam": NEVER, "sgd": NEVER}})), "ranking")
    assert nobody.title == "Nobody reached a target: there is nothing to rank"
    alone = of(drawn(make_results({"beale": {"adam": 3}})), "ranking")
    assert alone.title == "Only adam was run; a rank needs two"


def test_the_profile_steps_where_the_ratios_are(make_results):
    # costs 10 : 20 and 40 : 10, so at τ = 1 each solves one of two problems, both from τ = 2 and 4 on
    figure = of(
        drawn(make_results({"beale": {"a": 10, "b": 20}, "saddle": {"a": 40, "b": 10}})), "profile", cost="steps"
    )
    np.testing.assert_allclose(figure.data[["a", "b"]].to_numpy(float), [[1, 2], [4, 1]])


def test_the_distribution_of_runtimes_counts_every_target_and_seed(make_results):
    figure = of(drawn(make_results({"beale": {"adam": 30}})), "ecdf", cost="steps")
    # three seeds take 29, 30, 31 steps to 0.01: a third of that to 1, five thirds to 10⁻⁴
    assert figure.data["share"].iloc[-1] == 1
    np.testing.assert_allclose(figure.data["steps"], [10, 11, 29, 30, 31, 49, 50, 52])
    np.testing.assert_allclose(figure.data["share"] * 9, [2, 3, 4, 5, 6, 7, 8, 9])


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_files_hold_colours_and_no_variables(figures, theme):
    for figure in figures[:12]:
        text = file_svg(figure.svg, theme)
        assert "var(" not in text
        ElementTree.fromstring(text)
        assert theme.bg in text


def test_files_are_the_same_every_time(make_results):
    def files():
        figure = of(drawn(make_results({"beale": {"adam": 30, "sgd": 40}})), "convergence")
        return figure.svg, write_pdf(figure.draw(LIGHT))

    first, second = files(), files()
    assert first == second
    assert first[1].startswith(b"%PDF")


def test_what_a_schedule_changes_is_shown_where_several_were_tuned(make_results, figures):
    assert not [f for f in figures if f.kind == "schedules"]
    slow = make_results(
        {"beale": {"adam": 40, "sgd": 40, "lion": NEVER}, "saddle": {"adam": 50, "sgd": NEVER, "lion": NEVER}}
    )
    fast = make_results(
        {"beale": {"adam": 20, "sgd": NEVER, "lion": NEVER}, "saddle": {"adam": 100, "sgd": 5, "lion": NEVER}}
    )

    def again(frame):
        frame = frame.copy()
        frame["run_id"] = frame["run_id"] + "/cosine"
        if "schedule" in frame:
            frame["schedule"] = "cosine"
        return frame

    both = replace(
        slow,
        **{
            t: pd.concat([getattr(slow, t), again(getattr(fast, t))], ignore_index=True)
            for t in ("runs", "trials", "curves", "hits")
        },
    )
    found = drawn(both)
    check(found)
    figure = of(found, "schedules")
    assert figure.title == "Cosine against constant"
    ratios = {(row.problem, row.contestant): row.ratio for row in figure.data.itertuples()}
    assert ratios[("beale", "adam")] == 0.5
    assert ratios[("saddle", "adam")] == 2
    assert ratios[("beale", "sgd")] == np.inf
    assert ratios[("saddle", "sgd")] == 0
    assert np.isnan(ratios[("beale", "lion")])
    assert len(re.findall(r'class="mark"', figure.svg)) == 4


def test_figures_can_be_sent_to_another_process(figures):
    for figure in figures:
        assert pickle.loads(pickle.dumps(figure.draw))(LIGHT).bbox.width == (1060 if figure.width == "full" else 530)


def test_the_heat_map_shades_ratios_and_hatches_failures(make_results):
    medians = {"p": {"adam": 10.0, "sgd": 25.0, "lion": NEVER}, "q": {"adam": 44.0, "sgd": 40.0, "lion": 80.0}}
    figure = of(drawn(make_results(medians, diverged=[("p", "lion")])), "ratios", cost="steps")
    table = figure.data.set_index("problem")
    assert table.loc["p", ["adam", "sgd", "lion"]].tolist() == [1.0, 2.5, np.inf]
    assert table.loc["q", ["adam", "sgd", "lion"]].tolist() == [1.1, 1.0, 2.0]
    root = ElementTree.fromstring(figure.svg)
    words = [text.text for text in root.iter("text")]
    assert {"2.5×", "1.1×", "2.0×", "0/3", "✕3", "10 steps", "40 steps"} <= set(words)
    # 0.06 + 0.74 (1 − log₂ r / 4.5)^1.5 at r = 1 and r = 2
    shades = {float(e.get("fill-opacity", e.get("opacity", 1))) for e in root.iter() if "heat" in e.get("fill", "")}
    assert {round(shade, 2) for shade in shades} >= {0.8, round(0.06 + 0.74 * (1 - 1 / 4.5) ** 1.5, 2)}
    assert "#085E74" in file_svg(figure.svg, LIGHT)


def test_equal_costs_share_one_drawing_and_roles_one_table(make_results):
    figures = [f for f in drawn(make_results()) if f.kind == "convergence" and f.problem == "beale"]
    assert {(f.cost, f.role) for f in figures} == {
        (cost, role) for cost in ("steps evaluations", "seconds") for role in ("tuned", "default")
    }
    assert {f.table for f in figures} == {"beale-convergence", "beale-convergence-default"}
