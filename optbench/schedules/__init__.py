"""Learning-rate schedules, one a file: a factor on the rate as a function of (step, steps)."""

from ..interfaces import Schedule
from .constant import Constant
from .cosine import Cosine
from .exponential import Exponential
from .halving import Halving
from .inverse import Inverse
from .linear import Linear

SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "exponential": Exponential,
    "halving": Halving,
    "inverse": Inverse,
    "linear": Linear,
    "cosine": Cosine,
}
