"""Any torch.nn.Module over all trials: its layout, its initialisation per trial, its forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..interfaces import Layout, Params
from ..randomness import Randomness
from .initialisers import INITIALISERS, NORMS
from .layers import BATCHED, under_vmap


class Network:
    """A module as a pure function of rows of parameters.

    One trial alone runs the module as it is. Several run all at once: the layers of a torch.nn.Sequential one after the
    other, each in its batched form (optbench.nn.layers) where there is one, all else under torch.func.vmap.

    Args:
        template: the module; its own parameters are never read or changed.

    Raises:
        ValueError: a layer has parameters and no known initialiser, or buffers, which trials cannot have of their own.
    """

    def __init__(self, template: nn.Module):
        self.template = template
        buffers = [name for name, _ in template.named_buffers()]
        if buffers:
            raise ValueError(f"Network: the buffer {buffers[0]!r} would be shared by all trials; use a layer without buffers")
        self._owners: dict[str, tuple[nn.Module, str]] = {}
        for name, _ in template.named_parameters():
            path, _, own = name.rpartition(".")
            owner = template.get_submodule(path)
            if type(owner) not in INITIALISERS:
                known = ", ".join(kind.__name__ for kind in INITIALISERS)
                raise ValueError(f"Network: no initialiser for {type(owner).__name__} ({name}); known are {known}")
            self._owners[name] = owner, own

    @cached_property
    def layout(self) -> Layout:
        """The module's parameters in its own order."""
        named = dict(self.template.named_parameters())
        roles = ["norm" if isinstance(owner, NORMS) else own for owner, own in self._owners.values()]
        return Layout(tuple(named), tuple(tuple(p.shape) for p in named.values()), tuple(roles))

    @cached_property
    def _layers(self) -> list[tuple[str, nn.Module]]:
        """The layers of a torch.nn.Sequential in order; any other module is one layer, named ""."""
        if type(self.template) is nn.Sequential:
            return list(self.template.named_children())
        return [("", self.template)]

    def start(self, seeds: Sequence[int], purpose: str, dtype: torch.dtype, device: torch.device) -> Params:
        """torch's default initialisation; row k depends on seeds[k] alone.

        Args:
            seeds: one integer a trial.
            purpose: name of the random stream, for example "mlp start".
            dtype: of the parameters; the random numbers are drawn in float64 whatever it is.
            device: where the rows are made.
        """
        uniform = Randomness(seeds, purpose, device).uniform(0, self.layout.n)
        values = [
            INITIALISERS[type(owner)](owner, own, u).flatten(1)
            for (owner, own), u in zip(self._owners.values(), self.layout.split(uniform).values(), strict=True)
        ]
        return torch.cat(values, dim=1).to(dtype)

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Outputs `[trials, batch, …]` for inputs `[trials, batch, …]`."""
        own = self.layout.split(params)
        if params.shape[0] == 1:
            return functional_call(self.template, {name: p[0] for name, p in own.items()}, (x[0],))[None]
        for path, layer in self._layers:
            prefix = f"{path}." if path else ""
            mine = {name: own[prefix + name] for name, _ in layer.named_parameters()}
            x = BATCHED.get(type(layer), under_vmap)(layer, mine, x)
        return x
