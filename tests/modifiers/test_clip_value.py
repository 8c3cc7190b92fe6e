"""Clipping element by element, against torch."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet, torch_path

from optbench.modifiers.clip_value import ClipValue
from optbench.optimizers.sgd import SGD


def test_it_equals_torch() -> None:
    def clip(parameters: list[torch.nn.Parameter], step: int) -> None:
        torch.nn.utils.clip_grad_value_(parameters, 0.05)

    path = Loop(TinyNet(), SGD(lr=0.1), [1], modifiers=[ClipValue(max_value=0.05)]).run(50)[:, 0]
    bare = torch_path(TinyNet(), torch.optim.SGD, 1, 50, prepare=clip, lr=0.1)
    torch.testing.assert_close(path, bare, rtol=1e-12, atol=1e-12)
    assert (path[-1] - Loop(TinyNet(), SGD(lr=0.1), [1]).run(50)[-1, 0]).abs().max() > 0.01


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ClipValue: max_value must lie in \(0, inf\), got 0"):
        ClipValue(max_value=0.0)
