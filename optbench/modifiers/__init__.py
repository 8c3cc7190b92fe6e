"""Modifiers, one a file, for every optimizer: they change what is minimised, what is told of it, or the step proposed.

Order is fixed where it matters: those on the problem first, in the order given (each changes what those before it
made), penalties on the objective, then those on the oracle in the order given, then the optimizer, then those on the
update by their turn (what changes the step, projections, lookahead, averages), and last those that act on the trials as a
whole.
"""

from ..interfaces import Modifier
from .accumulation import Accumulation
from .activation_l1 import ActivationL1
from .adaptive_clipping import AdaptiveClipping
from .adversarial import Adversarial
from .cautious import Cautious
from .centralisation import Centralisation
from .clip_norm import ClipNorm
from .clip_value import ClipValue
from .early_stopping import EarlyStopping
from .ema import EMA
from .gradient_noise import GradientNoise
from .gradient_penalty import GradientPenalty
from .interval import Interval
from .l1 import L1
from .l2 import L2
from .label_smoothing import LabelSmoothing
from .lookahead import Lookahead
from .max_norm import MaxNorm
from .orthogonal import Orthogonal
from .positive import Positive
from .project import Project
from .sam import SAM
from .swa import SWA
from .weight_decay import WeightDecay
from .weight_noise import WeightNoise

PLACES = ("problem", "objective", "oracle", "update", "trials")
"""In the order in which they work."""


def turn(modifier: Modifier | type[Modifier]) -> tuple[int, int]:
    """Sorts modifiers into the order in which they work; those with the same turn keep theirs."""
    return PLACES.index(modifier.place), getattr(modifier, "turn", 0)


MODIFIERS: dict[str, type[Modifier]] = {
    "clip_norm": ClipNorm,
    "clip_value": ClipValue,
    "adaptive_clipping": AdaptiveClipping,
    "gradient_noise": GradientNoise,
    "accumulation": Accumulation,
    "centralisation": Centralisation,
    "sam": SAM,
    "weight_decay": WeightDecay,
    "cautious": Cautious,
    "project": Project,
    "max_norm": MaxNorm,
    "lookahead": Lookahead,
    "ema": EMA,
    "swa": SWA,
    "l2": L2,
    "l1": L1,
    "label_smoothing": LabelSmoothing,
    "activation_l1": ActivationL1,
    "gradient_penalty": GradientPenalty,
    "adversarial": Adversarial,
    "weight_noise": WeightNoise,
    "early_stopping": EarlyStopping,
    "interval": Interval,
    "positive": Positive,
    "orthogonal": Orthogonal,
}
