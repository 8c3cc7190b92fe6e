"""Optimizers, one a file."""

from ..interfaces import Optimizer
from .adagrad import Adagrad
from .adam import Adam
from .adamw import AdamW
from .from_torch import FromTorch
from .lbfgs import LBFGS
from .lion import Lion
from .momentum import Momentum
from .nesterov import Nesterov
from .rmsprop import RMSProp
from .sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "lion": Lion,
    "lbfgs": LBFGS,
    "from_torch": FromTorch,
}
