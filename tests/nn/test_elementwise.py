"""Functions of each number alone have the same bits in any company, in known layers and in modules of a person's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from optbench.nn import Network
from optbench.nn.elementwise import MULTIPLE, UNEVEN, Alike, alike, logistic

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "celu": F.celu,
    "softplus": F.softplus,
    "mish": F.mish,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "special_expit": torch.special.expit,
    "log_sigmoid": F.logsigmoid,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "atanh": lambda x: torch.atanh(0.9 * torch.cos(x)),
    "arctanh": lambda x: torch.arctanh(0.9 * torch.cos(x)),
    "exp2": torch.exp2,
    "special_exp2": torch.special.exp2,
    "pow": lambda x: torch.pow(exponent=x, self=1.7),  # type: ignore[call-overload]
    "__pow__": lambda x: x.abs() ** 1.7,
    "__rpow__": lambda x: 1.7**x,
    "float_power": lambda x: torch.float_power(1.7, x).to(x.dtype),
}
IN_MODULES = FUNCTIONS | {"method": lambda x: x.sigmoid(), "of a transposed": lambda x: F.softplus(x.mT).mT}
LAYERS: dict[str, nn.Module] = {
    str(layer): layer
    for layer in (
        *(nn.GELU(), nn.GELU("tanh"), nn.ELU(), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.LeakyReLU()),
        *(nn.SELU(), nn.CELU(), nn.Softplus(), nn.Mish(), nn.LogSigmoid(), nn.Softmax(-1), nn.PReLU(), nn.Hardswish()),
    )
}
DTYPES = (torch.float32, torch.float64)
COMPANIES = ([0, 1], [0, 1, 2], list(range(5)), list(range(11, 23)), [20, 3, 7, 9, 1, 15, 22])


class Own(nn.Module):
    """A module that optbench does not know."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.first, self.second, self.function = nn.Linear(4, 5), nn.Linear(5, 3), function

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.function(self.first(x)))


class OwnSequence(nn.Sequential):
    pass


def normal(*shape: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def differentiated(function: Callable[[Tensor], Tensor], x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    at = x.clone().requires_grad_()
    out = function(at)
    return out.detach(), torch.autograd.grad(out, at, slope)[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_torchs_and_their_bits_do_not_depend_on_the_company(name: str, dtype: torch.dtype) -> None:
    function = FUNCTIONS[name]
    for samples, width in ((1, 1), (5, 5), (3, 7), (11, 33), (64, 5)):
        x, slope = (normal(23, samples, width, dtype=dtype, seed=seed) for seed in (1, 2))
        whole = differentiated(lambda x: alike(function, x), x, slope)
        for found, expected in zip(whole, differentiated(function, x, slope), strict=True):
            torch.testing.assert_close(found, expected)
        for rows in COMPANIES:
            fewer = differentiated(lambda x: alike(function, x), x[rows], slope[rows])
            assert all(torch.equal(one, other[rows]) for one, other in zip(fewer, whole, strict=True)), (samples, width)


def test_all_names_of_uneven_functions_are_tried() -> None:
    assert set(FUNCTIONS) >= UNEVEN


@pytest.mark.parametrize("make", [nn.Sequential, OwnSequence])
@pytest.mark.parametrize("name", LAYERS)
def test_a_trial_with_any_activation_does_not_depend_on_its_company(name: str, make: type[nn.Sequential]) -> None:
    _does_not_depend_on_company(make(nn.Linear(4, 5), LAYERS[name], nn.Linear(5, 3)))


@pytest.mark.parametrize("name", IN_MODULES)
def test_a_function_in_a_module_of_ones_own_does_not_depend_on_company(name: str) -> None:
    _does_not_depend_on_company(Own(IN_MODULES[name]))


def _does_not_depend_on_company(module: nn.Module) -> None:
    network = Network(module)
    for dtype in DTYPES:
        params = network.start(range(23), "test", dtype, torch.device("cpu"))
        for samples in (1, 5, 13):
            x, slope = normal(23, samples, 4, dtype=dtype), normal(23, samples, 3, dtype=dtype, seed=1)
            whole = differentiated(lambda p, x=x: network(p, x), params, slope)
            for rows in COMPANIES:
                fewer = differentiated(lambda p, x=x, rows=rows: network(p, x[rows]), params[rows], slope[rows])
                assert torch.equal(fewer[0], whole[0][rows])
                assert torch.equal(fewer[1], whole[1][rows])


def test_a_module_without_uneven_functions_or_with_full_registers_is_left_to_torch() -> None:
    for module, samples, expected in (
        (Own(torch.tanh), 5, False),
        (Own(F.silu), MULTIPLE, False),
        (Own(F.silu), 5, True),
    ):
        network = Network(module)
        params = network.start([0, 1], "test", torch.float32, torch.device("cpu"))
        network(params, torch.ones(2, samples, 4))
        assert list(network._foreign[0]._uneven.values()) == [expected]


def test_what_is_done_in_place_and_functions_of_two_tensors_are_left_as_they_are() -> None:
    x, exponent = normal(5, dtype=torch.float64), torch.full((5,), 2.5, dtype=torch.float64)
    changed = x.clone()
    with Alike() as mode:
        assert torch.equal(F.elu(changed, 1.0, True), changed)
        assert torch.equal(changed, F.elu(x))
        assert torch.equal(torch.pow(x.abs(), exponent), x.abs() ** exponent)
    assert mode.met  # by F.elu(x) alone


def test_second_derivatives_pass() -> None:
    x = normal(7, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradgradcheck(logistic, x)
    assert torch.autograd.gradgradcheck(lambda x: alike(F.gelu, x), x)
