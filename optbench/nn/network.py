"""Any torch.nn.Module over all trials: its layout, its initialisation per trial, its forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError, one_line
from ..interfaces import Layout, Params
from ..randomness import Randomness, derive
from .blocks import Composite
from .foreign import Foreign
from .forward import Pass, Trace, lead
from .initialisers import NORMS, initialise, known
from .layers import LAYERS

Run = Callable[[Mapping[str, Tensor], tuple[Any, ...], Pass], Any]
"""(all parameters by name, inputs, pass) → output"""
MOVING = {"running_mean": 0.0, "running_var": 1.0}
"""Moving statistics of batch normalisation and where they start."""


class Network:
    """A module as a pure function of rows of parameters.

    Layers that optbench knows (optbench.nn.layers) and modules made of them (torch.nn.Sequential, optbench.nn.blocks) run
    in batched form; all else under torch.func.vmap, or one trial after the other where vmap cannot carry it; one trial
    alone runs its layers as they are.

    Args:
        template: the module, or a function that makes it; its own parameters are never changed, and never read unless
            no rule is known to draw them anew.
        scheme: how weights start, a key of optbench.nn.initialisers.SCHEMES.
        moving: batch normalisation keeps moving statistics, as columns of the row with the role "buffer".
        example: inputs `[batch, …]`; the module is tried on them at once, so that what does not fit is told here.

    Raises:
        ValueError: a layer does not fit its inputs, draws random numbers of its own, or changes a buffer.
    """

    def __init__(
        self,
        template: nn.Module | Callable[[], nn.Module],
        *,
        scheme: str = "torch",
        moving: bool = False,
        example: Tensor | None = None,
    ):
        self._make = None if isinstance(template, nn.Module) else template
        self.template = template if isinstance(template, nn.Module) else _seeded(template, 0)
        self.scheme = scheme
        self.moving = tuple(MOVING) if moving else ()
        self._owners: dict[str, tuple[nn.Module, str]] = {}
        self._names: dict[Any, str] = {}
        """Where a parameter, or a moving statistic (layer, name), stands in the row; one for all layers that share it."""
        for path, layer in self.template.named_modules():
            dot = f"{path}." if path else ""
            if getattr(layer, "inplace", False):
                layer.__dict__["inplace"] = False  # the same values, and inputs stay what they are
            for own, value in layer.named_parameters(recurse=False):
                if value.requires_grad and value not in self._names:
                    self._owners[dot + own] = layer, own
                    self._names[value] = dot + own
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                for own in self.moving:
                    self._owners[dot + own] = layer, own
                    self._names[layer, own] = dot + own
        self._foreign: list[Foreign] = []
        self._batched = self._compiled(self.template, "", alone=False)
        self._alone = self._compiled(self.template, "", alone=True)
        if example is not None:
            if not self._names:
                raise ValueError(f"{type(self.template).__name__} has no parameters to learn")
            self._try(example)

    @property
    def looped(self) -> list[str]:
        """The modules that run one trial after the other, as vmap cannot carry them; known once the network has run."""
        return [part.name for part in self._foreign if part.looped]

    @cached_property
    def layout(self) -> Layout:
        """The module's parameters in its own order."""
        roles = [
            "buffer"
            if own in MOVING
            else "norm"
            if isinstance(owner, (*NORMS, nn.PReLU))
            else "bias"
            if "bias" in own
            else "weight"
            for owner, own in self._owners.values()
        ]
        shapes = [_shape(owner, own) for owner, own in self._owners.values()]
        return Layout(tuple(self._owners), tuple(shapes), tuple(roles))

    @cached_property
    def draws(self) -> bool:
        """Some layer draws random numbers in training, so that a pass needs keys."""
        from .layers import Sample

        return any(
            isinstance(m, Sample) or (isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0)
            for m in self.template.modules()
        )

    @cached_property
    def normalises_batches(self) -> bool:
        """Some layer uses statistics of the batch, so that an evaluation needs reference samples or moving statistics."""
        return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in self.template.modules())

    def start(self, seeds: Sequence[int], purpose: str, dtype: torch.dtype, device: torch.device) -> Params:
        """The initialisation of each trial; row k depends on seeds[k] alone.

        Args:
            seeds: one integer a trial.
            purpose: name of the random stream, for example "mlp start".
            dtype: of the parameters; the random numbers are drawn in float64 whatever it is.
            device: where the rows are made.
        """
        uniform = self.layout.split(Randomness(seeds, purpose, device).uniform(0, self.layout.n))
        unknown = [n for n, (owner, own) in self._owners.items() if own not in MOVING and not known(owner)]
        made = (
            {seed: _seeded(self._make, derive(seed, purpose)) for seed in set(seeds)} if unknown and self._make else {}
        )
        values = []
        for (name, (owner, own)), u in zip(self._owners.items(), uniform.values(), strict=True):
            if own in MOVING:
                value = torch.full_like(u, MOVING[own])
            elif name not in unknown:
                value = initialise(owner, own, u, self.scheme)
            else:
                templates = [made.get(seed, self.template) for seed in seeds]
                value = torch.stack([t.get_parameter(name).detach().to(u) for t in templates])
            values.append(value.flatten(1))
        return torch.cat(values, dim=1).to(dtype)

    def __call__(self, params: Params, x: Tensor, run: Pass | None = None) -> Any:
        """Outputs `[trials, batch, …]` for inputs `[trials, batch, …]`."""
        values, run = self.layout.split(params), run or Pass()
        if params.shape[0] == 1:
            return lead(self.alone({name: value[0] for name, value in values.items()}, x[0], run))
        return self._batched(values, (x,), run)

    def alone(self, values: Mapping[str, Tensor], x: Tensor, run: Pass | None = None) -> Any:
        """Outputs `[batch, …]` of one trial for inputs `[batch, …]`; values: its parameters by name, each in its own shape."""
        return self._alone(values, (x,), run or Pass())

    def _compiled(self, module: nn.Module, path: str, *, alone: bool) -> Run:
        dot = f"{path}." if path else ""
        if type(module) is nn.Sequential:
            return _in_sequence(
                [self._compiled(m, dot + name, alone=alone) for name, m in module._modules.items() if m]
            )
        if isinstance(module, Composite):
            parts = {name: self._compiled(m, dot + name, alone=alone) for name, m in module._modules.items() if m}
            return _composed(module, path, parts, alone)
        if type(module) in LAYERS:
            layer = LAYERS[type(module)]
            return _leaf(layer.alone if alone else layer.batched, module, path, self._below(module), alone)
        found = next((part for part in self._foreign if part.name == path), None)
        if found is None:
            found = Foreign(module, path, self._below(module), self.moving)
            self._foreign.append(found)
        return found.alone if alone else found.batched

    def _below(self, module: nn.Module) -> dict[str, str]:
        """Its parameters and moving statistics: their names in the module → in the row."""
        own = {name: self._names[p] for name, p in module.named_parameters() if p in self._names}
        for path, layer in module.named_modules():
            dot = f"{path}." if path else ""
            own |= {dot + name: self._names[layer, name] for name in self.moving if (layer, name) in self._names}
        return own

    def _try(self, example: Tensor) -> None:
        """Run it once on two trials, and tell which layer fails."""
        dtype = example.dtype if example.is_floating_point() else torch.float32
        params = self.start([0, 1], "trial run", dtype, example.device)
        keys = Randomness([0, 1], "trial run", example.device).words(0, 1)[:, 0] if self.draws else None
        run = Pass(keys=None if keys is None else keys[:1])
        name = type(self.template).__name__
        try:
            self.alone({n: v[0] for n, v in self.layout.split(params).items()}, example, run)
            self(params, example.expand(2, *example.shape), Pass(keys=keys))
        except (ValueError, UsageError):
            raise
        except Exception as error:
            layer = self.template.get_submodule(run.at)
            where = f"layer {run.at!r}, {layer}," if run.at else "it"
            kind = "" if isinstance(error, RuntimeError) else type(error).__name__
            reason = ": ".join(filter(None, (kind, one_line(error))))
            raise ValueError(
                f"{name}: {where} does not fit inputs of shape {list(example.shape[1:])}: {reason}"
            ) from error


