"""optbench: which optimizer should I use, and did my change to one make it better?"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import load, optimizer, problem, run, schedule

__version__ = "0.1.0"
__all__ = ["load", "optimizer", "problem", "run", "schedule"]

# Matrix products whose bits do not depend on where a matrix begins, and so on the trials before it; MKL reads this once,
# when it is first used.
os.environ["MKL_CBWR"] = os.environ.get("MKL_CBWR") or "AUTO,STRICT"

_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "conf" / ".optbench-checkout").exists():  # in a checkout, problems/ and conf/ lie beside this package
    __path__.append(str(_checkout))


def __getattr__(name: str) -> Any:
    """Load the Python API when it is first used, so that `optbench --help` needs neither torch nor pandas."""
    if name in __all__:
        return getattr(importlib.import_module("optbench.api"), name)
    raise AttributeError(f"module 'optbench' has no attribute {name!r}")
