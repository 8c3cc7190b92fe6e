"""Max-norm, against torch.renorm and by hand."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet

from optbench.interfaces import Layout
from optbench.modifiers.max_norm import MaxNorm
from optbench.optimizers.sgd import SGD

LAYOUT = Layout(
    ("0.weight", "0.bias", "1.weight", "2.weight", "2.bias"),
    ((5, 2, 3, 3), (5,), (5,), (4, 5), (4,)),
    ("weight", "bias", "norm", "weight", "bias"),
)


@pytest.mark.parametrize("limit", [0.5, 2.0, 4.0])
def test_it_equals_torch_renorm_but_for_what_that_adds(limit: float) -> None:
    params = torch.randn(3, LAYOUT.n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rule = MaxNorm(limit=limit)
    after, _ = rule.apply(params, params, 0.1, rule.init(params, LAYOUT, [0, 1, 2], 1))
    ours, given = LAYOUT.split(after), LAYOUT.split(params)
    for name, role in zip(LAYOUT.names, LAYOUT.roles, strict=True):
        for trial in range(3):
            w = given[name][trial]
            expected = w.renorm(2, 0, limit) if role == "weight" else w
            torch.testing.assert_close(ours[name][trial], expected, rtol=1e-6, atol=0)
    assert not torch.equal(after, params)


def test_units_worked_by_hand() -> None:
    layout = Layout(("weight", "bias"), ((3, 2), (3,)), ("weight", "bias"))
    x = torch.tensor([[3.0, 4.0, 0.3, 0.4, 0.0, 0.0, 9.0, 9.0, 9.0]], dtype=torch.float64).repeat(2, 1)
    after, _ = MaxNorm(limit=torch.tensor([[1.0], [10.0]], dtype=torch.float64)).apply(x, x, 0.1, layout)
    expected = torch.tensor([0.6, 0.8, 0.3, 0.4, 0.0, 0.0, 9.0, 9.0, 9.0], dtype=torch.float64)
    torch.testing.assert_close(after[0], expected, rtol=1e-14, atol=0)
    assert torch.equal(after[1], x[1])


def test_no_unit_is_ever_longer_and_some_reach_the_limit() -> None:
    problem = TinyNet()
    path = Loop(problem, SGD(lr=0.1), [0, 1], modifiers=[MaxNorm(limit=0.4)]).run(100)
    longest = torch.stack([problem.layout.split(x)["layer1.weight"].norm(dim=2).max() for x in path])
    assert longest.max() <= 0.4 * (1 + 1e-12)
    assert longest[-1] == pytest.approx(0.4)


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^MaxNorm: limit must lie in \(0, inf\), got 0$"):
        MaxNorm(limit=0.0)
