"""Learning-rate schedules, one a file: a factor on the rate as a function of (step, steps)."""

from ..interfaces import Schedule
from .constant import Constant

SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
}
