"""What a sweep ran on and with: versions, commit, device, threads; gathered once, never for each run."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "hydra-core", "matplotlib")


def provenance(device: str, threads: int = 1, workers: int = 1) -> dict[str, Any]:
    """Versions, commit, machine and device of this process.

    Args:
        device: the torch device of the runs.
        threads: threads of each worker.
        workers: worker processes.
    """
    return {
        "optbench": _version("optbench"),
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "workers": workers,
        "device": device,
        "device_name": device_name(device),
        "cuda": torch.version.cuda,
    }


def device_name(device: str) -> str:
    """The graphics card's name, or the processor's."""
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else _processor()


@functools.cache
def host_hash(device: str) -> str:
    """Equal where times and bits may be compared: the same processor, device, threads and versions of torch and numpy."""
    facts = (
        device_name(device),
        torch.backends.cpu.get_cpu_capability(),
        torch.get_num_threads(),
        torch.__version__,
        _version("numpy"),
        platform.machine(),
    )
    return hashlib.blake2b(repr(facts).encode(), digest_size=6).hexdigest()


def _commit() -> str:
    """The commit of the checkout this package lies in, with "+" where files differ from it; empty outside one."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return described.stdout.strip()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.cache
def _processor() -> str:
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            return platform.processor()
    return platform.processor() or platform.machine()
