"""Long rows: block by block and compiled, against the rule as it is written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from contracts import Loop, varied
from optbench.problems.rosenbrock import Rosenbrock
from stepping import LONG, Given, N, Own, path, ways, zeros
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from optbench import columns
from optbench.apart import apart
from optbench.checks import UsageError
from optbench.columns import Stepper, elementwise
from optbench.interfaces import FirstOrder, Layout, Optimizer
from optbench.optimizers import OPTIMIZERS
from optbench.optimizers.adam import Adam
from optbench.optimizers.momentum import Momentum
from optbench.optimizers.proximal import Proximal
from optbench.plan import plan
from optbench.schedules.several import scaled
from optbench.tape import PlainError
from optbench.traced import Traced


def built(name: str, trials: int, dtype: torch.dtype = torch.float64) -> Optimizer[Any] | None:
    """The optimizer, with settings that differ between the trials; None where it does not treat elements apart."""
    if name == "from_torch":
        return None
    rule = OPTIMIZERS[name](**(varied(OPTIMIZERS[name], trials, dtype) if trials > 1 else {}))
    return rule if elementwise(rule) else None


@pytest.mark.parametrize(("trials", "over"), [(1, True), (3, False)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_block_by_block_is_the_rule_to_the_bit(
    name: str, trials: int, over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = built(name, trials)
    if rule is None:
        return
    monkeypatch.setattr(columns, "LARGE", 0)
    monkeypatch.setattr(columns, "BLOCK", 1)  # 256 columns are the least
    stepper = Stepper()
    found = path(rule, lambda *given: stepper(rule, *given, over=over), trials)
    torch.testing.assert_close(found, path(rule, rule.step, trials), rtol=0, atol=0)
    binds = [kernel.bind for kernel in stepper._traced._kernels.values()]
    assert binds  # it did go in blocks
    assert not any(isinstance(bind, PlainError) for bind in binds)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # in torch's own code
@pytest.mark.parametrize(
    ("name", "trials"), [*((name, 1) for name in OPTIMIZERS), ("adam", 3), ("nadam", 3), ("asgd", 3)]
)
def test_compiled_it_is_the_rule_at_every_step(name: str, trials: int) -> None:
    rule = built(name, trials)
    if rule is None:
        return
    stepper = Stepper(compiled=True)
    steps = 9  # torch compiles a function 8 times at most
    found = path(rule, lambda *given: stepper(rule, *given), trials, steps)
    torch.testing.assert_close(found, path(rule, rule.step, trials, steps), rtol=1e-12, atol=1e-14)
    assert len(stepper._traced._kernels) <= 2


def test_a_state_given_by_others_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "LARGE", 0)
    rule, params = Adam(lr=0.1), torch.zeros(2, N, dtype=torch.float64)
    given, stepper = rule.init(params, LONG), Stepper()
    _, state = stepper(rule, params, given, Given(2), 1.0)
    assert given.m.abs().max() == 0
    assert state.m.abs().max() > 0
    assert state.t == 1


def test_rules_that_look_at_other_elements_run_as_they_are() -> None:
    lbfgs, problem = OPTIMIZERS["lbfgs"](), Rosenbrock(n=4)
    assert not elementwise(lbfgs)
    ours, theirs = Loop(problem, lbfgs, [0, 1]), Loop(problem, lbfgs, [0, 1])
    ours.oracle.move(0)
    theirs.oracle.move(0)
    found, _ = Stepper(compiled=True)(lbfgs, ours.params, ours.state, ours.oracle, 1.0)
    expected, _ = lbfgs.step(theirs.params, theirs.state, theirs.oracle, 1.0)
    assert torch.equal(found, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # in torch's own code
@pytest.mark.parametrize("compiled", [False, True])
def test_one_graph_serves_all_steps_and_rates(compiled: bool) -> None:
    rule, traced = Adam(lr=0.1), Traced(compiled)

    def make_step(params: torch.Tensor, state: Any, oracle: Any, factor: float) -> Any:
        _, grad = oracle(params)
        after = torch.empty_like(params)
        return after, traced(rule, params, grad, state, rule.lr * factor, after, N)

    path(rule, make_step, 1, steps=9)
    assert len(traced._kernels) == 1


def test_without_a_compiler_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder

    def none() -> str:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    said, typed = r"^compile=true needs a C\+\+ compiler; install g\+\+ or set compile=false$", "compile=true"
    rule, params = Adam(lr=0.1), torch.zeros(2, N, dtype=torch.float64)
    with pytest.raises(UsageError, match=said):
        Stepper(compiled=True)(rule, params, rule.init(params, LONG), Given(2), 1.0)
    for optimizer in ("adam", "lbfgs,adam"):
        with pytest.raises(UsageError, match=said):
            plan([f"optimizer={optimizer}", typed])
    assert len(plan(["optimizer=lbfgs,muon,torch.optim.SGD", typed]).runs) == 3  # these are not compiled


@pytest.mark.slow
def test_where_compiling_fails_the_run_says_so_in_one_line(tmp_path: Path) -> None:
    words = ["run", "compile=true", "steps=3", "seeds=2", f"results={tmp_path / 'results'}"]
    found = subprocess.run(
        [sys.executable, "-m", "optbench", *words],
        env={**os.environ, "CXX": "/bin/true", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "error: compile=true: compiling fails with /bin/true (" in found.stderr
    assert "); mend that or set compile=false" in found.stderr
    assert "Traceback" not in found.stderr


def test_results_go_where_they_belong_without_new_memory() -> None:
    """What a person would write by hand for Adam: nine operations and one scratch tensor more than the state."""
    rule, traced = Adam(lr=0.1), Traced(False)
    params, grad = (torch.randn(1, N, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    state, after = rule.init(params, LONG), torch.empty_like(params)
    state = traced(rule, params, grad, state, rule.lr, after, N)

    class Allocated(TorchDispatchMode):
        """Notes operations that give new whole rows."""

        seen: list[str]

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            given = {
                x.untyped_storage().data_ptr() for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)
            }
            if (
                isinstance(out, torch.Tensor)
                and out.shape == params.shape
                and out.untyped_storage().data_ptr() not in given
            ):
                self.seen.append(str(func))
            return out

    with Allocated() as allocated:
        allocated.seen = []
        traced(rule, params, grad, state, rule.lr, after, N)
    assert allocated.seen == []


def test_what_is_read_later_is_not_written_over() -> None:
    """The new state swaps places with the old one, and both are read after the first is known."""

    class Swapping(NamedTuple):
        a: torch.Tensor
        b: torch.Tensor

    @dataclass(frozen=True, kw_only=True)
    class Swap(FirstOrder[Swapping]):
        lr: float = 0.1

        def init(self, params: torch.Tensor, layout: Layout) -> Swapping:
            return Swapping(torch.ones_like(params), 2 * torch.ones_like(params))

        def update(self, params: torch.Tensor, grad: torch.Tensor, state: Swapping, lr: Any) -> Any:
            a = state.b * grad
            b = state.a + a
            return params - lr * (state.a * state.b + a), Swapping(a, b)

    rule, traced = Swap(), Traced(False)

    def make_step(params: torch.Tensor, state: Any, oracle: Any, factor: float) -> Any:
        _, grad = oracle(params)
        after = torch.empty_like(params)
        return after, traced(rule, params, grad, state, rule.lr * factor, after, 256)

    torch.testing.assert_close(path(rule, make_step, 2), path(rule, rule.step, 2), rtol=0, atol=0)


def test_points_passed_may_be_kept_in_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensors of parameters and state change places, and are written over."""

    class Passed(NamedTuple):
        last: torch.Tensor
        older: torch.Tensor

    @dataclass(frozen=True, kw_only=True)
    class Back(FirstOrder[Passed]):
        lr: float = 0.1

        def init(self, params: torch.Tensor, layout: Layout) -> Passed:
            return Passed(params, params)

        def update(self, params: torch.Tensor, grad: torch.Tensor, state: Passed, lr: Any) -> Any:
            return state.older - lr * grad * state.last, Passed(params, state.last)

    monkeypatch.setattr(columns, "LARGE", 0)
    rule, stepper = Back(), Stepper()
    found = path(rule, lambda *given: stepper(rule, *given, over=True), 2)
    torch.testing.assert_close(found, path(rule, rule.step, 2), rtol=0, atol=0)


