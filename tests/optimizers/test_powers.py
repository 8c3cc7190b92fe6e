"""Powers of settings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from optbench.interfaces import Hyper
from optbench.optimizers.powers import power


def column_power(base: Hyper, exponent: Hyper) -> Tensor:
    made = power(base, exponent)
    assert isinstance(made, Tensor)
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("exponent", [1.0, 3.0, 1000.0, -0.8])
def test_a_number_does_not_depend_on_those_beside_it(dtype: torch.dtype, exponent: float) -> None:
    base = torch.linspace(0.5, 0.999, 45, dtype=dtype)[:, None]
    alone = torch.cat([column_power(base[k : k + 1], exponent) for k in range(45)])
    assert torch.equal(column_power(base, exponent), alone)
    assert torch.equal(
        column_power(exponent + 2, base), torch.cat([column_power(exponent + 2, b) for b in base[:, None]])
    )


def test_columns_give_what_python_gives() -> None:
    base = torch.tensor([[0.0], [1e-3], [0.9], [0.999], [2.5]], dtype=torch.float64)
    for exponent in (0.0, 0.5, 1.0, 7.0, 300.0):
        expected = torch.tensor([[math.pow(b, exponent)] for b in base[:, 0].tolist()], dtype=torch.float64)
        torch.testing.assert_close(column_power(base, exponent), expected, rtol=1e-13, atol=0)
    assert power(0.9, 3.0) == 0.9**3.0
    assert column_power(base.float(), 2.0).dtype == torch.float32
