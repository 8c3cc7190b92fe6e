"""Several modifiers at once, from end to end; and what reaches the person who combines what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from optbench.problems.mlp import MLP

import optbench
from optbench.errors import UsageError
from optbench.modifiers.activation_l1 import ActivationL1
from optbench.modifiers.adversarial import Adversarial
from optbench.modifiers.gradient_penalty import GradientPenalty
from optbench.modifiers.interval import Interval
from optbench.modifiers.label_smoothing import LabelSmoothing
from optbench.modifiers.weight_noise import WeightNoise
from optbench.optimizers.sgd import SGD
from optbench.schedules.constant import Constant
from optbench.trials import Trials

SETS = [
    ["label_smoothing"],
    ["label_smoothing", "adversarial", "activation_l1"],
    ["orthogonal", "gradient_penalty", "weight_noise"],
    ["interval", "l2", "clip_norm", "weight_decay", "early_stopping"],
    ["positive", "adversarial", "early_stopping"],
    ["accumulation", "centralisation", "gradient_noise", "adaptive_clipping", "ema"],
    ["l2", "sam", "cautious", "weight_decay", "max_norm", "lookahead", "early_stopping"],
    ["accumulation", "sam", "project", "swa"],
]


@pytest.mark.parametrize("chosen", SETS, ids="+".join)
def test_modifiers_run_together_from_the_command_line(chosen: list[str], tmp_path: Path) -> None:
    words = ("problem=mlp", "problem.data=iris", f"modifier=[{','.join(chosen)}]")
    results = optbench.run(*words, steps=20, seeds=2, results=str(tmp_path))
    assert list(results.trials["status"]) == ["ok", "ok"]
    assert list(results.runs["modifier"]) == ["+".join(chosen)]
    assert np.isfinite(results.trials["final_loss"]).all()


def test_second_trainings_run_from_the_command_line(tmp_path: Path) -> None:
    words = ("problem=mlp", "problem.data=iris", "modifier=[early_stopping]", "modifier.early_stopping.every=5")
    results = optbench.run(
        *words, "modifier.early_stopping.then=keep,retrain,continue", steps=40, seeds=2, results=str(tmp_path)
    )
    assert list(results.trials["status"]) == ["ok"] * 6
    assert len(set(results.trials["final_loss"])) == 6


def test_a_chain_of_changes_has_the_gradient_of_its_loss() -> None:
    problem = MLP(data="iris", hidden=(4,), activation="tanh", batch_size=8, dtype=torch.float64)
    for modifier in (
        Interval(low=-2.0, high=2.0),
        LabelSmoothing(),
        Adversarial(eps=0.2),
        ActivationL1(strength=0.1),
        GradientPenalty(strength=0.1),
    ):
        problem = modifier.change(problem)  # type: ignore[assignment]
    params, batch, h = problem.start([0, 1]), problem.stream([0, 1]).at(0), 1e-5
    along = torch.randn(params.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = (problem.loss(params + h * along, batch) - problem.loss(params - h * along, batch)) / (2 * h)
    _, grad = problem.loss_and_grad(params, batch)
    torch.testing.assert_close((grad * along).sum(dim=1), slope.detach(), rtol=1e-6, atol=1e-8)


def test_noise_on_weights_with_a_map_is_noise_on_what_the_optimizer_moves() -> None:
    plain = MLP(data="iris", hidden=(4,), dtype=torch.float64)
    rules = [Interval(low=-2.0, high=2.0), WeightNoise(sigma=100.0)]
    trials = Trials(plain, SGD(lr=0.0), Constant(), rules, [0, 1], 3)
    loss = trials.step(0)
    assert trials.oracle.first_params is not None
    seen = trials.problem.point(trials.oracle.first_params)
    assert seen.abs().max() <= 2
    assert torch.equal(loss, plain.loss(seen, plain.stream([0, 1]).at(0)))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("problem=rosenbrock", "modifier=[label_smoothing]"),
            "rosenbrock: label_smoothing needs a problem that learns from data, not Rosenbrock",
        ),
        (
            ("problem=mlp", "problem.data=diabetes", "modifier=[adversarial,label_smoothing]"),
            "mlp(data=diabetes): label_smoothing needs labels, and MLP on diabetes learns values",
        ),
        (
            ("problem=quadratic", "modifier=[early_stopping]"),
            "quadratic: early_stopping needs a problem that learns from data, not Quadratic",
        ),
        (
            ("problem=rosenbrock", "modifier=[clip_norm,l2,clip_norm]"),
            "modifier=[l2,clip_norm,clip_norm]: clip_norm is there 2 times; name it once",
        ),
        (
            ("problem=rosenbrock", "modifier=[ema,l2,swa]"),
            "modifier=[l2,ema,swa]: one average is judged, not ema and swa; keep one of them",
        ),
        (
            ("problem=rosenbrock", "modifier=[max_norm]"),
            "rosenbrock: max_norm needs a problem with weight matrices or kernels; elsewhere it has no effect",
        ),
        (
            ("problem=mlp", "modifier=[orthogonal]", "dtype=bfloat16"),
            "mlp(dtype=bfloat16): orthogonal: it solves with matrices, which torch does in float32 and float64, not in bfloat16; "
            "set dtype=float32",
        ),
        (
            ("problem=mlp", "modifier=[centralisation]", "modifier.centralisation.kernels_only=true"),
            "mlp: centralisation needs a problem with kernels of convolutions; elsewhere it has no effect",
        ),
        (
            ("problem=logistic_regression", "modifier=[adaptive_clipping]"),
            "logistic_regression: adaptive_clipping leaves the last linear layer as it is, and there is no other; "
            "set last=true",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_the_sweep_starts(words: tuple[str, ...], line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        optbench.run("optimizer=sgd,adam", *words, steps=20, seeds=2, results=str(tmp_path / "none"))
    assert str(caught.value) == line
    assert not (tmp_path / "none").exists()
