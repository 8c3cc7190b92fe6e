"""Wrapped torch optimizers against bare torch loops."""

from __future__ import annotations

import copy
import math
import random
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.checks import UsageError
from optbench.optimizers.from_torch import FromTorch, defaults
from optbench.optimizers.surroundings import Surroundings
from optbench.plan import plan
from optbench.schedules.cosine import Cosine

NETWORK = TinyNet()


def muon(params: Any) -> list[dict[str, Any]]:
    return [{"params": [p for p in params.parameters() if p.ndim == 2]}]


@pytest.mark.parametrize("problem", [Rosenbrock(n=3), NETWORK], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        ("NAdam", {"lr": 0.01, "betas": (0.8, 0.99), "decoupled_weight_decay": True, "weight_decay": 0.1}),
        ("LBFGS", {"lr": 0.5, "max_iter": 3}),
        ("LBFGS", {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 3}),
        ("Adafactor", {"lr": 0.05}),
        ("Rprop", {}),
        ("ASGD", {"lr": 1e-4}),
    ],
)
def test_each_trial_equals_a_bare_torch_loop_exactly(problem: Any, cls: str, settings: dict[str, Any]) -> None:
    wrapped = getattr(torch.optim, cls)
    path = Loop(problem, FromTorch(cls=wrapped, settings=settings), [5, 0, 7]).run(40)
    for trial, seed in enumerate([5, 0, 7]):
        bare = torch_path(problem, wrapped, seed, 40, **settings)
        torch.testing.assert_close(path[:, trial], bare, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("package", "cls", "settings"),
    [
        ("lion_pytorch", "Lion", {"lr": 1e-3, "weight_decay": 0.1}),
        ("prodigyopt", "Prodigy", {"weight_decay": 0.01}),
    ],
)
def test_packages_from_the_registry_equal_a_bare_torch_loop_exactly(
    package: str, cls: str, settings: dict[str, Any]
) -> None:
    wrapped = getattr(pytest.importorskip(package), cls)
    path = Loop(NETWORK, FromTorch(cls=f"{package}.{cls}", settings=settings), [5, 0]).run(40)
    for trial, seed in enumerate([5, 0]):
        torch.testing.assert_close(
            path[:, trial], torch_path(NETWORK, wrapped, seed, 40, **settings), rtol=1e-12, atol=1e-12
        )


def test_a_method_that_averages_is_asked_at_its_training_point_and_judged_at_its_average() -> None:
    cls = pytest.importorskip("schedulefree").AdamWScheduleFree
    settings = {"lr": 0.05, "warmup_steps": 5}
    path = Loop(NETWORK, FromTorch(cls=cls, settings=settings), [3, 4]).run(60)
    for trial, seed in enumerate([3, 4]):
        stream = NETWORK.stream([seed])
        x = torch.nn.Parameter(NETWORK.start([seed])[0].clone())
        bare = cls([x], **settings)
        bare.train()
        for step in range(60):
            bare.zero_grad()
            NETWORK.loss(x[None], stream.at(step)).sum().backward()
            bare.step()
        training = x.detach().clone()
        bare.eval()
        torch.testing.assert_close(path[-1, trial], x.detach(), rtol=1e-9, atol=1e-9)
        assert not torch.allclose(training, x.detach(), rtol=1e-4)


def test_settings_may_differ_between_trials_also_within_a_pair() -> None:
    settings = {"lr": column(0.01, 0.03), "betas": [column(0.8, 0.9), 0.99]}
    path = Loop(NETWORK, FromTorch.from_settings("torch.optim.NAdam", settings), [1, 1]).run(20)
    for trial, (lr, beta) in enumerate([(0.01, 0.8), (0.03, 0.9)]):
        bare = torch_path(NETWORK, torch.optim.NAdam, 1, 20, lr=lr, betas=(beta, 0.99))
        torch.testing.assert_close(path[:, trial], bare, rtol=1e-12, atol=1e-12)


def test_a_whole_number_may_differ_between_trials() -> None:
    rule = FromTorch.from_settings(torch.optim.LBFGS, {"history_size": column(2, 7), "max_iter": 5})
    state = rule.init(NETWORK.start([0, 1]), NETWORK.layout)
    assert [o.param_groups[0]["history_size"] for o in state.optimizers] == [2, 7]
    assert all(isinstance(o.param_groups[0]["history_size"], int) for o in state.optimizers)


