"""What tests of whole sweeps share: a folder of their own, the command line in this process, a plugin file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jaxtyping
import pytest
import shapes
import torch

from optbench.cli import main

torch.set_num_threads(1)

MINE = '''
import torch


class Mine(torch.optim.Optimizer):
    """Plain descent."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * p.grad
'''
"""A torch optimizer as a person would write it: the same as sgd."""


@dataclass(frozen=True)
class Said:
    """What a command left: its exit status, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr; fails where there are more, or none."""
        (line,) = self.err.splitlines()
        assert line.startswith("optbench: ")
        return line


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; what commands do to the import path is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.fixture
def typed(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`typed("run", "steps=5")`: the command line in this process and the folder."""

    def run(*words: str) -> Said:
        capfd.readouterr()
        status = main(words)
        out, err = capfd.readouterr()
        return Said(status, out, err)

    return run


@pytest.fixture
def mine(folder: Path) -> Path:
    """A file with an optimizer of one's own."""
    (folder / "mine.py").write_text(MINE)
    return folder / "mine.py"


@pytest.fixture(autouse=True)
def types_checked() -> None:
    """The first calls of every test."""
    shapes.begin()


@pytest.fixture
def types_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As people run it: without the type checks that tests add, whose errors would come before optbench's own."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
