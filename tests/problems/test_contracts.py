"""What every problem of the table must keep to; `pytest -k NAME` runs it for one of them."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import yaml
from optbench.problems import PROBLEMS

from optbench.data.openml import must_be_downloaded
from optbench.describe import describe
from optbench.interfaces import Problem
from optbench.nn import Learning
from optbench.oracle import BatchOracle
from optbench.randomness import Randomness
from optbench.registry import build, defaults

ROOT = Path(__file__).resolve().parents[2]
SOLVED = json.loads((Path(__file__).parent / "solved.json").read_text())

OWN = "tests.problems.test_module.Net"
LITTLE = "tests.problems.little"
NEEDED = {
    "transformer": {"data": f"{LITTLE}.keys", "batch_size": 8},
    "rnn": {"data": f"{LITTLE}.bits", "batch_size": 8},
    "resnet": {"data": f"{LITTLE}.little_grey", "batch_size": 8},
    "module": {"network_class": OWN, "settings": {"width": 64}},
    "fmnist_2c2d": {"data": f"{LITTLE}.little_grey", "batch_size": 8},
    "mnist_vae": {"data": f"{LITTLE}.little_grey", "batch_size": 4},
    "cifar10_3c3d": {"data": f"{LITTLE}.little_colour", "batch_size": 8},
    "patches_3c3d": {"data": f"{LITTLE}.little_colour", "batch_size": 8},
    "digits_2c2d": {"data": f"{LITTLE}.little_grey", "batch_size": 8},
    "digits_vae": {"data": f"{LITTLE}.little_grey", "batch_size": 4},
}
"""Settings without which a problem of the table is not complete, cannot be had offline, or is slow."""
VARIANTS = {
    "rosenbrock, n=5": ("rosenbrock", {"n": 5, "factor": 10.0}),
    "rastrigin, n=3": ("rastrigin", {"n": 3, "amplitude": 3.0}),
    "quadratic, noise": ("quadratic", {"n": 7, "noise": 0.5, "spectrum": "linear"}),
    "quadratic, clusters": ("quadratic", {"n": 33, "rotation": False, "spectrum": "two_clusters"}),
    "logistic_regression, minibatch": ("logistic_regression", {"batch_size": 32}),
    "logistic_regression, moons": ("logistic_regression", {"data": "moons", "batch_size": 32, "l2": 0.01}),
    "linear_regression, penalty": ("linear_regression", {"l2": 0.2, "fraction": 0.5}),
    "coordinate_network, no waves": ("coordinate_network", {"features": 0, "hidden": (8,), "activation": "tanh"}),
    "mlp, deep": ("mlp", {"hidden": (16, 8), "batch_size": 20, "split": 3}),
    "mlp, odd sizes": (
        "mlp",
        {"data": "iris", "hidden": (5,), "batch_size": 5, "activation": "gelu", "normalisation": "batch"},
    ),
    "mlp, full batch": ("mlp", {"data": "wine", "batch_size": None, "activation": "silu"}),
    "mlp, dropout": (
        "mlp",
        {"input_dropout": 0.2, "hidden_dropout": 0.5, "normalisation": "layer", "replacement": True},
    ),
    "mlp, batch norm": ("mlp", {"hidden": (16, 16), "normalisation": "batch", "initialisation": "kaiming_normal"}),
    "mlp, values": ("mlp", {"data": "diabetes", "hidden": (16,), "activation": "tanh", "skip": True}),
    "cnn, batch norm": ("cnn", {"channels": 2, "normalisation": "batch", "activation": "leaky_relu"}),
    "cnn, moving": ("cnn", {"channels": 2, "normalisation": "batch", "moving_statistics": True}),
    "module, dropout": ("module", {"network_class": OWN, "settings": {"drop": 0.1}, "data": "wine", "batch_size": 32}),
    "cnn, narrow": ("cnn", {"channels": 2, "batch_size": 16}),
}
CASES = {name: (name, NEEDED.get(name, {})) for name in PROBLEMS} | VARIANTS

SLOW = ("rnn", "transformer", "resnet", "vae", "digits_vae", "digits_2c2d", "patches_3c3d", "cifar10_3c3d")
"""Whose networks take seconds a test."""


def marked(names):
    """The names, those of slow networks marked so."""
    return [pytest.param(name, marks=pytest.mark.slow) if name.startswith(SLOW) else name for name in names]


every_problem = pytest.mark.parametrize("name", marked(PROBLEMS))
every_case = pytest.mark.parametrize("case", marked(CASES))


def make(case: str, **more) -> Problem:
    name, settings = CASES[case]
    return PROBLEMS[name](**settings | more)


def same_bits(a, b) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same_bits(x, y) for x, y in zip(a, b, strict=True))
    return a is b if a is None else a.dtype == b.dtype and torch.equal(a, b)


@every_case
def test_a_batch_of_trials_equals_the_trials_one_by_one(case):
    problem, seeds = make(case, dtype=torch.float64), [0, 1, 5]
    params, batch = problem.start(seeds), problem.stream(seeds).at(3)
    loss, grad = problem.loss_and_grad(params, batch)
    metrics = problem.evaluate(params, 0) | problem.test(params)
    for k, seed in enumerate(seeds):
        alone = problem.start([seed])
        one_loss, one_grad = problem.loss_and_grad(alone, problem.stream([seed]).at(3))
        torch.testing.assert_close(alone[0], params[k], rtol=0, atol=0)
        torch.testing.assert_close(one_loss[0], loss[k], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(one_grad[0], grad[k], rtol=1e-10, atol=1e-13)
        for metric, value in (problem.evaluate(alone, 0) | problem.test(alone)).items():
            torch.testing.assert_close(value[0], metrics[metric][k], rtol=1e-12, atol=1e-14)


@every_case
@pytest.mark.parametrize("chosen", [[9, 4], *(list(range(size)) for size in (2, 3, 7, 8, 14, 17, 23))], ids=len)
def test_the_result_of_a_trial_does_not_depend_on_its_company(case, chosen):
    problem, everyone = make(case), list(range(24))
    rows = torch.tensor(chosen)
    params, stream = problem.start(everyone), problem.stream(everyone)
    fewer, fewer_stream = problem.start(chosen), problem.stream(chosen)
    assert torch.equal(params[rows], fewer)
    batch, fewer_batch = stream.at(2), fewer_stream.at(2)
    assert same_bits(stream.at(2, rows), fewer_batch)
    loss, grad = problem.loss_and_grad(params, batch)
    fewer_loss, fewer_grad = problem.loss_and_grad(fewer, fewer_batch)
    assert torch.equal(loss[rows], fewer_loss)
    assert torch.equal(grad[rows], fewer_grad)
    if len(chosen) < 9:  # evaluating is costly, and one pass without gradient of the same network
        metrics, fewer_metrics = problem.evaluate(params, 0), problem.evaluate(fewer, 0)
        assert list(metrics) == list(fewer_metrics)
        for metric in metrics:
            assert torch.equal(metrics[metric][rows], fewer_metrics[metric]), metric


@every_case
def test_a_trial_that_is_nan_leaves_the_others_bit_identical(case):
    problem, seeds = make(case), list(range(4))
    params, batch = problem.start(seeds), problem.stream(seeds).at(0)
    broken = params.clone()
    broken[1] = float("nan")
    others = torch.tensor([0, 2, 3])
    for whole, part in zip(problem.loss_and_grad(params, batch), problem.loss_and_grad(broken, batch), strict=True):
        assert torch.equal(whole[others], part[others])
    assert problem.loss_and_grad(broken, batch)[0][1].isnan()
    metrics, broken_metrics = problem.evaluate(params, 0), problem.evaluate(broken, 0)
    for metric in metrics:
        assert torch.equal(metrics[metric][others], broken_metrics[metric][others]), metric
    assert broken_metrics["objective"][1].isnan()


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_asked_for_is_kept_everywhere(case, dtype):
    problem = make(case, dtype=dtype)
    params, batch = problem.start([0, 1]), problem.stream([0, 1]).at(0)
    tensors = [params, *problem.loss_and_grad(params, batch), *problem.evaluate(params, 0).values()]
    tensors += problem.test(params).values()
    if problem.minimiser() is not None:
        tensors.append(problem.minimiser())
    assert {t.dtype for t in tensors} == {dtype}
    assert params.shape == (2, problem.layout.n)


@every_problem
def test_landscapes_are_float64_and_networks_float32_unless_asked(name):
    problem = make(name)
    expected = {"landscape": torch.float64, "learning": torch.float32}[problem.family]
    assert problem.start([0]).dtype == expected


@every_case
def test_gradients_agree_with_finite_differences(case):
    problem, seeds, h = make(case, dtype=torch.float64), [0, 1, 2], 1e-6
    params, batch = problem.start(seeds), problem.stream(seeds).at(1)
    grad = problem.loss_and_grad(params, batch)[1]
    moved = torch.tensor([role != "buffer" for role in problem.layout.roles])  # a moving statistic's is no gradient
    moved = moved.repeat_interleave(torch.tensor(problem.layout.sizes))
    for direction in Randomness(range(6), "directions").normal(0, problem.layout.n):
        along = moved * direction / direction.norm()
        difference = (problem.loss(params + h * along, batch) - problem.loss(params - h * along, batch)) / (2 * h)
        torch.testing.assert_close(difference, grad @ along, rtol=1e-5, atol=1e-7)


@every_case
def test_the_minimiser_gives_the_minimum_and_a_gradient_of_zero(case):
    problem = make(case, dtype=torch.float64)
    point = problem.minimiser()
    if point is None:
        assert problem.minimum() is None
        return
    rows = point.expand(2, -1).clone()
    loss, grad = problem.loss_and_grad(rows, None)
    assert abs(loss[0].item() - problem.minimum()) <= 1e-14
    assert grad.abs().max().item() <= 1e-12
    around = rows[:1] + 1e-3 * Randomness(range(50), "around").normal(0, problem.layout.n)
    assert (problem.loss(around, None) > problem.minimum()).all()


@every_case
def test_no_target_is_met_at_the_start(case):
    problem, seeds = make(case), range(100)
    objective = problem.evaluate(problem.start(seeds), 0)["objective"]
    targets = list(problem.targets())
    assert targets == sorted(targets, reverse=True), "the easiest comes first"
    assert problem.target() in targets
    assert objective.min().item() > targets[0]
    if problem.minimum() is not None:
        ulp = abs(problem.minimum()) * torch.finfo(problem.kind["dtype"]).eps
        assert targets[-1] - problem.minimum() >= 100 * ulp


@every_problem
def test_each_target_is_met_by_a_stored_optimizer_setting_and_seed(name):
    if must_be_downloaded(defaults(PROBLEMS[name]).get("data")):
        pytest.skip("its data must be downloaded")
    stored = {"problem": {}} | SOLVED[
        name
    ]  # Rastrigin has many seeds: leaping over its hills is chaotic, so one seed may fail elsewhere
    problem, seeds = make(name, **stored["problem"]), stored["seeds"]
    optimizer = build("optimizer", stored["optimizer"], stored["settings"])
    schedule = build("schedule", stored["schedule"])
    params, stream = problem.start(seeds), problem.stream(seeds)
    state, oracle = optimizer.init(params, problem.layout), BatchOracle(problem, stream, len(seeds))
    best = float("inf")
    for step in range(problem.budget):
        oracle.move(step)
        params, state = optimizer.step(params, state, oracle, schedule.factor(step, problem.budget, ()))
        if problem.cheap or (step + 1) % 20 == 0:
            best = min(best, problem.evaluate(params, step + 1)["objective"].nan_to_num(nan=float("inf")).min().item())
        if best <= problem.targets()[-1]:
            return
    pytest.fail(f"the best objective within {problem.budget} steps is {best:g}, the targets are {problem.targets()}")


@every_case
def test_a_fixed_stream_has_the_objective_as_its_loss(case):
    problem, seeds = make(case), [0, 1, 2]
    stream, params = problem.stream(seeds), problem.start(seeds)
    assert stream.fixed is same_bits(stream.at(0), stream.at(1))
    same = torch.allclose(problem.loss(params, stream.at(4)), problem.evaluate(params, 4)["objective"], rtol=1e-6)
    assert same is stream.fixed


@every_case
def test_a_stream_is_pure_and_may_be_asked_in_any_order(case):
    problem, seeds = make(case), [3, 1, 4]
    stream, steps = problem.stream(seeds), [0, 1, 40, 41]
    forwards = [stream.at(step) for step in steps]
    for step, batch in reversed(list(zip(steps, forwards, strict=True))):
        assert same_bits(stream.at(step), batch)
        assert same_bits(problem.stream(seeds).at(step), batch)
        rows = torch.tensor([2, 0])
        some = stream.at(step, rows)
        assert same_bits(some, None if batch is None else _take(batch, rows))
    if not stream.fixed:
        assert not same_bits(forwards[0], forwards[1])


def _take(batch, rows):
    if isinstance(batch, tuple):
        return tuple(None if part is None else part[rows] for part in batch)
    return batch[rows]


@every_case
def test_trials_of_different_seeds_start_at_different_points(case):
    problem = make(case)
    different = len({tuple(row.tolist()) for row in problem.start(range(20))})
    assert different in (1, 20)
    if different == 1:  # then seeds differ in what they see
        assert not same_bits(problem.stream([0]).at(0), problem.stream([1]).at(0))


@every_case
def test_evaluating_leaves_no_graph_and_names_what_chooses_between_settings(case):
    problem = make(case)
    params = problem.start([0, 1]).requires_grad_()
    metrics = problem.evaluate(params, 0)
    assert problem.judged_by in metrics
    assert all(not value.requires_grad and value.shape == (2,) for value in (metrics | problem.test(params)).values())


@every_problem
def test_the_yaml_repeats_the_defaults_of_the_code(name):
    text = (ROOT / "conf" / "problem" / f"{name}.yaml").read_text()
    settings = yaml.safe_load(text)
    assert settings.pop("name") == name
    known = defaults(PROBLEMS[name])
    assert {key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}.items() <= known.items()
    own = {f.name for f in fields(PROBLEMS[name]) if f.name in PROBLEMS[name].__annotations__}
    expected = own | {"data", "batch_size", "split"} if issubclass(PROBLEMS[name], Learning) else own
    assert settings.keys() >= expected, "what the class itself sets, and of a learning problem its data"
    assert len(text.splitlines()) <= 16


@every_problem
def test_a_problem_has_its_class_name_and_its_test_file(name):
    assert PROBLEMS[name].__name__.lower() == name.replace("_", "")
    assert PROBLEMS[name].__module__ == f"optbench.problems.{name}"
    assert (Path(__file__).parent / f"test_{name}.py").is_file()


@every_problem
def test_the_docstring_has_formula_start_minimum_and_source(name):
    text = inspect.getdoc(PROBLEMS[name])
    for word in ("Start:", "Minimum:", "Source:", "Domain:"):
        assert re.search(rf"\b{word}", text), word
    assert re.search(r"^ {4}\S.*=", text, flags=re.MULTILINE), "an indented formula"
    told = describe(PROBLEMS[name])["args"]
    for f in fields(PROBLEMS[name]):
        if f.name not in {g.name for g in fields(Problem)}:
            assert told[f.name], f.name


@every_problem
def test_a_window_to_draw_exists_for_two_coordinates_and_holds_the_minimiser(name):
    problem = make(name)
    if problem.family == "learning":
        assert problem.domain() is None
        return
    if "n" in {f.name for f in fields(problem)}:
        assert PROBLEMS[name](n=3).domain() is None
        problem = PROBLEMS[name](n=2)
    if problem.layout.n != 2:
        assert problem.domain() is None
        return
    low, high = torch.tensor(problem.domain(), dtype=torch.float64).T
    assert ((low < problem.minimiser()) & (problem.minimiser() < high)).all()
    starts = problem.start(range(50))
    inside = ((low <= starts) & (starts <= high)).all(dim=1)
    assert inside.double().mean() >= 0.9