def test_a_schedule_multiplies_the_rate_of_every_group() -> None:
    schedule = Cosine(warmup=0.2)
    path = Loop(NETWORK, FromTorch(cls=torch.optim.SGD, settings={"lr": 0.1}), [2, 3], schedule=schedule, steps=30).run(
        30
    )
    x, stream = NETWORK.start([2]), NETWORK.stream([2])
    for step in range(30):
        x = x - 0.1 * schedule.factor(step, 30, ()) * NETWORK.loss_and_grad(x, stream.at(step))[1]
        torch.testing.assert_close(path[step, 0], x[0], rtol=1e-12, atol=1e-12)


def test_evaluations_of_closures_are_counted_for_their_own_trial() -> None:
    calls = [0, 0]

    class Greedy(torch.optim.SGD):
        """Calls its closure once more than its rate has tenths."""

        def step(self, closure: Any) -> None:  # pyright: ignore
            times = 1 + round(10 * self.param_groups[0]["lr"])
            calls[times > 2] += times
            for _ in range(times):
                closure()

    run = Loop(Rosenbrock(), FromTorch(cls=Greedy, settings={"lr": column(0.1, 0.4)}), [0, 1])
    run.run(3)
    assert calls == [6, 15]
    assert run.oracle.evaluations().tolist() == [6, 15]


def test_a_closure_called_away_from_the_batch_is_answered_there() -> None:
    seen: list[float] = []

    class Ahead(torch.optim.SGD):
        """Asks for the gradient at twice the point."""

        @torch.no_grad()
        def step(self, closure: Any) -> None:  # pyright: ignore
            (p,) = self.param_groups[0]["params"]
            p.mul_(2)
            with torch.enable_grad():
                seen.append(float(closure()))
            p.div_(2)
            p.sub_(p.grad, alpha=self.param_groups[0]["lr"])

    problem = Rosenbrock()
    start = problem.start([4])
    path = Loop(problem, FromTorch(cls=Ahead, settings={"lr": 1e-4}), [4]).run(1)
    loss, grad = problem.loss_and_grad(2 * start, None)
    assert seen[0] == pytest.approx(loss.item(), rel=1e-14)
    torch.testing.assert_close(path[0], start - 1e-4 * grad, rtol=1e-14, atol=0)


def test_parameters_keep_the_shapes_of_their_layers() -> None:
    state = FromTorch(cls=torch.optim.Adafactor).init(NETWORK.start([0]), NETWORK.layout)
    assert [tuple(p.shape) for p in state.optimizers[0].param_groups[0]["params"]] == [(3, 2), (3,), (1, 3), (1,)]


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_a_function_builds_parameter_groups_and_other_parameters_stay() -> None:
    problem = NETWORK
    rule = FromTorch(cls=torch.optim.Muon, settings={"lr": 0.02}, params=muon)
    run = Loop(problem, rule, [0, 1])
    before = problem.layout.split(run.params)
    after = problem.layout.split(run.run(3)[-1])
    for name in problem.layout.names:
        assert torch.equal(before[name], after[name]) == ("bias" in name)


def test_a_file_may_bring_the_class_and_a_params_function(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        textwrap.dedent("""
        import torch

        def params(module):
            named = dict(module.named_parameters())
            return [
                {"params": [p for name, p in named.items() if name.startswith("layer1.")], "lr": 0.0},
                {"params": list(module.layer2.parameters())},
            ]

        class Mine(torch.optim.SGD):
            pass
        """)
    )
    run = Loop(NETWORK, FromTorch.from_settings(f"{file}:Mine", {"lr": "5e-2"}), [0, 1])
    before, after = NETWORK.layout.split(run.params), NETWORK.layout.split(run.run(2)[-1])
    for name in NETWORK.layout.names:
        assert torch.equal(before[name], after[name]) == name.startswith("layer1.")
    explicit = FromTorch.from_settings("torch.optim.SGD", {"lr": 0.05, "params": f"{file}:params"})
    assert torch.equal(Loop(NETWORK, explicit, [0, 1]).run(2)[-1], run.params)


