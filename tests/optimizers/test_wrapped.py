"""The YAML files for optimizers of other packages."""

from __future__ import annotations

import importlib.util
import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from contracts import ROOT, Loop, TinyNet, natural, torch_path

from optbench import run
from optbench.optimizers.from_torch import FromTorch
from optbench.optimizers.surroundings import Surroundings, keys
from optbench.registry import load_object

TOP = ROOT / "conf" / "optimizer"
FILES = {p.relative_to(TOP).with_suffix("").as_posix(): p for p in sorted(TOP.glob("*/*.yaml"))}
FLAGS = {"params", "foreach", "fused", "capturable", "differentiable", "maximize"}
"""Not in the files: how torch computes, and turning the problem round."""


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load(FILES[name].read_text(encoding="utf-8"))


def read_settings(name: str) -> dict[str, Any]:
    """All but what names the entry and its search space."""
    return {key: value for key, value in read(name).items() if key not in ("name", "class", "search")}


def needed(name: str) -> Any:
    package = read(name)["class"].partition(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return load_object(read(name)["class"])


@pytest.mark.parametrize("name", FILES)
def test_a_file_repeats_the_defaults_of_its_class(name: str) -> None:
    cls, node = needed(name), read(name)
    assert node.pop("name") == name
    assert node.pop("class")
    assert set(node.pop("search")) == {"lr"}
    assert node.pop("share", False) is False
    known = {key: p.default for key, p in inspect.signature(cls).parameters.items()}
    for key, value in node.items():
        assert natural(value) == pytest.approx(natural(known[key])), key
    if name.startswith("torch/"):
        assert set(node) == set(known) - FLAGS


def test_every_class_of_torch_has_a_file() -> None:
    classes = {
        f"torch.optim.{name}"
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)
    }
    ours = {read(name)["class"] for name in FILES if name.startswith("torch/")}
    # SparseAdam wants sparse gradients, which no problem has
    assert ours == classes - {"torch.optim.Optimizer", "torch.optim.SparseAdam"}


RUN = [n for n in FILES if n != "torch/muon"]
"""torch's Muon takes matrices alone."""


@pytest.mark.parametrize("name", RUN)
@pytest.mark.filterwarnings("ignore")  # those packages warn of what torch deprecates
def test_each_runs_on_a_network(name: str, tmp_path: Path) -> None:
    needed(name)
    results = run("problem=mlp", "data=iris", f"optimizer={name}", "steps=4", "seeds=2", results=tmp_path / "r")
    assert set(results.trials.status) == {"ok"}
    assert set(results.trials.optimizer) == {name}


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("torch/")])
def test_no_class_of_torch_draws_numbers(name: str) -> None:
    def states() -> bytes:
        return torch.get_rng_state().numpy().tobytes() + pickle.dumps(np.random.get_state())

    weight = torch.nn.Parameter(torch.ones(3, 2))
    before = states()
    optimizer = load_object(read(name)["class"])([weight])
    for _ in range(3):
        weight.grad = weight.detach().clone()
        optimizer.step(lambda: weight.sum())
    assert before == states()


@pytest.mark.filterwarnings("ignore")
def test_heavyball_runs_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    heavyball = pytest.importorskip("heavyball")
    usual = heavyball.utils.compile_mode
    monkeypatch.setattr(heavyball.utils.fusions, "compile", lambda *_, **__: pytest.fail("it compiles"))
    Loop(TinyNet(), FromTorch(cls=heavyball.AdamW), [0, 1]).run(2)
    assert heavyball.utils.compile_mode == usual is not None


THIRD = [n for n in FILES if n.partition("/")[0] not in ("torch", "schedulefree")]
"""Bare loops of schedulefree, which is judged at its averages, and of torch are in test_from_torch.py and test_sharing.py."""


@pytest.mark.parametrize("name", THIRD)
@pytest.mark.filterwarnings("ignore")
def test_each_goes_where_a_bare_torch_loop_goes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, net = needed(name), TinyNet(dtype=torch.float32)  # some of heavyball take no float64
    settings = read_settings(name)
    path = Loop(net, FromTorch.from_settings(read(name)["class"], settings), [5, 0]).run(30)
    own = {key: natural(value) for key, value in settings.items() if key != "share"}
    if name.startswith("heavyball/"):
        monkeypatch.setattr(load_object("heavyball.utils"), "compile_mode", None)
    around = Surroundings(torch.device("cpu"), {}, draws=True)
    for trial, (seed, key) in enumerate(zip([5, 0], keys(net.start([5, 0])), strict=True)):
        with around:
            around.seed(key, "build")
            bare = torch_path(net, cls, seed, 30, prepare=lambda _, t, key=key: around.seed(key, f"step {t}"), **own)
        torch.testing.assert_close(path[:, trial], bare, rtol=1e-5, atol=1e-6)
        assert all(not torch.equal(bare[k], bare[k + 1]) for k in range(10, 29))


def losses(seeds: int, folder: Path) -> list[list[float]]:
    told = run(
        "problem=mlp", "data=iris", "optimizer=pytorch_optimizer/kron", "steps=12", f"seeds={seeds}", results=folder
    )
    return [list(part.sort_values("step").loss.dropna()) for _, part in told.curves.groupby("seed")]


@pytest.mark.filterwarnings("ignore")
def test_a_rule_that_draws_ends_alike_in_every_run_and_any_company(tmp_path: Path) -> None:
    needed("pytorch_optimizer/kron")
    two, again, three = losses(2, tmp_path / "a"), losses(2, tmp_path / "b"), losses(3, tmp_path / "c")
    assert two == again
    assert two == three[:2]


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "optimizer" / "nowhere"
    folder.mkdir(parents=True)
    (folder / "best.yaml").write_text("name: nowhere/best\nclass: nowhere.Best\nlr: 0.1\n")
    from optbench.errors import UsageError
    from optbench.plan import plan

    with pytest.raises(UsageError, match=r"no package 'nowhere' here; is it installed"):
        plan(["problem=rosenbrock", "optimizer=nowhere/best"], config_dir=str(tmp_path))
