"""Schedules of momentum, weight decay and modifiers: against torch, against settings changed by hand, and as they are typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from contracts import TinyNet, column
from torch import Tensor

from optbench.errors import UsageError
from optbench.execute import execute
from optbench.interfaces import Modifier, Optimizer, Problem, Schedule
from optbench.modifiers.clip_norm import ClipNorm
from optbench.modifiers.weight_decay import WeightDecay
from optbench.optimizers.adam import Adam
from optbench.optimizers.adamw import AdamW
from optbench.optimizers.momentum import Momentum
from optbench.optimizers.sgd import SGD
from optbench.plan import plan
from optbench.registry import build
from optbench.runs import Run
from optbench.schedules.constant import Constant
from optbench.schedules.cosine import Cosine
from optbench.schedules.cyclic import Cyclic
from optbench.schedules.linear import Linear
from optbench.schedules.one_cycle import OneCycle
from optbench.schedules.one_cycle_momentum import OneCycleMomentum
from optbench.schedules.reduce_on_plateau import ReduceOnPlateau
from optbench.schedules.several import Several
from optbench.trials import Trials

STEPS = 60


def path(optimizer: Optimizer[Any], schedule: Schedule, modifiers: Sequence[Modifier] = (), trials: int = 2) -> Tensor:
    """The points [STEPS, trials, n] of a run."""
    running = Trials(TinyNet(), optimizer, schedule, modifiers, list(range(trials)), STEPS)
    found = []
    for step in range(STEPS):
        running.step(step)
        found.append(running.params)
    return torch.stack(found)


def torch_path(problem: Problem, seed: int, make: Any, schedule: Any) -> Tensor:
    """The points [STEPS, n] of torch's optimizer under torch's scheduler."""
    stream, layout = problem.stream([seed]), problem.layout
    at = [torch.nn.Parameter(v[0].clone()) for v in layout.split(problem.start([seed])).values()]
    optimizer = make(at)
    scheduler, found = schedule(optimizer), []
    for step in range(STEPS):
        optimizer.zero_grad()
        problem.loss(torch.cat([p.reshape(1, -1) for p in at], dim=1), stream.at(step)).sum().backward()
        optimizer.step()
        scheduler.step()
        found.append(torch.cat([p.detach().reshape(-1) for p in at]))
    return torch.stack(found)


def one_cycle(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=STEPS + 1)


def test_rate_and_momentum_in_one_cycle_equal_torch() -> None:
    theirs = torch_path(TinyNet(), 0, lambda at: torch.optim.SGD(at, lr=0.05, momentum=0.95), one_cycle)
    schedule = Several(rate=OneCycle(), others={"momentum": OneCycleMomentum()})
    running = Trials(TinyNet(), Momentum(lr=0.05, momentum=0.95), schedule, [], [0, 1], STEPS + 1)
    for step in range(STEPS):
        running.step(step)
        torch.testing.assert_close(running.params[0], theirs[step], rtol=1e-9, atol=1e-12)


def test_the_momentum_of_an_optimizer_with_betas_is_the_first_as_in_torch() -> None:
    theirs = torch_path(TinyNet(), 0, lambda at: torch.optim.Adam(at, lr=0.05, betas=(0.95, 0.99)), one_cycle)
    schedule = Several(rate=OneCycle(), others={"momentum": OneCycleMomentum()})
    running = Trials(TinyNet(), Adam(lr=0.05, betas=(0.95, 0.99)), schedule, [], [0, 1], STEPS + 1)
    for step in range(STEPS):
        running.step(step)
        torch.testing.assert_close(running.params[0], theirs[step], rtol=1e-9, atol=1e-12)


def test_rate_and_momentum_in_cycles_equal_torch() -> None:
    def cycles(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.CyclicLR(optimizer, 0.01, 0.04, 10, base_momentum=0.6, max_momentum=0.9)

    theirs = torch_path(TinyNet(), 0, lambda at: torch.optim.SGD(at, lr=0.01, momentum=0.9), cycles)
    schedule = Several(rate=Cyclic(up=10.0), others={"momentum": Cyclic(up=10.0, floor=2 / 3, inverted=True)})
    torch.testing.assert_close(path(Momentum(lr=0.04), schedule)[:, 0], theirs, rtol=1e-9, atol=1e-12)


def test_the_decay_of_adamw_follows_a_schedule_of_its_own() -> None:
    def make(at: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(at, lr=0.01, weight_decay=0.5)

    class Decay(torch.optim.lr_scheduler.LRScheduler):
        """Lowers the decay on a line and leaves the rate alone."""

        def get_lr(self) -> list[float | Tensor]:
            for group in self.optimizer.param_groups:
                group["weight_decay"] = 0.5 * (1 - self.last_epoch / STEPS)
            return [group["lr"] for group in self.optimizer.param_groups]

    schedule = Several(rate=Constant(), others={"weight_decay": Linear(end=0.0)})
    ours = path(AdamW(lr=0.01, weight_decay=0.5), schedule)[:, 0]
    torch.testing.assert_close(ours, torch_path(TinyNet(), 0, make, Decay), rtol=1e-9, atol=1e-12)


def test_settings_of_modifiers_follow_schedules_too() -> None:
    decay = Several(rate=Cosine(), others={"weight_decay.strength": Linear(end=0.0)})
    ours = path(SGD(lr=0.1), decay, [WeightDecay(strength=0.2)])
    clip = Several(rate=Constant(), others={"clip_norm.max_norm": Linear(end=0.5)})
    clipped = path(SGD(lr=0.1), clip, [ClipNorm(max_norm=0.2)])
    problem = TinyNet()
    x, y = problem.start([0, 1]), problem.start([0, 1])
    stream = problem.stream([0, 1])
    for step in range(STEPS):
        rate = 0.1 * Cosine().factor(step, STEPS, ())
        grad = problem.loss_and_grad(x, stream.at(step))[1]
        strength = 0.2 * (1 - step / STEPS)
        x = x * (1 - rate * strength) - rate * grad
        torch.testing.assert_close(ours[step], x, rtol=1e-9, atol=1e-12)
        grad = problem.loss_and_grad(y, stream.at(step))[1]
        most = 0.2 * (1 - 0.5 * step / STEPS)
        y = y - 0.1 * grad * (most / grad.norm(dim=1, keepdim=True)).clamp(max=1)
        torch.testing.assert_close(clipped[step], y, rtol=1e-9, atol=1e-12)


def test_trials_with_settings_and_schedules_of_their_own_equal_separate_runs_and_can_be_selected() -> None:
    def schedule(end: Any) -> Several:
        plateau = ReduceOnPlateau(patience=2.0, gamma=0.5)
        return Several(rate=Constant(), others={"momentum": Linear(end=end), "weight_decay.strength": plateau})

    decay = [WeightDecay(strength=0.1)]
    running = Trials(
        TinyNet(), Momentum(momentum=column(0.9, 0.5, 0.8)), schedule(column(0.0, 0.5, 1.0)), decay, [0, 1, 2], 40
    )
    for step in range(40):
        if step == 20:
            running.keep(torch.tensor([2, 0]))
        running.step(step)
    for row, (seed, momentum, end) in enumerate([(2, 0.8, 1.0), (0, 0.9, 0.0)]):
        alone = Trials(TinyNet(), Momentum(momentum=momentum), schedule(end), decay, [seed], 40)
        for step in range(40):
            alone.step(step)
        torch.testing.assert_close(running.params[row], alone.params[0], rtol=1e-9, atol=1e-12)


def test_the_batch_size_follows_a_schedule_by_taking_the_first_samples_of_each_batch() -> None:
    problem, grown = (
        build("problem", "linear_regression", {"batch_size": 16, "dtype": torch.float64}),
        Linear(start=0.25, end=1.0),
    )
    running = Trials(
        problem, SGD(lr=0.05), Several(rate=Constant(), others={"batch_size": grown}), [], [0, 1, 2], STEPS
    )
    x, stream, sizes = problem.start([0, 1, 2]), problem.stream([0, 1, 2]), []
    for step in range(STEPS):
        batch, size = stream.at(step), round(16 * (0.25 + 0.75 * step / STEPS))
        x = x - 0.05 * problem.loss_and_grad(x, batch._replace(x=batch.x[:, :size], y=batch.y[:, :size]))[1]
        running.step(step)
        torch.testing.assert_close(running.params, x, rtol=1e-9, atol=1e-12)
        sizes.append(size)
    assert (sizes[0], sizes[-1]) == (4, 16)


def only(*words: str) -> Run:
    (run,) = plan(words).runs
    return run


def test_from_the_command_line() -> None:
    run = only(
        "optimizer=momentum",
        "schedule=one_cycle",
        "schedules.momentum=one_cycle_momentum",
        "schedules.momentum.low=0.5",
    )
    schedule = run.build_schedule()
    assert isinstance(schedule, Several)
    assert (schedule.rate, schedule.others) == (OneCycle(), {"momentum": OneCycleMomentum(low=0.5)})
    assert run.labels["schedule"] == "one_cycle(momentum=one_cycle_momentum(low=0.5))"
    clip = only("modifier=clip_norm", "schedules.clip_norm.max_norm=linear", "steps=5", "seeds=2")
    assert clip.labels["schedule"] == "constant(clip_norm.max_norm=linear)"
    assert execute(clip).trials["status"].to_pylist() == ["ok"] * 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # in torch's own code
def test_compiled_rules_follow_schedules_of_momentum_too() -> None:
    words = ["optimizer=momentum", "steps=40", "seeds=2", "schedules.momentum=linear"]
    found = [execute(only(*words, f"compile={compiled}")) for compiled in ("true", "false")]
    assert [tables.runs["status"].to_pylist() for tables in found] == [["ok"], ["ok"]]
    compiled, plain = (tables.curves.to_pandas() for tables in found)
    assert compiled["objective"].to_numpy() == pytest.approx(plain["objective"].to_numpy(), rel=1e-9)
    without = execute(only(*words[:3], "compile=false")).curves.to_pandas()
    assert without["objective"].to_numpy() != pytest.approx(plain["objective"].to_numpy(), rel=1e-3)


def test_without_them_a_run_is_the_same_as_ever_and_with_them_another() -> None:
    plain, scheduled = only("optimizer=momentum"), only("optimizer=momentum", "schedules.momentum=linear")
    assert "schedules" not in plain.config
    assert plain.run_id == only("optimizer=momentum", "schedules={}").run_id != scheduled.run_id
    assert isinstance(plain.build_schedule(), Constant)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["schedules.momentun=linear"],
            "schedules.momentun: momentum has no number 'momentun'; did you mean 'momentum'",
        ),
        (["schedules.momentum=linera"], "schedules.momentum: no schedule is called 'linera'; did you mean 'linear'"),
        (["schedules.momentum={name: linear, ned: 1}"], "schedules.momentum: linear has no setting 'ned'"),
        (
            ["optimizer=sgd", "modifier=weight_decay", "schedules.weight_decay=linear"],
            "weight_decay is a modifier; say which of its numbers: schedules.weight_decay.strength",
        ),
        (["schedules.momentum={}"], "^schedules.momentum names no schedule; write schedules.momentum=linear"),
        (["schedules.lr=linear"], "schedules.lr: the schedule of the rate is given by schedule="),
        (
            ["optimizer=adamw", "optimizer.weight_decay=0", "schedules.weight_decay=linear"],
            "has no effect: adamw.* has weight_decay=0",
        ),
        (
            ["optimizer=trust_region", "schedules.radius=linear"],
            "radius of trust_region can have no schedule, since it is looked at before the first step alone",
        ),
        (
            ["modifier=swa", "schedules.swa.start=linear"],
            "start of swa can have no schedule, since it is looked at before the first step alone",
        ),
        (["optimizer=lbfgs", "schedules.gtol=linear"], "since it tells when a trial has converged"),
        (["optimizer=adam", "schedules.beta1=linear"], r"adam has no number 'beta1' \(it has eps, momentum\)"),
        (["schedules.clip_norm.max_norm=linear"], r"clip_norm is not among the modifiers; add modifier=\[clip_norm\]"),
        (
            ["modifier=clip_norm", "schedules.clip_norm.norm=linear"],
            r"clip_norm has no number 'norm'; did you mean 'max_norm'",
        ),
        (
            ["problem=mlp", "problem.batch_size=null", "schedules.batch_size=linear"],
            "mlp.* has no minibatches; set problem.batch_size",
        ),
        (["schedules.batch_size=linear"], "rosenbrock has no minibatches"),
        (["problem=mlp", "schedules.batch_size=reduce_on_plateau"], "all have the same batch size"),
        (
            ["optimizer=torch.optim.SGD", "schedules.momentum=linear"],
            "of SGD, a torch class, only the rate can have a schedule",
        ),
        (
            ["modifier=label_smoothing", "problem=mlp", "schedules.label_smoothing.eps=linear"],
            "changes the problem once",
        ),
        (["schedules=linear"], "schedules=linear: expected settings, such as schedules.momentum=linear"),
        (
            ["optimizer=adam", "schedules.betas=linear"],
            "schedules.betas: only the first of the betas can have a schedule, as schedules.momentum",
        ),
        (
            ["problem=mlp", "problem.batch_size=32", "schedules.batch_size={name: linear, start: 2.0, end: 4.0}"],
            "factors are parts of problem.batch_size=32, which is the largest one; they must not lie above 1, got 3.",
        ),
        (
            ["problem=mlp,rosenbrock", "schedules.batch_size=linear"],
            "rosenbrock has no minibatches",
        ),
        (
            ["steps=60", "schedules.momentum={name: linear, start: 0.5, end: 2.0}"],
            r"^schedules.momentum: at step 25 of 60, Momentum: momentum must lie in \[0, 1\), got 1.0125$",
        ),
        (
            ["steps=1000", "optimizer=adam", "schedules.momentum={name: linear, start: 1.0, end: 2.0}"],
            r"^schedules.momentum: at step 112 of 1000, Adam: betas must lie in",
        ),
        (
            ["steps=60", "modifier=ema", "schedules.ema.decay={name: linear, start: 1.0, end: 2.0}"],
            r"^schedules.ema.decay: at step 1 of 60, EMA: decay must lie in \[0, 1\), got 1.01565$",
        ),
        (
            [
                "steps=60",
                "tuning.method=grid",
                "tuning.trials=3",
                "search.momentum={choice: [0.1, 0.95, 0.5]}",
                "schedules.momentum={name: linear, start: 1.0, end: 1.9}",
            ],
            r"^schedules.momentum: at step 4 of 60, Momentum: momentum must lie in \[0, 1\), got 1.007 in trial 1$",
        ),
        (
            ["schedules.momentum={name: product, parts: [{name: linear, start: 2.0}, reduce_on_plateau]}"],
            "^schedules.momentum: at step 0 of 3000, Momentum: momentum must lie in",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(["optimizer=momentum", *words])


def test_a_schedule_is_refused_by_the_budget_in_which_it_leaves_the_range() -> None:
    linear = "schedules.momentum={name: linear, start: 1.0, end: 1.2, until: 500}"
    assert plan(["optimizer=momentum", linear, "steps=200"]).runs
    with pytest.raises(UsageError, match=r"at step 278 of 2000, "):
        plan(["optimizer=momentum", linear, "steps=200,2000"])


def test_of_schedules_that_follow_losses_only_the_start_is_known_before_a_run() -> None:
    plateau = "schedules.momentum={name: product, parts: [{name: linear, start: 1.0, end: 2.0}, reduce_on_plateau]}"
    assert plan(["optimizer=momentum", plateau]).runs


def test_settings_that_move_together_are_looked_at_together() -> None:
    up = "{name: linear, start: 1.0, end: 1000.0}"
    words = ["problem=quadratic", "optimizer=lbfgs", "optimizer.c1=1e-5", "optimizer.c2=9e-4"]
    assert plan([*words, f"schedules.c1={up}", f"schedules.c2={up}"]).runs
    with pytest.raises(UsageError, match=r"^schedules.c1: at step .*, LBFGS: c1 must not lie above c2"):
        plan([*words, f"schedules.c1={up}"])
