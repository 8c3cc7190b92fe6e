"""The momentum of the 1cycle policy against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from optbench.schedules.one_cycle_momentum import OneCycleMomentum


def momenta(steps: int, **settings: Any) -> list[float]:
    """What torch's scheduler does to the momentum."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=steps, **settings)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
@pytest.mark.parametrize(("pct_start", "base", "top"), [(0.3, 0.85, 0.95), (0.2, 0.5, 0.9)])
def test_it_equals_torch(three_phase: bool, anneal_strategy: str, pct_start: float, base: float, top: float) -> None:
    common = {"three_phase": three_phase, "anneal_strategy": anneal_strategy, "pct_start": pct_start}
    schedule = OneCycleMomentum(low=base / top, **common)
    ours = [top * schedule.factor(step, 200, ()) for step in range(200)]
    theirs = momenta(200, base_momentum=base, max_momentum=top, **common)
    assert ours == pytest.approx(theirs, rel=1e-12, abs=0)


def test_the_default_is_torchs_default() -> None:
    ours = [0.95 * OneCycleMomentum().factor(step, 100, ()) for step in range(100)]
    assert ours == pytest.approx(momenta(100), rel=1e-12, abs=0)
