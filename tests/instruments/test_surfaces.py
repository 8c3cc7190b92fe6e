"""Lines and planes against direct evaluation, and directions against filters normalised by hand."""

from __future__ import annotations

import math

import pytest
import torch

from optbench.instruments.surfaces import LossLine, LossPlane, directed
from optbench.registry import build


def ends(problem, seeds):
    start = problem.start(seeds)
    return start, start + 0.3 * torch.randn(start.shape, dtype=start.dtype, generator=torch.manual_seed(0))


def rows(columns):
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def test_lines_are_the_objective_at_the_points_between(network):
    start, end = ends(network, [0, 1, 2])
    found = rows(LossLine().scan(network, [5, 6, 7], [0, 1, 2], start, end))
    pairs = {(row["trial"], row["other"]) for row in found}
    assert pairs == {(5, -1), (6, -1), (7, -1), (5, 6), (6, 7)}
    alphas = sorted({row["alpha"] for row in found})
    assert (alphas[0], alphas[-1], len(alphas)) == (-0.25, 1.25, 31)
    for row in found[::7]:
        k = int(row["trial"]) - 5
        a, b = (start[k], end[k]) if row["other"] < 0 else (end[k], end[k + 1])
        point = a + row["alpha"] * (b - a)
        assert row["objective"] == pytest.approx(network.objective(point.expand(2, -1), 0)[0].item(), rel=1e-9)


def test_solutions_are_joined_only_where_their_trials_and_seeds_are_neighbours(network):
    start, end = ends(network, [0, 1, 2, 3])

    def joined(trials, seeds):
        found = rows(LossLine().scan(network, trials, seeds, start, end))
        return sorted({(row["trial"], row["other"]) for row in found if row["other"] >= 0})

    assert joined([0, 1, 2, 3], [0, 1, 0, 1]) == [(0, 1), (2, 3)]  # two settings
    assert joined([0, 2, 3, 5], [0, 2, 0, 2]) == []  # seed 1 of both failed
    assert joined([0, 4, 6, 7], [0, 1, 0, 1]) == [(6, 7)]  # seed 1 of one setting and seed 0 of the next


def test_a_filter_of_a_direction_has_the_length_of_the_filter_of_the_weights():
    problem = build("problem", "cnn", {"channels": 3, "normalisation": "layer", "dtype": torch.float64})
    start, end = ends(problem, [0])
    random = torch.randn(end.shape, dtype=end.dtype, generator=torch.manual_seed(3))
    direction = problem.layout.split(directed(problem, end, start, random))
    weights, drawn = problem.layout.split(end), problem.layout.split(random)
    kinds = set()
    for name, role in zip(problem.layout.names, problem.layout.roles, strict=True):
        kinds.add(role)
        if role != "weight":
            assert not direction[name].any()
            continue
        for d, w, r in zip(direction[name][0], weights[name][0], drawn[name][0], strict=True):  # filter by filter
            length = math.sqrt(sum(v * v for v in w.flatten().tolist()))
            by_hand = r.flatten() / math.sqrt(sum(v * v for v in r.flatten().tolist())) * length
            assert d.flatten().tolist() == pytest.approx(by_hand.tolist(), rel=1e-12)
    assert kinds == {"weight", "bias", "norm"}


def test_a_direction_on_a_landscape_is_as_long_as_the_way_to_the_solution():
    problem = build("problem", "rosenbrock", {"n": 5})
    start, end = ends(problem, [0])
    random = torch.randn(end.shape, dtype=end.dtype, generator=torch.manual_seed(3))
    direction = directed(problem, end, start, random)
    assert direction.norm().item() == pytest.approx((end - start).norm().item(), rel=1e-12)
    assert torch.nn.functional.cosine_similarity(direction, random).item() == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["mlp", "rosenbrock"])
def test_a_plane_is_the_objective_around_the_solution_of_seed_0_alone(name, network):
    problem = network if name == "mlp" else build("problem", "rosenbrock", {})
    start, end = ends(problem, [0, 1, 0])
    found = rows(LossPlane().scan(problem, [3, 4, 9], [0, 1, 0], start, end))
    assert {row["trial"] for row in found} == {3, 9}
    assert len(found) == 2 * 21 * 21
    value = {(row["trial"], round(row["alpha"], 6), round(row["beta"], 6)): row["objective"] for row in found}
    for trial, k in ((3, 0), (9, 2)):
        assert value[trial, 0, 0] == pytest.approx(problem.objective(end[[k, k]], 0)[0].item(), rel=1e-12)
    # f(θ + α d₁ + β d₂) for directions that span the same plane: far points recover d₁ and d₂ up to the draw
    assert value[3, 1, 0] != value[3, 0, 1]
    alone = LossPlane().scan(problem, [0], [0], start[:1], end[:1])
    assert alone["objective"] == [row["objective"] for row in found if row["trial"] == 3]  # whatever the company


def test_a_plane_through_a_quadratic_is_a_quadratic_form():
    problem = build("problem", "quadratic", {"n": 6})
    start, end = ends(problem, [0])
    found = rows(LossPlane().scan(problem, [0], [0], start, end))
    f = {(round(row["alpha"], 6), round(row["beta"], 6)): row["objective"] for row in found}
    # second differences along a direction are those of dᵀHd, the same everywhere on the plane
    for step in ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5)):
        bends = [
            f[a + step[0], b + step[1]] - 2 * f[a, b] + f[a - step[0], b - step[1]]
            for a in (-0.5, 0.0, 0.5)
            for b in (-0.5, 0.0, 0.5)
        ]
        assert bends == pytest.approx([bends[0]] * 9, rel=1e-9)
        assert bends[0] > 0
