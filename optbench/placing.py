"""In which floating-point type and on which device the tensors of a run are, by name."""

from __future__ import annotations

from typing import Any

import torch

from .errors import UsageError, near

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}


def checked_dtype(word: Any) -> str:
    """This name of a dtype.

    Raises:
        UsageError: there is none of that name, or no problem has parameters of it.
    """
    if str(word) not in DTYPES:
        raise UsageError(
            f"dtype must be one of {', '.join(DTYPES)} or null, got {str(word)!r}{near(str(word), DTYPES)}"
        )
    return str(word)


def checked_device(word: Any) -> str:
    """This name of a device.

    Raises:
        UsageError: there is none of that name, or it is not here.
    """
    try:
        device = torch.device(str(word))
    except RuntimeError:
        raise UsageError(f"device must be cpu, cuda or cuda:0, got {str(word)!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "device=cuda, but torch sees no CUDA device here; use device=cpu, or install a CUDA build of torch"
        )
    return str(word)
