"""SGD: a step against the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


@dataclass(frozen=True, kw_only=True)
class SGD(FirstOrder[tuple[()]]):
    """Stochastic gradient descent; with the full batch, gradient descent.

        x ← x − lr · g

    Args:
        lr: step length for a gradient of length one; units of the parameters over units of the gradient.

    Raises:
        ValueError: lr lies outside its range; the message names the trial.

    Source: Robbins & Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951), 400-407,
    https://doi.org/10.1214/aoms/1177729586. Same result as torch.optim.SGD.
    """

    family: ClassVar[str] = "sgd"

    lr: Hyper = setting(1e-3, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> tuple[()]:
        return ()

    def update(self, params: Params, grad: Params, state: tuple[()], lr: Hyper) -> tuple[Params, tuple[()]]:
        return along(params, lr, grad), ()