def test_a_trial_whose_step_raises_after_it_diverged_ends_alone() -> None:
    class Strict(torch.optim.SGD):
        """Refuses a gradient that is not finite."""

        def step(self, closure: Any = None) -> None:  # pyright: ignore
            if not self.param_groups[0]["params"][0].grad.isfinite().all():
                raise RuntimeError("not finite")
            super().step()

    run = Loop(Rosenbrock(), FromTorch(cls=Strict, settings={"lr": column(1e-3, 1.0, 1e-3)}), [0, 1, 2])
    run.run(30)
    assert run.params.isfinite().all(dim=1).tolist() == [True, False, True]


def test_a_trial_whose_numbers_overflow_ends_alone() -> None:
    rule = FromTorch(cls=torch.optim.LBFGS, settings={"lr": column(1e-3, 1e20, 1e-3)})
    run = Loop(Rosenbrock(), rule, [0, 1, 2])
    run.run(20)
    assert run.params.isfinite().all(dim=1).tolist() == [True, False, True]


def test_an_error_in_a_healthy_trial_names_class_and_trial() -> None:
    class Broken(torch.optim.SGD):
        """Raises in every step."""

        def step(self, closure: Any = None) -> None:
            raise ZeroDivisionError("oh")

    with pytest.raises(RuntimeError, match=r"Broken\.step failed in trial 0: oh"):
        Loop(Rosenbrock(), FromTorch(cls=Broken), [0, 1]).run(1)


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        ("torch.optim.NAdam", {"beta": (0.8, 0.9)}, r"NAdam has no setting 'beta'; did you mean 'betas'"),
        ("torch.optim.NAdam", {"shere": False}, r"NAdam has no setting 'shere'; did you mean 'share'"),
        (
            "torch.optim.NAdam",
            {"lr": -1.0, "eps": 1e-7},
            r"^NAdam refuses lr=-1.0, whose default is 0.002 \(Invalid.*-1",
        ),
        ("torch.optim.NAdam", {"lr": column(0.1, -2.0)}, r"^NAdam refuses lr=-2.0, "),
        ("torch.optim.NAdam", {"lr": "fast", "eps": 1e-7}, r"^NAdam: lr must be a number, got 'fast'$"),
        ("torch.optim.SGD", {"momentum": "abc"}, r"^SGD: momentum must be a number, got 'abc'$"),
        ("torch.optim.SGD", {"nesterov": "abc"}, r"^SGD: nesterov must be true or false, got 'abc'$"),
        ("torch.optim.NAdam", {"lr": None}, r"^NAdam refuses lr=null, whose default is 0.002 "),
        (
            "torch.optim.Adam",
            {"betas": column(0.5, 0.9), "lr": 0.1},
            r"^Adam refuses betas=0.5, .* \(0.9, 0.999\) \('float'",
        ),
        ("torch.optim.Adam", {"lr": -1.0, "eps": -1.0}, r"^Adam refuses lr=-1.0, eps=-1.0 \("),
        ("torch.optim.Adam", {"share": "no"}, r"^share must be true or false, got 'no'"),
        ("torch.optim.Adam", {"attributes": 3}, r"^attributes must be dotted paths with values"),
        ("torch.optim.Adam", {"attributes": {"math.tua": 3}}, r"math has no 'tua'; did you mean 'tau'"),
        ("torch.optim.Nadam", {}, r"has no 'Nadam'; did you mean .*'NAdam'"),
        ("torch.nn.Linear", {}, r"torch.nn.Linear is no subclass of torch.optim.Optimizer"),
        ("no_such_package.Thing", {}, r"there is no package 'no_such_package'"),
    ],
)
def test_bad_input_gives_one_clear_line(cls: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        FromTorch.from_settings(cls, settings)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_layers_that_the_class_does_not_take_are_told_with_what_to_do() -> None:
    rule = FromTorch(cls=torch.optim.Muon)
    with pytest.raises(
        UsageError, match=r"^Muon refuses the layers .*2D.*optimizer=muon, .*optimizer\.params=PATH"
    ) as told:
        rule.init(Rosenbrock().start([0]), Rosenbrock().layout)
    assert "\n" not in str(told.value)


class Demanding(torch.optim.SGD):
    """Has no default for two of its settings."""

    def __init__(self, params: Any, lr: float, *, decay: float, momentum: float = 0.5) -> None:
        super().__init__(params, lr, momentum=momentum, weight_decay=decay)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"decay": 0.1}, r"lr, so it needs optimizer\.lr=…$"),
        ({"momentum": 0.1}, r"lr and decay, so it needs optimizer\.lr=… and optimizer\.decay=…$"),
        ({}, r"lr and decay, so it needs "),
    ],
)
def test_settings_without_a_default_are_asked_for(settings: dict[str, Any], missing: str) -> None:
    with pytest.raises(UsageError, match=r"^Demanding has no default for " + missing):
        FromTorch.from_settings(Demanding, settings)
    FromTorch.from_settings(Demanding, {"lr": 0.1, "decay": 0.1})


