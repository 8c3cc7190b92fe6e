"""The generated pages of optimizers and schedules: as the generator makes them, drawn as they say, true where checked."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from contracts import ROOT

from docs.generate import __main__ as generate
from docs.generate import curve_figure, optimizer_pages, path_figure, schedule_pages, smoke
from docs.generate.markdown import plain, table
from docs.generate.walks import GAP, LANDSCAPES, Walk, walk
from optbench import registry
from optbench.optimizers import OPTIMIZERS
from optbench.runner import run_trials
from optbench.schedules import SCHEDULES
from optbench.schedules.constant import Constant

DOCS = ROOT / "docs"
SAMPLE = ("sgd", "momentum", "adam", "lion", "lbfgs")


def test_every_optimizer_and_schedule_has_its_page_and_its_figure() -> None:
    there = generate.present(DOCS / "optimizers")
    assert {f"{name}.md" for name in OPTIMIZERS} | {"README.md"} == {file for file in there if file.endswith(".md")}
    drawn = {file.removeprefix("paths/").removesuffix(".svg") for file in there if file.startswith("paths/")}
    assert set(OPTIMIZERS) - drawn <= {"from_torch", "kfac"}
    there = generate.present(DOCS / "schedules")
    assert {f"{name}.md" for name in SCHEDULES} | {"README.md"} == {file for file in there if file.endswith(".md")}
    assert {f"curves/{name}.svg" for name in SCHEDULES} == {file for file in there if file.startswith("curves/")}


def test_the_pages_of_schedules_are_what_the_generator_makes() -> None:
    assert generate.differences(DOCS / "schedules", schedule_pages.pages()) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_pages_of_optimizers_are_what_the_generator_makes() -> None:
    made = optimizer_pages.pages(DOCS / "optimizers")
    pages = {name: text for name, text in made.items() if name.endswith(".md")}  # last bits of paths are the machine's
    stale = generate.differences(DOCS / "optimizers", made)
    assert [line for line in stale if line.split(":")[0].removeprefix("optimizers/") in pages] == []
    assert not [line for line in stale if line.endswith(("missing", "no longer made"))]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_page_of_an_optimizer_is_what_the_generator_makes_of_it(name: str) -> None:
    solved = smoke.read(DOCS / "optimizers" / "smoke.csv")
    made = optimizer_pages.one(name, True, solved)
    assert (DOCS / "optimizers" / f"{name}.md").read_text() == made


@pytest.mark.parametrize(
    "file", sorted(DOCS.glob("*/paths/*.svg")) + sorted(DOCS.glob("*/curves/*.svg")), ids=lambda f: f.stem
)
def test_figures_are_small_and_well_formed(file: Path) -> None:
    assert len(file.read_bytes()) < 25_000
    assert ElementTree.parse(file).getroot().tag.endswith("svg")


def test_a_figure_has_the_same_bytes_each_time_it_is_drawn() -> None:
    assert path_figure.path_svg("momentum") == path_figure.path_svg("momentum")
    assert curve_figure.curve_svg("cosine") == curve_figure.curve_svg("cosine")


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in [*DOCS.glob("optimizers/*.md"), *DOCS.glob("schedules/*.md")]:
        text = page.read_text()
        for target in re.findall(r"(?<!\\)\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
            file, _, anchor = "".join(target).partition("#")
            assert (page.parent / file).exists(), f"{page.name}: {file}"
            if anchor:
                heads = re.findall(r"^## (.*)$", (page.parent / file).read_text(), re.MULTILINE)
                assert anchor in {head.lower().replace(" ", "-") for head in heads}, f"{page.name}: #{anchor}"


@pytest.mark.parametrize("name", SAMPLE)
def test_a_path_starts_where_all_start_and_ends_where_it_says(name: str) -> None:
    for landscape in LANDSCAPES:
        found = walk(name, landscape)
        assert isinstance(found, Walk)
        assert np.array_equal(found.points[0], landscape.problem.start([0])[0].numpy())
        values = landscape.problem.loss(torch.from_numpy(found.points), None).numpy()
        assert found.loss == pytest.approx(values[-1], rel=1e-12)
        assert (values[-1] <= GAP < values[-2]) if found.arrived else (found.steps == landscape.steps)


def test_gradient_descent_on_the_ravine_is_as_its_closed_form_says() -> None:
    found = walk("sgd", LANDSCAPES[0])
    assert isinstance(found, Walk)
    assert found.rate is not None
    root = LANDSCAPES[0].problem._root  # pyright: ignore[reportAttributeAccessIssue]
    step = np.eye(2) - found.rate * (root.T @ root).numpy()
    expected = 1 + np.linalg.matrix_power(step, found.steps) @ (found.points[0] - 1)
    np.testing.assert_allclose(found.points[-1], expected, rtol=1e-9)


def test_a_method_without_a_path_in_the_plane_says_why() -> None:
    reason = walk("kfac", LANDSCAPES[0])
    assert isinstance(reason, str)
    assert plain(reason) in (DOCS / "optimizers" / "kfac.md").read_text()


def test_a_drawn_curve_is_the_factor_of_the_schedule() -> None:
    steps = np.arange(curve_figure.STEPS)
    np.testing.assert_allclose(
        curve_figure.factors("linear", {"until": 0.5, "end": 0.2})[:50], 1 - 0.8 * steps[:50] / 50
    )
    plateau = curve_figure.factors("reduce_on_plateau", {"gamma": 0.5, "smoothing": 0.0})
    assert plateau[16] == 1.0  # the loss falls last at step 10; six bad steps later the rate halves
    assert plateau[17] == 0.5
    assert curve_figure.factors("reduce_on_plateau", {})[-1] < 1


def test_signs_of_markdown_in_a_docstring_are_taken_as_they_are() -> None:
    assert plain("x* in [0, 1), |g| < a_b and `x_*`") == r"x\* in \[0, 1), \|g\| \< a_b and `x_*`"
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_cells_of_the_table_of_what_solves_what() -> None:
    rows = [
        ("sgd", "sphere", "default", 0.1, 3, 3, 110.0, 1e-9, 1e-4, ""),
        ("sgd", "sphere", "tuned", 0.5, 3, 1, np.inf, 0.31, 1e-4, ""),
        ("sgd", "digits MLP", "default", 0.5, 3, 0, np.inf, np.inf, 1e-4, ""),
        ("sgd", "digits MLP", "tuned", np.nan, 3, 3, 7.0, 0.1, 1e-4, ""),
    ]
    frame = pd.DataFrame(rows, columns=smoke.COLUMNS)
    assert smoke.cell(frame, "sgd", "sphere", "default", rate=True) == "✓ 110 (lr 0.1)"
    assert smoke.cell(frame, "sgd", "sphere", "tuned") == "✗ 0.31"
    assert smoke.cell(frame, "sgd", "digits MLP", "default") == "✗ diverged"
    assert smoke.cell(frame, "sgd", "digits MLP", "tuned", rate=True) == "✓ 7"
    assert smoke.cell(frame, "adam", "sphere", "tuned") == "–"


KEPT = smoke.read(DOCS / "optimizers" / "smoke.csv")
SEEDS = int(KEPT.seeds.max())
SOLVED = KEPT[np.isfinite(KEPT.steps.astype(float))]
SETTINGS = {"sphere": {"condition": 1.0}}
NAMES = {title: label.partition("(")[0] for label, title in smoke.PROBLEMS.items()}


def test_every_optimizer_solves_something_in_the_table_and_flows_alone_are_not_in_it() -> None:
    listed = {name for name, cls in OPTIMIZERS.items() if cls.family != "flow"} - {"from_torch"}
    assert set(SOLVED.optimizer) == listed


@pytest.mark.slow
@pytest.mark.parametrize("problem", [title for title in NAMES if title != "digits MLP"])
def test_what_the_table_calls_solved_is_solved(problem: str) -> None:
    at = registry.build("problem", NAMES[problem], SETTINGS.get(problem, {}))
    rows = SOLVED[SOLVED.problem == problem]
    missed = []
    for name, own in rows.groupby("optimizer"):
        rates = torch.tensor(np.repeat(own.lr.to_numpy(float), SEEDS), **at.kind)[:, None]
        made = run_trials(
            at,
            registry.build("optimizer", str(name), {"lr": rates}),
            Constant(),
            [],
            list(range(SEEDS)) * len(own),
            min(at.budget, 2 * int(own.steps.max()) + 1),  # what the table says, and room for other machines' rounding
            curves=False,
        )
        reached = made.recording.hit_steps[list(at.targets()).index(at.target())].reshape(len(own), SEEDS)
        missed += [f"{name}: {r}" for r in np.median(reached, axis=1) if not np.isfinite(r)]
    assert missed == []
