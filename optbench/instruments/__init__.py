"""Instruments: what may be measured beside the objective, on request: `instruments=[gradient_norm,dead_units]`."""

from ..interfaces import Problem
from .activations import Activations, DeadUnits, Saturation
from .curvature import HessianEigenvalue, HessianTrace
from .instrument import Instrument, Surface, View
from .noise import GradientNoise
from .norms import GradientNorm, UpdateRatio, WeightNorm
from .sizes import ActivationBytes, GeneralisationGap
from .surfaces import LossLine, LossPlane

INSTRUMENTS: dict[str, type[Instrument] | type[Surface]] = {
    "gradient_norm": GradientNorm,
    "weight_norm": WeightNorm,
    "update_ratio": UpdateRatio,
    "dead_units": DeadUnits,
    "saturation": Saturation,
    "activations": Activations,
    "gradient_noise": GradientNoise,
    "hessian_eigenvalue": HessianEigenvalue,
    "hessian_trace": HessianTrace,
    "generalisation_gap": GeneralisationGap,
    "activation_bytes": ActivationBytes,
    "loss_line": LossLine,
    "loss_plane": LossPlane,
}

__all__ = ["INSTRUMENTS", "Instrument", "Problem", "Surface", "View"]