@pytest.mark.parametrize("typed", ["optimizer.momentum=abc", "optimizer.nesterov=often", "optimizer.lr=fast"])
def test_words_in_the_place_of_numbers_are_told_when_the_sweep_is_planned(typed: str) -> None:
    with pytest.raises(UsageError, match=r"^SGD: \w+ must be .*, got '\w+'$"):
        plan(["problem=rosenbrock", "optimizer=torch.optim.SGD", typed])


def test_a_number_in_a_string_is_a_number_where_the_default_is_whole() -> None:
    state = FromTorch.from_settings("torch.optim.SGD", {"weight_decay": "1e-3", "momentum": "0"}).init(
        NETWORK.start([0]), NETWORK.layout
    )
    assert state.optimizers[0].param_groups[0]["weight_decay"] == 1e-3
    assert isinstance(state.optimizers[0].param_groups[0]["momentum"], int)


class Noisy(torch.optim.SGD):
    """Adds noise from all three global generators to its gradients, and keeps a number drawn when it was built."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, lr)
        self.param_groups[0]["offset"] = float(torch.rand(())) + random.random() + np.random.random()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore
        for p in self.param_groups[0]["params"]:
            p.grad.add_(torch.randn_like(p) + random.random() + np.random.normal() + self.param_groups[0]["offset"])
        super().step()


def test_what_a_class_draws_depends_on_its_trial_and_the_step_alone() -> None:
    rule = FromTorch(cls=Noisy)
    company = Loop(NETWORK, rule, [5, 0, 7]).run(12)
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    for seeds in ([5, 0, 7], [0, 5, 7, 3], [7], [5]):
        path = Loop(NETWORK, rule, seeds).run(12)
        for trial, seed in enumerate(seeds):
            if seed != 3:
                expected = company[:, [5, 0, 7].index(seed)]
                torch.testing.assert_close(path[:, trial], expected, rtol=1e-12, atol=1e-12)


def test_draws_differ_between_trials_and_between_steps() -> None:
    seen: list[float] = []

    class Listening(torch.optim.SGD):
        """Draws a number a step."""

        def step(self, closure: Any = None) -> None:
            seen.append(float(torch.rand(())))

    Loop(Rosenbrock(), FromTorch(cls=Listening), [0, 1, 2]).run(5)
    Loop(Rosenbrock(), FromTorch(cls=Listening), [1, 1]).run(5)
    together, twice = seen[-25:-10], seen[-10:]
    assert len(set(together)) == 15
    assert twice[0::2] == twice[1::2] == together[1::3]


def test_global_generators_are_as_they_were_afterwards() -> None:
    states = torch.get_rng_state(), np.random.get_state()
    run = Loop(NETWORK, FromTorch(cls=Noisy), [0, 1, 2])
    run.run(2)
    run.optimizer.select(run.state, torch.tensor([0, 2]))
    assert torch.equal(states[0], torch.get_rng_state())
    for before, after in zip(states[1], np.random.get_state(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_generator_of_python_is_as_it_was_too() -> None:
    around = Surroundings(torch.device("cpu"), {}, draws=True)
    before = random.getstate()  # not around a whole loop: the tests' type checks draw from it as well
    with around:
        around.seed(3, "step 0")
        drawn = random.random()
    assert before == random.getstate()
    with around:
        around.seed(3, "step 0")
        assert random.random() == drawn
        around.seed(3, "step 1")
        assert random.random() != drawn


def test_trials_that_stay_go_on_drawing_their_own_numbers() -> None:
    path = Loop(NETWORK, FromTorch(cls=Noisy), [5, 0, 7]).run(12)
    run = Loop(NETWORK, FromTorch(cls=Noisy), [5, 0, 7])
    run.run(6)
    rows = torch.tensor([1, 2])
    run.params, run.state = run.params[rows], run.optimizer.select(run.state, rows)
    run.oracle.keep(rows)
    run.run(6)
    torch.testing.assert_close(run.params, path[-1, rows], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", [Noisy, torch.optim.Adam])
def test_a_copied_state_goes_on_like_the_one_it_was_copied_from(cls: Any) -> None:
    run = Loop(NETWORK, FromTorch(cls=cls), [5, 0, 7])
    run.run(4)
    run.oracle.move(4)
    copied = copy.deepcopy(run.state)
    after, _ = run.optimizer.step(run.params, run.state, run.oracle, 1.0)
    again, _ = run.optimizer.step(run.params, copied, run.oracle, 1.0)
    assert not torch.equal(after, run.params)
    assert torch.equal(after, again)


def test_attributes_of_modules_are_set_while_the_class_works_and_then_put_back() -> None:
    seen: list[tuple[str, float]] = []

    class Looking(torch.optim.SGD):
        """Notes an attribute of a module."""

        def __init__(self, params: Any, lr: float = 1e-3) -> None:
            seen.append(("built", math.tau))
            super().__init__(params, lr)

        def step(self, closure: Any = None) -> None:
            seen.append(("stepped", math.tau))
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        Loop(Rosenbrock(), FromTorch(cls=Looking, attributes={"math.tau": 1.5}), [0]).run(1)
    assert {(what, value) for what, value in seen} == {("built", 1.5), ("stepped", 1.5)}
    assert math.tau == 2 * math.pi


class Own(torch.optim.Optimizer):
    """A rule of one's own for each parameter that has a gradient."""

    def __init__(self, params: Any, lr: float = 0.05) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore
        for p in self.param_groups[0]["params"]:
            if p.grad is not None:
                self.move(p, self.state[p])

    def move(self, p: Any, state: dict[str, Any]) -> None:
        p.sub_(self.param_groups[0]["lr"] * p.grad)


