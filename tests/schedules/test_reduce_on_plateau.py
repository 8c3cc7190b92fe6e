"""Reductions on a plateau against torch, for each trial apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import select
from optbench.optimizers.sgd import SGD
from optbench.schedules.constant import Constant
from optbench.schedules.product import Product
from optbench.schedules.reduce_on_plateau import ReduceOnPlateau
from optbench.schedules.warmup import Warmup
from optbench.trials import Trials

STEPS, TRIALS = 300, 4
SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"patience": 10.0}, {"patience": 10}),
    ({"patience": 0.0, "gamma": 0.9}, {"patience": 0, "factor": 0.9}),
    ({"patience": 0.02, "cooldown": 9.0, "gamma": 0.5}, {"patience": 6, "cooldown": 9, "factor": 0.5}),
    (
        {"patience": 5.0, "threshold": 0.2, "threshold_mode": "abs"},
        {"patience": 5, "threshold": 0.2, "threshold_mode": "abs"},
    ),
    ({"patience": 5.0, "threshold": 0.05, "floor": 0.02}, {"patience": 5, "threshold": 0.05, "min_lr": 0.02}),
]


def losses() -> torch.Tensor:
    """[STEPS, TRIALS]: noisy, falling at different speeds; one is not a number for a while."""
    random = torch.Generator().manual_seed(3)
    fall = torch.exp(-torch.arange(STEPS, dtype=torch.float64)[:, None] / torch.tensor([20.0, 60.0, 1e9, 150.0]))
    found = fall + 0.3 * torch.rand(STEPS, TRIALS, generator=random, dtype=torch.float64)
    found[40:45, 3] = torch.nan
    found[90, 1] = torch.inf
    return found


def factors(schedule: Any, seen: torch.Tensor) -> torch.Tensor:
    """The factors of a run that sees these losses, [steps, trials]."""
    state, found = schedule.init(seen.shape[1], len(seen)), []
    for step, loss in enumerate(seen):
        factor = schedule.factor(step, len(seen), state)
        found.append(torch.as_tensor(factor, dtype=seen.dtype).expand(seen.shape[1], 1)[:, 0])
        state = schedule.observe(state, loss)
    return torch.stack(found)


def torch_factors(seen: torch.Tensor, **settings: Any) -> torch.Tensor:
    """The same of torch's schedulers, one a trial."""
    columns = []
    for trial in range(seen.shape[1]):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0.0, **settings)
        rates = []
        for loss in seen[:, trial].tolist():
            rates.append(optimizer.param_groups[0]["lr"])
            scheduler.step(loss)
        columns.append(torch.tensor(rates, dtype=seen.dtype))
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize(("ours", "theirs"), SETTINGS)
def test_it_equals_torch_in_every_trial(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    found = factors(ReduceOnPlateau(smoothing=0.0, **ours), losses())
    torch.testing.assert_close(found, torch_factors(losses(), **theirs), rtol=1e-12, atol=1e-12)
    assert (found != found[:, :1]).any(), "the trials should differ, or this proves little"


def test_every_setting_may_differ_between_trials() -> None:
    values = {
        "gamma": (0.1, 0.5, 0.9, 0.3),
        "patience": (4.0, 0.0, 0.1, 7.0),
        "threshold": (0.0, 0.1, 1e-4, 0.01),
        "cooldown": (0.0, 5.0, 0.02, 2.0),
        "floor": (0.0, 0.01, 0.3, 0.0),
        "smoothing": (0.0, 0.9, 0.5, 0.3),
    }
    together = factors(ReduceOnPlateau(**{name: column(*v) for name, v in values.items()}), losses())
    for trial in range(TRIALS):
        alone = ReduceOnPlateau(**{name: v[trial] for name, v in values.items()})
        torch.testing.assert_close(
            together[:, trial], factors(alone, losses()[:, trial : trial + 1])[:, 0], rtol=1e-12, atol=0
        )


def test_with_smoothing_it_is_torch_on_the_running_mean() -> None:
    seen = losses()[:, :1]
    mean, means = seen[0], []
    for loss in seen:
        mean = 0.8 * mean + 0.2 * loss
        means.append(mean)
    found = factors(ReduceOnPlateau(smoothing=0.8, patience=10.0), seen)
    torch.testing.assert_close(found, torch_factors(torch.stack(means), patience=10), rtol=1e-12, atol=0)


def test_trials_can_be_selected_on_the_way() -> None:
    schedule, seen, rows = ReduceOnPlateau(patience=column(3.0, 5.0, 8.0, 2.0)), losses(), torch.tensor([3, 1])
    state = schedule.init(TRIALS, STEPS)
    for loss in seen[:100]:
        state = schedule.observe(state, loss)
    fewer, few = select((schedule, state), rows)
    for loss in seen[100:]:
        state, few = schedule.observe(state, loss), fewer.observe(few, loss[rows])
    assert torch.equal(schedule.factor(0, STEPS, state)[rows], fewer.factor(0, STEPS, few))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_run_with_it_keeps_the_type_of_the_parameters(dtype: torch.dtype) -> None:
    schedule = Product(parts=(Warmup(), ReduceOnPlateau(patience=0.0, gamma=0.5)))
    trials = Trials(TinyNet(dtype=dtype), SGD(lr=0.5), schedule, [], [0, 1, 2], 20)
    for step in range(20):
        trials.step(step)
    assert trials.params.dtype == dtype
    factor = trials.schedule.factor(19, 20, trials.schedule_state)
    assert isinstance(factor, torch.Tensor)
    assert factor.shape == (3, 1)
    assert factor.dtype == dtype
    assert (factor < 1).any()


def test_a_rate_that_is_too_high_is_lowered_until_the_run_comes_to_rest() -> None:
    def end(schedule: Any) -> float:
        trials = Trials(Rosenbrock(), SGD(lr=3e-3), schedule, [], [0], 2000)
        for step in range(2000):
            trials.step(step)
        return Rosenbrock().objective(trials.params, 2000).item()

    assert end(ReduceOnPlateau(smoothing=0.0, patience=20.0, gamma=0.5, floor=0.25)) < 0.1 * end(Constant())
