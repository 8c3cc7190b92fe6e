"""What rules do in a step, noted: which of them are graphs, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from stepping import Given, N, Own, path, ways, zeros

from optbench import columns
from optbench.checks import UsageError
from optbench.columns import Stepper
from optbench.tape import FILLS, UNTAGGED, VIEWS, PlainError

TRIED = 12
"""Steps over which a rule is tried; what it does later is found when it does it."""


@pytest.fixture(autouse=True)
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "LARGE", 0)
    monkeypatch.setattr(columns, "BLOCK", 1)  # 256 columns are the least


def by_values(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - (lr if bool((g.abs() < 100).all()) else 0.5 * lr) * g, t + 1


def by_norm(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - lr * g / g.norm(dim=1, keepdim=True), t + 1


def by_size(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - lr / x.shape[1] ** 0.5 * g, t + 1


def by_list(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - (lr if max(g[0].tolist()) > 0 else 0.5 * lr) * g, t + 1


def by_several(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - torch._foreach_mul([g], lr)[0], t + 1


def in_place(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
    return x - lr * g.clamp_(-1, 1), t + 1


JOINED = (
    r"^Own gives some parameters alone other bits than among all, .*; set `elementwise: .* = False` in the class, or c"
)
REFUSED = {
    by_values: r"^Own looks at the values of its tensors \(.*\); set compile=false$",
    by_list: r"^Own gives no single tensor by aten\.unbind\.int; set compile=false$",
    by_several: r"^Own gives no single tensor by aten\._foreach_mul\.Scalar; set compile=false$",
    by_norm: JOINED,
    by_size: JOINED,
    in_place: r"^Own writes over tensors that are given to it, where an update gives new ones; set compile=false$",
}


@pytest.mark.parametrize("move", REFUSED)
def test_what_cannot_go_in_blocks_is_stepped_as_it_is_written(move: Any) -> None:
    rule, stepper = Own(begin=lambda x: 0, move=move), Stepper()
    found, expected = ways(rule, stepper, 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert all(isinstance(kernel.bind, PlainError) for kernel in stepper._traced._kernels.values())
    params = torch.ones(2, N, dtype=torch.float64)
    with pytest.raises(UsageError, match=REFUSED[move]):
        Stepper(compiled=True)(rule, params, 0, Given(2), 1.0)


def half_of_the_first(g: torch.Tensor) -> torch.Tensor:
    return torch.cat([g[:, :1], 0.5 * g[:, 1:]], dim=1)


LATE: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "norm": (lambda g: g / g.norm(dim=1, keepdim=True), "uses aten.linalg_vector_norm"),
    "norm of all trials": (lambda g: g / g.norm(), "uses aten.linalg_vector_norm"),
    "sums so far": (lambda g: g.cumsum(1), "uses aten.cumsum"),
    "back to front": (lambda g: g.flip(1), "uses aten.flip"),
    "shifted": (lambda g: g.roll(1, 1), "uses aten.roll"),
    "shares": (lambda g: g.softmax(1), "uses aten._softmax"),
    "sorted": (lambda g: g.sort(1).values, "gives no single tensor by aten.sort"),
    "smoothed": (lambda g: torch.nn.functional.avg_pool1d(g[None], 3, 1, 1)[0], "uses aten.avg_pool"),
    "transposed": (lambda g: (g.T + g.T).T, "uses aten.permute"),
    "flat": (lambda g: g.reshape(-1).abs().reshape(g.shape), "gives its tensors another shape by aten.view"),
    "places": (lambda g: g * torch.arange(g.shape[1]), "works with numbers that depend on how many parameters"),
    "places from one": (lambda g: g * torch.ones(g.shape).cumsum(1), "uses aten.cumsum"),
    "size": (lambda g: g / g.shape[1] ** 0.5, "works with numbers that depend on how many parameters"),
    "a list as long": (lambda g: g * torch.tensor([1.0] * g.shape[1]), "works with numbers that depend on how many"),
    "the first alone": (half_of_the_first, "does other things for many|gives its tensors another shape"),
    "random": (lambda g: g + 0 * torch.rand(1, dtype=g.dtype), "draws random numbers by aten.rand"),
    "written over": (lambda g: g.detach().clamp_(-1, 1), "writes over tensors that are given to it"),
    "written over, its data": (lambda g: g.data[:, :].neg_(), "writes over tensors that are given to it"),
    "written elsewhere": (lambda g: torch.abs(g, out=torch.empty_like(g)), "writes with aten.abs.out"),
}


@pytest.mark.parametrize("name", LATE)
def test_what_joins_parameters_late_is_found_then(name: str) -> None:
    """Its steps are those of the rule all the same, and the steps before it go in blocks."""
    change, text = LATE[name]

    def move(x: torch.Tensor, g: torch.Tensor, t: int, lr: Any) -> Any:
        return x - lr * (change(g) if t > TRIED else g), t + 1

    rule, stepper = Own(begin=lambda x: 0, move=move), Stepper()
    found = path(rule, lambda *given: stepper(rule, *given), 2, TRIED + 4)
    torch.testing.assert_close(found, path(rule, rule.step, 2, TRIED + 4), rtol=0, atol=0)
    binds = [kernel.bind for kernel in stepper._traced._kernels.values()]
    assert not all(isinstance(bind, PlainError) for bind in binds)
    stepper.compiled = True
    params = torch.ones(2, N, dtype=torch.float64)
    with pytest.raises(UsageError, match=f"^Own ({text}).*; set compile=false$"):
        stepper(rule, params, TRIED + 1, Given(2), 1.0)


APART: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "filled": lambda g: g * torch.full_like(g, 0.5) + torch.zeros(g.shape, dtype=g.dtype),
    "expanded": lambda g: g + g.new_full((g.shape[0], 1), 0.5).expand_as(g),
    "looked at": lambda g: g[:, :].unsqueeze(0).view(g.shape),
    "cast": lambda g: g.float().to(g.dtype),
    "masked": lambda g: g.clone().masked_fill_(g > 1, 0.5),
    "a place filled": lambda g: torch.empty_like(g).copy_(g).mul_(0.5),
    "taken from": lambda g: torch.rsub(g, g.abs()),
    "compared in place": lambda g: g.clone().abs_().gt_(0.5) - torch.floor_divide(g, 0.3),
    "emptied": lambda g: g + g.clone().zero_(),
}


@pytest.mark.parametrize("name", APART)
def test_copies_fills_views_and_what_torch_does_not_tag_go_in_blocks(name: str) -> None:
    rule = Own(begin=lambda x: 0, move=lambda x, g, t, lr: (x - lr * APART[name](g), t + 1))
    stepper = Stepper()
    found = path(rule, lambda *given: stepper(rule, *given), 2)
    torch.testing.assert_close(found, path(rule, rule.step, 2), rtol=0, atol=0)
    binds = [kernel.bind for kernel in stepper._traced._kernels.values()]
    assert binds
    assert not any(isinstance(bind, PlainError) for bind in binds)


def test_the_operations_that_are_known_are_those_of_torch() -> None:
    for name in FILLS | UNTAGGED | VIEWS:
        assert hasattr(torch.ops.aten, name), name


NUMBERS: dict[str, tuple[Callable[[torch.Tensor], Any], Any]] = {
    "counts of each parameter": (
        lambda x: torch.zeros(x.shape, dtype=torch.int64),
        lambda x, g, c, lr: (x - lr * g * (0.3333333 * (c + 1)).sin(), c + (g > 0)),
    ),
    "a count without dimensions": (
        lambda x: (torch.zeros((), dtype=x.dtype), torch.zeros_like(x)),
        lambda x, g, s, lr: (x - lr * (s[1] + g) * (s[0] * 0.3), (s[0] + 0.1, s[1] + g)),
    ),
    "truth values": (zeros(1), lambda x, g, s, lr: (x - lr * ((g > 0) * 0.1 + g), (s[0] + 1, s[1] + (g > 0) * 0.7))),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_beside_whole_numbers_or_single_ones_keep_their_types(name: str) -> None:
    """In float32, where another type between would be seen in the bits."""
    begin, move = NUMBERS[name]
    rule, stepper = Own(begin=begin, move=move), Stepper()
    found = path(rule, partial(stepper, rule), 2, 9, dtype=torch.float32)
    assert stepper._traced._kernels
    torch.testing.assert_close(found, path(rule, rule.step, 2, 9, dtype=torch.float32), rtol=0, atol=0)