class NewGradient(Own):
    def move(self, p: Any, state: dict[str, Any]) -> None:
        p.grad = p.grad + 0.1 * p
        super().move(p, state)


class NewGradientData(Own):
    def move(self, p: Any, state: dict[str, Any]) -> None:
        p.grad.data = p.grad.sign()
        super().move(p, state)


class NewData(Own):
    def move(self, p: Any, state: dict[str, Any]) -> None:
        p.data = p.data - self.param_groups[0]["lr"] * p.grad


class NewDataOnce(Own):
    """Its parameters are its own tensors from the third step on."""

    def move(self, p: Any, state: dict[str, Any]) -> None:
        state["count"] = state.get("count", 0) + 1
        if state["count"] == 3:
            state["at"] = p.data = p.data.clone()
        state.get("at", p).sub_(self.param_groups[0]["lr"] * p.grad)


class ClearsGradients(Own):
    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        super().step()
        self.zero_grad()


class KeepsGradients(Own):
    """The last gradient is kept as it is, not copied."""

    def move(self, p: Any, state: dict[str, Any]) -> None:
        super().move(p, state)
        p.sub_(0.3 * self.param_groups[0]["lr"] * state.get("last", 0 * p.grad))
        state["last"] = p.grad


class KeepsStart(Own):
    """Notes the start when it is built, and is drawn to it."""

    def __init__(self, params: Any, lr: float = 0.05) -> None:
        super().__init__(params, lr)
        for p in self.param_groups[0]["params"]:
            self.state[p]["start"] = p.detach().clone()

    def move(self, p: Any, state: dict[str, Any]) -> None:
        super().move(p, state)
        p.lerp_(state["start"], 0.1)


class Freezes(Own):
    """Matrices stay after their third step."""

    def move(self, p: Any, state: dict[str, Any]) -> None:
        super().move(p, state)
        state["count"] = state.get("count", 0) + 1
        p.requires_grad_(p.ndim != 2 or state["count"] < 3)


class SparseGradient(Own):
    def move(self, p: Any, state: dict[str, Any]) -> None:
        super().move(p, state)
        p.grad = p.grad.to_sparse()


