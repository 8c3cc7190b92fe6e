"""Methods for matrices of odd sizes: no trial's bits depend on the others."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from optbench.interfaces import Layout
from optbench.optimizers import OPTIMIZERS

SHAPES = [(13, 31), (65, 10), (7, 257)]


class Given:
    """Gradients of five trials by step, of which some are present."""

    fixed = False

    def __init__(self, trials: list[int], n: int):
        self.trials, self.n, self.step = trials, n, 0

    def __call__(self, params: Any, rows: Any = None) -> Any:
        generator = torch.Generator().manual_seed(self.step)
        self.step += 1
        grad = torch.randn(5, self.n, generator=generator)
        return torch.zeros(len(self.trials)), grad[self.trials]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["adafactor", "muon", "psgd_kron", "shampoo", "soap"])
def test_bits_do_not_depend_on_the_company_whatever_the_sizes(name: str, shape: tuple[int, int]) -> None:
    layout = Layout(("w", "b"), (shape, shape[:1]), ("weight", "bias"))
    start = torch.randn(5, layout.n, generator=torch.Generator().manual_seed(9))
    rule: Any = OPTIMIZERS[name]()

    def ends(trials: list[int]) -> torch.Tensor:
        params, oracle = start[trials], Given(trials, layout.n)
        state = rule.init(params, layout)
        for _ in range(12):
            params, state = rule.step(params, state, oracle, 1.0)
        return params

    whole = ends([0, 1, 2, 3, 4])
    for trials in ([1, 3], [2, 3, 4]):
        assert torch.equal(ends(trials), whole[trials])
