"""Any torch.nn.Module on any data set."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn

from optbench.checks import UsageError
from optbench.nn import Learning
from optbench.registry import load_object


@dataclass(frozen=True, kw_only=True)
class Module(Learning):
    """A torch.nn.Module of one's own learns from any data set.

        f = mean over the training samples of loss(module(x), y)

    The module is called with inputs `[batch, …]` and gives logits `[batch, classes]`, for sequences `[batch, length,
    classes]`, or values `[batch, outputs]`; what `optbench show module` calls data decides. Its constructor gets
    `settings`, and, where it has parameters of these names and they are not among the settings, `inputs` (numbers in
    one input), `channels` (of images) and `outputs`.

    Domain: ℝⁿ. Start: torch's default for layers of torch.nn, by seed; a parameter of the module's own starts as the
    constructor makes it, called once for each seed. Minimum: unknown; 0 is a lower bound. Targets: τ f₀ for τ = 10⁻¹,
    10⁻², 10⁻³, where f₀ is ln(classes) or the error of the best constant.

    Layers of torch.nn in a Sequential run for all trials at once; other modules under torch.func.vmap, or one trial
    after the other where vmap cannot carry them.

    Args:
        network_class: where the class is, pkg.Class or ./mine.py:Class; also written `problem.class`.
        settings: what its constructor gets.

    Raises:
        UsageError: no class is given, it is none, or its constructor refuses the settings.
        ValueError: it does not fit the data, draws random numbers of its own, or a value lies outside its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    budget: ClassVar[int] = 1000

    network_class: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.network_class:
            raise UsageError("module needs problem.class=…, such as problem.class=./mine.py:Net")
        found = self.constructor
        if isinstance(found, nn.Module):
            raise UsageError(
                f"{self.network_class} is a network already made; name its class or a function that makes one"
            )
        if not callable(found) or (isinstance(found, type) and not issubclass(found, nn.Module)):
            raise UsageError(f"{self.network_class} is no torch.nn.Module and no function that makes one")

    @functools.cached_property
    def constructor(self) -> Callable[..., Any]:
        return load_object(self.network_class)

    def module(self) -> nn.Module:
        known = inspect.signature(self.constructor).parameters
        sizes = {"inputs": math.prod(self.shape), "channels": self.shape[0], "outputs": self.outputs}
        given = {name: value for name, value in sizes.items() if name in known} | dict(self.settings)
        try:
            made = self.constructor(**given)
        except TypeError as error:
            raise UsageError(f"{self.network_class}: {error}; set it by problem.settings.NAME=VALUE") from error
        if not isinstance(made, nn.Module):
            raise UsageError(f"{self.network_class} gives {type(made).__name__}, expected a torch.nn.Module")
        return made