class Ahead(Own):
    """Steps with the gradient a little further up, and lays the data elsewhere for it."""

    @torch.no_grad()
    def step(self, closure: Any) -> None:  # pyright: ignore
        self.zero_grad()
        with torch.enable_grad():
            closure()
        here = [p.data for p in self.param_groups[0]["params"]]
        for p in self.param_groups[0]["params"]:
            p.data = p.data + 0.3 * p.grad.sign()
            p.grad = None
        with torch.enable_grad():
            closure()
        for p, data in zip(self.param_groups[0]["params"], here, strict=True):
            p.data = data
        super().step()


class ClearsBeforeAsking(Own):
    @torch.no_grad()
    def step(self, closure: Any) -> None:  # pyright: ignore
        self.zero_grad()
        with torch.enable_grad():
            closure()
        super().step()


class AsksAhead(Own):
    """Moves on before it asks, once."""

    @torch.no_grad()
    def step(self, closure: Any) -> None:  # pyright: ignore
        for p in self.param_groups[0]["params"]:
            p.mul_(0.9)
        with torch.enable_grad():
            closure()
        super().step()


UNUSUAL = [NewGradient, NewGradientData, NewData, NewDataOnce, ClearsGradients, KeepsGradients, KeepsStart, Freezes]
UNUSUAL += [SparseGradient, Ahead, ClearsBeforeAsking, AsksAhead]


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("cls", UNUSUAL)
def test_what_a_class_does_with_its_tensors_is_as_in_a_bare_torch_loop(cls: Any, share: bool) -> None:
    run = Loop(NETWORK, FromTorch(cls=cls, share=share), [5, 0, 7])
    bare = torch.stack([torch_path(NETWORK, cls, seed, 20) for seed in [5, 0, 7]], dim=1)
    torch.testing.assert_close(run.run(10), bare[:10], rtol=1e-12, atol=1e-12)
    run.keep([0, 2])
    run.state = copy.deepcopy(run.state)
    torch.testing.assert_close(run.run(10), bare[10:, [0, 2]], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", UNUSUAL)
def test_what_a_class_does_with_its_tensors_is_as_in_a_bare_torch_loop_for_one_trial(cls: Any) -> None:
    path = Loop(Rosenbrock(n=3), FromTorch(cls=cls, settings={"lr": 1e-4}), [5]).run(20)
    torch.testing.assert_close(path[:, 0], torch_path(Rosenbrock(n=3), cls, 5, 20, lr=1e-4), rtol=1e-12, atol=1e-12)


def test_a_parameter_of_another_shape_is_told_in_one_line() -> None:
    class Flattening(Own):
        """Leaves its parameters as vectors."""

        def move(self, p: Any, state: dict[str, Any]) -> None:
            p.data = 2 * p.data.flatten()

    with pytest.raises(RuntimeError, match=r"Flattening gave a parameter of shape \(3, 2\) the shape \(6,\)$"):
        Loop(NETWORK, FromTorch(cls=Flattening), [0, 1]).run(1)


def test_numbers_of_a_configuration_become_what_the_class_means() -> None:
    settings = {"lr": "1e-3", "betas": [0.8, 0.99], "foreach": False}
    state = FromTorch.from_settings("torch.optim.NAdam", settings).init(NETWORK.start([0]), NETWORK.layout)
    group = state.optimizers[0].param_groups[0]
    assert (group["lr"], group["betas"], group["foreach"]) == (1e-3, (0.8, 0.99), False)


def test_defaults_are_those_of_the_constructor() -> None:
    assert defaults(torch.optim.NAdam)["betas"] == (0.9, 0.999)
    assert "params" not in defaults(torch.optim.NAdam)
    assert FromTorch(cls=torch.optim.NAdam).lr == 2e-3


def test_state_holds_the_tensors_of_the_class_and_no_workspace() -> None:
    run = Loop(NETWORK, FromTorch(cls=torch.optim.Adam), [0, 1])
    run.run(2)
    sizes = [
        sum(t.numel() for entry in optimizer.state.values() for key, t in entry.items() if key != "step")
        for optimizer in run.state.optimizers
    ]
    assert sum(sizes) == 2 * 2 * NETWORK.layout.n
