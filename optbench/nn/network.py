"""Any torch.nn.Module over all trials: its layout, its initialisation per trial, its forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from ..interfaces import Layout, Params
from ..randomness import Randomness
from .initialisers import INITIALISERS, NORMS
from .layers import BATCHED, alone, under_vmap


class Network:
    """A module as a pure function of rows of parameters.

    The layers of a torch.nn.Sequential run one after the other, each in its batched form (optbench.nn.layers) where
    there is one; all else runs under torch.func.vmap, or for one trial alone as it is.

    Args:
        template: the module; its own parameters are never read or changed.

    Raises:
        ValueError: a layer has parameters and no known initialiser, or buffers, which trials cannot have of their own.
    """

    def __init__(self, template: nn.Module):
        self.template = template
        buffers = [name for name, _ in template.named_buffers()]
        if buffers:
            raise ValueError(
                f"Network: the buffer {buffers[0]!r} would be shared by all trials; use layers without one"
            )
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
    def _layers(self) -> list[tuple[nn.Module, dict[str, str]]]:
        """The layers of a torch.nn.Sequential, any other module as one; each with its parameters, own → whole name."""
        if type(self.template) is nn.Sequential:
            layers = [(f"{path}.", layer) for path, layer in self.template.named_children()]
        else:
            layers = [("", self.template)]
        return [(layer, {own: prefix + own for own, _ in layer.named_parameters()}) for prefix, layer in layers]

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
        values = self.layout.split(params)
        if params.shape[0] == 1:
            return self.alone({name: value[0] for name, value in values.items()}, x[0])[None]
        for layer, names in self._layers:
            own = {name: values[whole] for name, whole in names.items()}
            x = BATCHED.get(type(layer), under_vmap)(layer, own, x)
        return x

    def alone(self, values: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs `[batch, …]` of one trial for inputs `[batch, …]`; values: its parameters by name, each in its own shape."""
        for layer, names in self._layers:
            x = alone(layer, {name: values[whole] for name, whole in names.items()}, x)
        return x
