"""Learning-rate schedules, one a file: a factor on the rate as a function of (step, steps)."""

from ..interfaces import Schedule
from .constant import Constant
from .cosine import Cosine
from .cosine_restarts import CosineRestarts
from .cyclic import Cyclic
from .exponential import Exponential
from .halving import Halving
from .inverse import Inverse
from .inverse_sqrt import InverseSqrt
from .linear import Linear
from .multistep import MultiStep
from .one_cycle import OneCycle
from .one_cycle_momentum import OneCycleMomentum
from .polynomial import Polynomial
from .product import Product
from .reduce_on_plateau import ReduceOnPlateau
from .sequence import Sequence
from .trapezoid import Trapezoid
from .warmup import Warmup
from .wsd import WSD

SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "exponential": Exponential,
    "halving": Halving,
    "multistep": MultiStep,
    "inverse": Inverse,
    "inverse_sqrt": InverseSqrt,
    "linear": Linear,
    "polynomial": Polynomial,
    "cosine": Cosine,
    "cosine_restarts": CosineRestarts,
    "cyclic": Cyclic,
    "one_cycle": OneCycle,
    "one_cycle_momentum": OneCycleMomentum,
    "wsd": WSD,
    "trapezoid": Trapezoid,
    "reduce_on_plateau": ReduceOnPlateau,
    "warmup": Warmup,
    "product": Product,
    "sequence": Sequence,
}
