"""Modifiers, one a file: they change what an optimizer is told, or the step it proposes, and work with every optimizer.

Order is fixed where it matters: penalties on the objective first, then those on the oracle in the order given, then the
optimizer, then those on the update in the order given.
"""

from ..interfaces import Modifier
from .clip_norm import ClipNorm
from .clip_value import ClipValue
from .l1 import L1
from .l2 import L2
from .weight_decay import WeightDecay

MODIFIERS: dict[str, type[Modifier]] = {
    "clip_norm": ClipNorm,
    "clip_value": ClipValue,
    "weight_decay": WeightDecay,
    "l2": L2,
    "l1": L1,
}
