"""Products of schedules against torch's chain, and how their parts are written."""

from __future__ import annotations

import pytest
import torch
from contracts import column, torch_rates
from torch.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR, LinearLR, MultiStepLR

from optbench.errors import UsageError
from optbench.interfaces import Schedule, select
from optbench.plan import plan
from optbench.registry import build
from optbench.schedules.cosine import Cosine
from optbench.schedules.linear import Linear
from optbench.schedules.product import Product
from optbench.schedules.reduce_on_plateau import ReduceOnPlateau
from optbench.schedules.warmup import Warmup


def factors(schedule: Schedule, steps: int, trials: int = 1) -> list[float]:
    state = schedule.init(trials, steps)
    return [schedule.factor(step, steps, state) for step in range(steps)]


def test_it_equals_torchs_chain() -> None:
    def build(o: torch.optim.Optimizer) -> ChainedScheduler:
        return ChainedScheduler([LinearLR(o, 1 / 10, 1.0, 9), ExponentialLR(o, 0.99), MultiStepLR(o, [50, 120], 0.3)])

    rate = -200 * torch.tensor(0.99, dtype=torch.float64).log().item()
    parts = (
        "warmup",
        {"name": "exponential", "rate": rate},
        {"name": "multistep", "milestones": (50, 120), "gamma": 0.3},
    )
    ours = factors(Product(parts=parts), 200)
    assert ours == pytest.approx(torch_rates(200, build), rel=1e-12, abs=0)


def test_a_constant_part_equals_torchs_chain() -> None:
    def build(o: torch.optim.Optimizer) -> ChainedScheduler:
        return ChainedScheduler([ConstantLR(o, 0.25, 30), LinearLR(o, 1.0, 0.1, 100)])

    ours = factors(Product(parts=(Warmup(form="constant", start=0.25, over=30.0), Linear(until=0.5, end=0.1))), 200)
    assert ours == pytest.approx(torch_rates(200, build), rel=1e-12, abs=0)


def test_names_mappings_and_schedules_mean_the_same() -> None:
    forms = [("cosine", "warmup"), ({"name": "cosine"}, {"name": "warmup"}), (Cosine(), Warmup())]
    first, *others = (factors(Product(parts=parts), 50) for parts in forms)
    assert all(other == first for other in others)


def test_each_part_sees_the_losses_and_keeps_its_own_state() -> None:
    patient, hasty = ReduceOnPlateau(patience=9.0), ReduceOnPlateau(patience=1.5, gamma=0.5)
    schedule, loss = Product(parts=(patient, hasty)), torch.tensor([1.0, 2.0], dtype=torch.float64)
    state, alone = schedule.init(2, 20), [patient.init(2, 20), hasty.init(2, 20)]
    for step in range(20):
        expected = [part.factor(step, 20, s) for part, s in zip((patient, hasty), alone, strict=True)]
        torch.testing.assert_close(schedule.factor(step, 20, state), expected[0] * expected[1], rtol=0, atol=0)
        state = schedule.observe(state, loss)
        alone = [part.observe(s, loss) for part, s in zip((patient, hasty), alone, strict=True)]
    assert (schedule.factor(20, 20, state) == 0.1 * 0.5**6).all()


def test_parts_may_hold_columns_and_are_selected_with_the_trials() -> None:
    schedule = Product(parts=({"name": "linear", "end": column(0.0, 0.1, 0.2)}, Warmup(over=column(2.0, 4.0, 8.0))))
    fewer = select(schedule, torch.tensor([2, 0]))
    for step in range(12):
        whole = schedule.factor(step, 12, schedule.init(3, 12))
        assert torch.equal(fewer.factor(step, 12, fewer.init(2, 12)), whole[[2, 0]])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], r"Product: parts must be a list of schedules such as \[warmup,cosine\], got \(\)"),
        (["cosin"], r"Product: parts\[0\]: no schedule is called 'cosin'; did you mean 'cosine'"),
        (
            ["linear", {"name": "cosine", "flor": 1}],
            r"Product: parts\[1\]: cosine has no setting 'flor'; did you mean 'floor'",
        ),
        ([{"floor": 0.1}], r"Product: parts\[0\] must be a name or \{name: cosine, floor: 0.1\}, got \{'floor': 0.1\}"),
        ([{"name": "cosine", "floor": 2}], r"Product: parts\[0\]: Cosine: floor must lie in \[0, 1\], got 2"),
        (
            [{"name": "product", "parts": ["linera"]}],
            r"parts\[0\]: Product: parts\[0\]: no schedule is called 'linera'",
        ),
    ],
)
def test_parts_that_cannot_be_built_are_refused_in_one_line(parts: list[object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build("schedule", "product", {"parts": parts})


def test_from_the_command_line_parts_are_named_and_their_settings_changed() -> None:
    words = ["schedule=product", "schedule.parts=[{name: warmup, over: 10},cosine]", "schedule.parts.cosine.floor=0.1"]
    (run,) = plan(words).runs
    built = run.build_schedule()
    assert built.schedules == (Warmup(over=10.0), Cosine(floor=0.1))
    assert run.labels["schedule"] == "product(parts=[warmup(over=10),cosine(floor=0.1)])"


def test_the_parts_that_stand_there_by_default_can_be_set_too() -> None:
    (run,) = plan(["schedule=product", "schedule.parts.linear.end=0.5"]).runs
    assert run.build_schedule().schedules == (Warmup(), Linear(end=0.5))


def test_a_run_is_another_where_the_source_of_a_part_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["schedule=product", "schedule.parts=[warmup,{name: product, parts: [cosine]}]"]
    before = plan(words).runs[0].run_id
    from optbench import runs

    real = runs.fingerprint
    monkeypatch.setattr(runs, "fingerprint", lambda cls: "edited" if cls is Cosine else real(cls))
    assert plan(words).runs[0].run_id != before
