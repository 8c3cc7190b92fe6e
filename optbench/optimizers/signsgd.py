"""signSGD: every parameter moves by the same length, against the sign of its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


@dataclass(frozen=True, kw_only=True)
class SignSGD(FirstOrder[tuple[()]]):
    """Gradient descent by signs; some texts call it Rprop, which is this project's name for the rule with growing steps.

        x ← x − lr · sign(g)

    A parameter whose gradient is zero stays. It walks past plateaus and along ravines alike; with minibatches it goes
    wrong where the mean of a gradient's signs is not the sign of its mean.

    Args:
        lr: step length of every parameter, in units of the parameters.

    Raises:
        ValueError: lr lies outside its range; the message names the trial.

    Source: Bernstein, Wang, Azizzadenesheli & Anandkumar, "signSGD: compressed optimisation for non-convex problems",
    ICML 2018, Algorithm 1, https://arxiv.org/abs/1802.04434. Same result as torch.optim.RMSprop(alpha=0, eps=0) where
    no gradient is zero, and as pytorch_optimizer.SignSGD(momentum=0), whose default rate this is.
    """

    family: ClassVar[str] = "sign"

    lr: Hyper = setting(1e-3, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> tuple[()]:
        return ()

    def update(self, params: Params, grad: Params, state: tuple[()], lr: Hyper) -> tuple[Params, tuple[()]]:
        return along(params, lr, grad.sign()), ()
