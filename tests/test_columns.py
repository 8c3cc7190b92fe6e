"""Long rows: block by block and compiled, against the rule as it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from contracts import Loop, varied
from optbench.problems.rosenbrock import Rosenbrock
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from optbench import columns
from optbench.checks import UsageError
from optbench.columns import Stepper, elementwise
from optbench.interfaces import FirstOrder, Layout, Optimizer
from optbench.optimizers import OPTIMIZERS
from optbench.optimizers.adam import Adam
from optbench.traced import Traced

N = 700
LONG = Layout(("w",), ((N,),), ("weight",))


def built(name: str, trials: int) -> Optimizer[Any] | None:
    """The optimizer, with settings that differ between the trials; None where it does not treat elements apart."""
    if name == "from_torch":
        return None
    rule = OPTIMIZERS[name](**(varied(OPTIMIZERS[name], trials, torch.float64) if trials > 1 else {}))
    return rule if elementwise(rule) else None


class Given:
    """An oracle with gradients of its own at each step."""

    def __init__(self, trials: int):
        self.trials, self.step = trials, 0

    def __call__(self, params: torch.Tensor, rows: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(self.step)
        self.step += 1
        return torch.zeros(self.trials), torch.randn(self.trials, N, generator=generator, dtype=torch.float64)


def path(rule: Optimizer[Any], make_step: Any, trials: int, steps: int = 6) -> torch.Tensor:
    """The points passed, with a rate that falls."""
    params = torch.linspace(-2, 3, trials * N, dtype=torch.float64).view(trials, N)
    state, oracle, seen = rule.init(params, LONG), Given(trials), []
    for step in range(steps):
        params, state = make_step(params, state, oracle, 1 - step / 10)
        seen.append(params.clone())
    return torch.stack(seen)


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
    with pytest.raises(UsageError, match=r"^compile=true needs a C\+\+ compiler; install g\+\+ or set compile=false$"):
        Stepper(compiled=True)


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