def test_memory_is_used_again_only_when_nobody_has_it() -> None:
    stepper = Stepper()
    params = torch.randn(1, N)
    first = stepper._room(params)
    view, address = first[:, 5:], first.data_ptr()
    second = stepper._room(params)
    assert second.data_ptr() != address
    del first
    third = stepper._room(params)
    assert third.data_ptr() not in (address, second.data_ptr())
    del view, third
    assert stepper._room(params).data_ptr() != second.data_ptr()


def anchored(x: torch.Tensor, g: torch.Tensor, state: Any, lr: Any) -> Any:
    t, anchor = state
    return x - lr * (g + 0.1 * (x - anchor)), (t + 1, x if t % 3 == 0 else anchor)


def alternating(x: torch.Tensor, g: torch.Tensor, state: Any, lr: Any) -> Any:
    t, m = state
    m = 0.9 * m + g
    return x - lr * (m if t % 2 else g), (t + 1, m)


def late(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - lr * (g * (t > 3)), t + 1


def masked(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - lr * torch.where(torch.full_like(g, t % 2 == 0, dtype=torch.bool), g, 0.1 * g), t + 1


def rotating(x: torch.Tensor, g: torch.Tensor, state: Any, lr: Any) -> Any:
    t, *kept = state
    turn = t % 3
    return x - lr * (g + kept[turn]), (t + 1, *(g if k == turn else old for k, old in enumerate(kept)))


def whole_at_first(x: torch.Tensor, g: torch.Tensor, v: torch.Tensor, lr: Any) -> Any:
    v = 0.9 * v + g
    return x - lr * v, v


def begun_late(x: torch.Tensor, g: torch.Tensor, v: torch.Tensor | None, lr: Any) -> Any:
    v = g if v is None else 0.9 * v + g
    return x - lr * v, v


def growing(x: torch.Tensor, g: torch.Tensor, kept: list[torch.Tensor], lr: Any) -> Any:
    return x - lr * (g + sum(kept)), [*kept[-2:], g]


def forgetting(x: torch.Tensor, g: torch.Tensor, state: Any, lr: Any) -> Any:
    t, v = state
    v = g if v is None else 0.9 * v + g
    return x - lr * v, (t + 1, None if t % 4 == 3 else v)


def passing(x: torch.Tensor, g: torch.Tensor, last: torch.Tensor, lr: Any) -> Any:
    return x - lr * g + 0.1 * (x - last), x


def swapping(x: torch.Tensor, g: torch.Tensor, state: Any, lr: Any) -> Any:
    t, a, b = state
    return x - lr * (a + g), (t + 1, b, a + g)


def exchanging(x: torch.Tensor, g: torch.Tensor, state: Any, lr: Any) -> Any:
    a, b = state
    return x - lr * (g + a - 0.5 * b), [b, a]


def with_a_made_tensor(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - lr * g * torch.tensor([1.0 / (1 + t)], dtype=x.dtype).mul_(2), t + 1


def with_something_unused(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    _ = 0.3 * g
    return x - lr / (1 + t) * g, t + 1


def reversed_difference(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return torch.rsub(g.clamp(min=-2 / (1 + t)), x, alpha=lr), t + 1


OWN: dict[str, tuple[Callable[[torch.Tensor], Any], Any, int]] = {
    "takes its anchor every third step": (lambda x: (0, x.clone()), anchored, 2),
    "reads another tensor every other step": (zeros(1), alternating, 2),
    "begins late, by a truth value": (lambda x: 0, late, 2),
    "makes a tensor of a truth value": (lambda x: 0, masked, 2),
    "has buffers that take turns": (zeros(3), rotating, 3),
    "has whole numbers that become broken": (lambda x: torch.zeros_like(x, dtype=torch.int64), whole_at_first, 1),
    "has no tensor before the first step": (lambda x: None, begun_late, 1),
    "forgets its state now and then": (lambda x: (0, None), forgetting, 1),
    "has a list that grows": (lambda x: [], growing, 1),
    "keeps the last point": (lambda x: x, passing, 1),
    "hands a tensor of its state on": (zeros(2), swapping, 1),
    "exchanges the tensors of its state": (lambda x: [x + 1, x - 1], exchanging, 1),
    "writes over a tensor made of numbers": (lambda x: 0, with_a_made_tensor, 1),
    "subtracts a multiple from, within a bound that falls": (lambda x: 0, reversed_difference, 1),
    "computes what nobody reads": (lambda x: 0, with_something_unused, 1),
}


@pytest.mark.parametrize(("trials", "over"), [(1, False), (3, True)])
@pytest.mark.parametrize("name", OWN)
def test_rules_of_ones_own_go_in_blocks_to_the_bit(
    name: str, trials: int, over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "LARGE", 0)
    monkeypatch.setattr(columns, "BLOCK", 1)
    begin, move, graphs = OWN[name]
    stepper = Stepper()
    found, expected = ways(Own(begin=begin, move=move), stepper, trials, over=over)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert not any(isinstance(kernel.bind, PlainError) for kernel in stepper._traced._kernels.values())
    widths = {key[1] for key in stepper._traced._kernels}
    assert len(stepper._traced._kernels) == graphs * len(widths)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # in torch's own code
@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("name", OWN)
def test_rules_of_ones_own_are_compiled(name: str, over: bool) -> None:
    begin, move, graphs = OWN[name]
    stepper = Stepper(compiled=True)
    found, expected = ways(Own(begin=begin, move=move), stepper, 2, over=over)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    assert len(stepper._traced._kernels) == graphs


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # in torch's own code
def test_compiled_the_point_before_the_step_is_kept() -> None:
    rule, stepper = Proximal(lr=0.1, strength=0.3, accelerated=True), Stepper(compiled=True)
    params = torch.linspace(-2, 3, 2 * N, dtype=torch.float64).view(2, N)
    state = rule.init(params, LONG)
    for _ in range(3):
        before = params.clone()
        params, state = stepper(rule, params, state, Given(2), 1.0)
        assert torch.equal(state.last, before)
        assert not torch.equal(params, before)


def test_settings_of_each_trial_under_a_schedule_are_inputs_of_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "LARGE", 0)
    stepper, steps = Stepper(), 6

    def trained(make_step: Any, rule: Any, name: str) -> torch.Tensor:
        turn = iter(range(steps))
        return path(rule, lambda *given: make_step(scaled(rule, {name: 1 - next(turn) / 10}), *given), 3, steps)

    column = torch.tensor([[0.9], [0.5], [0.1]], dtype=torch.float64)
    for rule, name in ((Momentum(lr=column, momentum=column), "momentum"), (Adam(betas=(column, 0.9)), "momentum")):
        found = trained(stepper, rule, name)
        torch.testing.assert_close(found, trained(lambda r, *given: r.step(*given), rule, name), rtol=0, atol=0)
    assert len(stepper._traced._kernels) == 2


def by_values(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - (lr if bool((g.abs() < 100).all()) else 0.5 * lr) * g, t + 1


def test_a_branch_on_values_is_that_of_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One value in the last column decides, which a rule run on the first would not see."""
    monkeypatch.setattr(columns, "LARGE", 0)
    rule, x = Own(begin=lambda x: 0, move=by_values), torch.zeros(1, N, dtype=torch.float64)
    grad = torch.ones_like(x)
    grad[0, -1] = 101
    after, _ = Stepper()(rule, x, 0, lambda *_: (torch.zeros(1), grad), 1.0)  # type: ignore[arg-type]
    assert torch.equal(after, -0.05 * grad)


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rules_of_ours_treat_elements_apart_where_they_say_so(name: str, trials: int) -> None:
    for dtype in (torch.float32, torch.float64):
        rule: Any = built(name, trials, dtype)
        if rule is not None:
            assert apart(rule, rule.lr, torch.zeros(trials, N, dtype=dtype))


def test_blocks_end_where_vectors_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch rounds a sigmoid otherwise in what is left over of its vectors."""
    monkeypatch.setattr(columns, "LARGE", 0)
    monkeypatch.setattr(columns, "BLOCK", 3 * 301)
    rule = Own(begin=lambda x: 0, move=lambda x, g, t, lr: (x - lr * g.sigmoid(), t + 1))
    params, n = torch.zeros(3, 1024), 1024
    grad = torch.randn(3, n, generator=torch.Generator().manual_seed(0))
    stepper, oracle = Stepper(), lambda *_: (torch.zeros(3), grad)
    found, _ = stepper(rule, params, 0, oracle, 1.0)  # type: ignore[arg-type]
    expected, _ = rule.step(params, 0, oracle, 1.0)  # type: ignore[arg-type]
    assert {key[1][1] for key in stepper._traced._kernels} == {256}
    assert torch.equal(found, expected)


def test_parameters_given_back_as_gradient_are_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of ½‖x‖² is x: a rule that moves x first reads its gradient afterwards."""

    def x_first(x: torch.Tensor, g: torch.Tensor, v: torch.Tensor, lr: Any) -> Any:
        return x - lr * (0.9 * v + g), 0.9 * v + g

    monkeypatch.setattr(columns, "LARGE", 0)
    rule = Own(begin=torch.zeros_like, move=x_first)
    for oracle in (lambda x: (torch.zeros(2), x), lambda x: (torch.zeros(2), x[:, :])):
        stepper = Stepper()
        found = path(rule, partial(stepper, rule, over=True), 2, oracle=oracle)
        torch.testing.assert_close(found, path(rule, rule.step, 2, oracle=oracle), rtol=0, atol=0)


@pytest.mark.parametrize("what", ["parameters", "gradient", "state"])
def test_a_rule_that_writes_over_what_it_is_given_is_refused_when_tried(what: str) -> None:
    def move(x: torch.Tensor, g: torch.Tensor, v: torch.Tensor, lr: Any) -> Any:
        {"parameters": x, "gradient": g, "state": v}[what].mul_(0.9)
        return x - lr * g, v + 0

    rule = Own(begin=torch.zeros_like, move=move)
    with pytest.raises(PlainError, match="writes over tensors that are given to it"):
        apart(rule, 0.1, torch.zeros(2, N))


def test_it_is_tried_once_for_settings_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "LARGE", 0)
    tried = []
    monkeypatch.setattr(columns, "apart", lambda *given: not tried.append(given))
    stepper, params = Stepper(), torch.ones(1, N)
    for lr, momentum in ((0.1, 0.9), (0.2, 0.8), (0.2, 0.0)):
        rule = Momentum(lr=lr, momentum=momentum)
        stepper(rule, params, rule.init(params, LONG), lambda *_: (torch.zeros(1), torch.ones(1, N)), 1.0)  # type: ignore[arg-type]
    assert len(tried) == 2
