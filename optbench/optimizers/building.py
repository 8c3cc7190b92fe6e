"""Makes instances of a class of torch optimizers, and tells what it refuses: a setting, or the layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError, one_line
from ..registry import table
from .class_settings import defaults, required, yaml
from .surroundings import Surroundings, beyond_torch

STAND_INS = ((2, 2), (2,))
"""Layers on which settings are tried before the true ones are known."""
ATTRIBUTES: dict[str, dict[str, Any]] = {"heavyball": {"heavyball.utils.compile_mode": None}}
"""Of packages, attributes that are set while their classes work, unless others are given."""


@dataclass(frozen=True)
class Building:
    """How instances of a class are made.

    Args:
        cls: the class.
        attributes: values that attributes of modules have meanwhile, by dotted path; null for those of `ATTRIBUTES`.
        grouped: a function builds its parameter groups.
    """

    cls: type[torch.optim.Optimizer]
    attributes: Mapping[str, Any] | None
    grouped: bool

    def surroundings(self, device: torch.device) -> Surroundings:
        """What it finds around it while it is made and while it works."""
        package = self.cls.__module__.partition(".")[0]
        given = ATTRIBUTES.get(package, {}) if self.attributes is None else self.attributes
        return Surroundings(device, given, draws=beyond_torch(self.cls))

    def instance(
        self, chosen: Any, settings: Mapping[str, Any], key: int, layers: Sequence[Tensor] | None = None
    ) -> torch.optim.Optimizer:
        """An instance for the chosen parameters or groups of them, which are of these layers; not given: the chosen ones.

        Args:
            key: of the numbers that it draws.

        Raises:
            UsageError: the class refuses a setting's value or the layers.
        """
        device = (chosen if layers is None else layers)[0].device
        with self.surroundings(device) as around:
            around.seed(key, "build")
            try:
                return self.cls(chosen, **settings)
            except Exception as error:
                raise UsageError(self._refusal(chosen, settings, error)) from error

    def examine(self, settings: Mapping[str, Any]) -> None:
        """Make it for one layer or another; which layers it takes is judged when they are known.

        Raises:
            UsageError: the class refuses a setting's value.
        """
        layers = [_layer(shape) for shape in STAND_INS]
        if not any(self._takes(layer, settings) for layer in layers):
            liked = [layer for layer in layers if self._takes(layer, self._needed(settings))]
            self.instance((liked or layers)[0], settings, 0)

    def _needed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the settings that have no default."""
        return {key: settings[key] for key in required(self.cls) if key in settings}

    def _takes(self, chosen: Any, settings: Mapping[str, Any]) -> bool:
        with self.surroundings(torch.device("cpu")) as around:
            around.seed(0, "build")
            try:
                self.cls(chosen, **settings)
            except Exception:  # a probe: what the class says is told when it is built
                return False
            return True

    def _refusal(self, chosen: Any, settings: Mapping[str, Any], error: Exception) -> str:
        """What the class does not take: a setting, found by leaving out each in turn, all together, or the layers."""
        reason, name, usual = one_line(error), self.cls.__name__, defaults(self.cls)
        groups = "optimizer.params=PATH.py:function, which builds parameter groups from a module"

        if any(self._takes(_layer(shape), settings) for shape in STAND_INS):
            own = name.lower()
            instead = f"use optbench's own rule, optimizer={own}, or " if own in table("optimizer") else ""
            return (
                f"{name} refuses the layers of this problem ({reason}); {instead}choose the layers that it takes with "
                f"{groups}"
            )
        wrong = [key for key in settings if self._takes(chosen, {k: v for k, v in settings.items() if k != key})]
        told = [f"{key}={yaml(settings[key])}" for key in wrong or settings]
        told += [f"whose default is {yaml(usual[key])}" for key in wrong if len(wrong) == 1 and key in usual]
        plain = not wrong and not self.grouped and not isinstance(error, ImportError)
        way_out = (
            f"; if it wants parameter groups of its own, use {groups}; if it wraps another optimizer, "
            "name that by its path, as torch.optim.SGD, or use optimizer=PATH.py:NAME with a subclass that builds both"
        )
        return (
            f"{name} refuses {', '.join(told) or 'its default settings'} ({reason})"
            f"{way_out if plain and not self._takes(chosen, self._needed(settings)) else ''}"
        )


def _layer(shape: tuple[int, ...]) -> list[nn.Parameter]:
    """One layer of zeros."""
    return [nn.Parameter(torch.zeros(shape))]