def _shape(owner: nn.Module, own: str) -> tuple[int, ...]:
    if isinstance(owner, nn.modules.batchnorm._BatchNorm) and own in MOVING:
        return (owner.num_features,)
    return tuple(owner.get_parameter(own).shape)


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A module made with torch's generator at a seed, and the generator as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed & ((1 << 63) - 1))
        return make()


def _in_sequence(parts: list[Run]) -> Run:
    def run_all(values: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        (out,) = inputs
        for part in parts:
            out = part(values, (out,), run)
        return out

    return run_all


def _composed(module: Composite, path: str, parts: Mapping[str, Run], alone: bool) -> Run:
    def combine(values: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        out = module.combine(lambda name, *given: parts[name](values, given, run), *inputs)
        if run.watch is not None:
            run.watch(path, module, lead(out) if alone else out)
        return out

    return combine


def _leaf(layer: Callable[..., Any], module: nn.Module, path: str, names: Mapping[str, str], alone: bool) -> Run:
    frozen = {own: value.detach() for own, value in module.named_parameters() if own not in names}

    def call(values: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        run.at = path
        given = {own: values[whole] for own, whole in names.items()}
        for own, value in frozen.items():
            like = next(iter(values.values()))
            given[own] = value.to(like) if alone else value.to(like).expand(len(like), *value.shape)
        out = layer(module, given, *inputs, run)
        if run.watch is not None:
            run.watch(path, module, lead(out) if alone else out)
            if isinstance(run.watch, Trace):
                run.watch.through(module, names, inputs, out)
        return out

    return call
