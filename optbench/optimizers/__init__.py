"""Optimizers, one a file."""

from ..interfaces import Optimizer
from .adabelief import AdaBelief
from .adabound import AdaBound
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adam_flow import AdamFlow
from .adamax import Adamax
from .adamw import AdamW
from .ademamix import AdEMAMix
from .adopt import ADOPT
from .amsgrad import AMSGrad
from .asgd import ASGD
from .barzilai_borwein import BarzilaiBorwein
from .bfgs import BFGS
from .cocob import COCOB
from .conjugate_gradient import ConjugateGradient
from .dadapt_adam import DAdaptAdam
from .dadapt_sgd import DAdaptSGD
from .dog import DoG
from .from_torch import FromTorch
from .gauss_newton import GaussNewton
from .gradient_flow import GradientFlow
from .hessian_free import HessianFree
from .kfac import KFAC
from .lamb import LAMB
from .lars import LARS
from .lbfgs import LBFGS
from .lion import Lion
from .mars import MARS
from .momentum import Momentum
from .muon import Muon
from .nadam import NAdam
from .nadamw import NAdamW
from .natural_gradient import NaturalGradient
from .nesterov import Nesterov
from .newton import Newton
from .polyak import Polyak
from .prodigy import Prodigy
from .projected import Projected
from .proximal import Proximal
from .psgd_kron import PSGDKron
from .radam import RAdam
from .rmsprop import RMSProp
from .rprop import Rprop
from .schedulefree_adamw import ScheduleFreeAdamW
from .schedulefree_sgd import ScheduleFreeSGD
from .sgd import SGD
from .shampoo import Shampoo
from .sign_flow import SignFlow
from .signsgd import SignSGD
from .signum import Signum
from .soap import SOAP
from .sophia import Sophia
from .tiger import Tiger
from .trust_region import TrustRegion

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "asgd": ASGD,
    "proximal": Proximal,
    "projected": Projected,
    "lars": LARS,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "amsgrad": AMSGrad,
    "adamax": Adamax,
    "nadam": NAdam,
    "nadamw": NAdamW,
    "radam": RAdam,
    "adabelief": AdaBelief,
    "adabound": AdaBound,
    "ademamix": AdEMAMix,
    "adopt": ADOPT,
    "mars": MARS,
    "lamb": LAMB,
    "adafactor": Adafactor,
    "lion": Lion,
    "tiger": Tiger,
    "signsgd": SignSGD,
    "signum": Signum,
    "rprop": Rprop,
    "polyak": Polyak,
    "barzilai_borwein": BarzilaiBorwein,
    "dadapt_sgd": DAdaptSGD,
    "dadapt_adam": DAdaptAdam,
    "prodigy": Prodigy,
    "dog": DoG,
    "cocob": COCOB,
    "schedulefree_sgd": ScheduleFreeSGD,
    "schedulefree_adamw": ScheduleFreeAdamW,
    "sophia": Sophia,
    "muon": Muon,
    "shampoo": Shampoo,
    "soap": SOAP,
    "psgd_kron": PSGDKron,
    "bfgs": BFGS,
    "lbfgs": LBFGS,
    "conjugate_gradient": ConjugateGradient,
    "newton": Newton,
    "gauss_newton": GaussNewton,
    "natural_gradient": NaturalGradient,
    "trust_region": TrustRegion,
    "hessian_free": HessianFree,
    "kfac": KFAC,
    "gradient_flow": GradientFlow,
    "sign_flow": SignFlow,
    "adam_flow": AdamFlow,
    "from_torch": FromTorch,
}
