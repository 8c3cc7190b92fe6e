"""Schedules of other settings than the rate: momentum, weight decay, the strength of a modifier, the batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

from ..errors import UsageError, near
from ..interfaces import Hyper, Loss, Schedule
from .batch_size import BATCH_SIZE
from .parts import Part, built
from .planned import follows_losses, looked_at

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Several(Schedule):
    """A schedule of the rate and, beside it, one for each of some other settings.

        setting(step) = factor(step) · what it is set to

    Args:
        rate: the schedule of the learning rate.
        others: the schedules of other settings, by their names: `momentum`, `weight_decay`, or `clip_norm.max_norm` for a
            setting of a modifier; `batch_size` for the problem's.

    Source: torch.optim.lr_scheduler.OneCycleLR and CyclicLR move rate and momentum; here any two schedules do.
    """

    rate: Schedule
    others: Mapping[str, Schedule]

    @classmethod
    def of(cls, rate: Schedule, others: Mapping[str, Any]) -> Several:
        """From the values of a configuration: each schedule a name, or a mapping of name and settings.

        Raises:
            UsageError: one of them cannot be built.
        """
        return cls(rate=rate, others={key: _built(key, part) for key, part in flat(others).items()})

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """All of them."""
        return (self.rate, *self.others.values())

    def init(self, trials: int, steps: int) -> Any:
        return self.rate.init(trials, steps), {key: s.init(trials, steps) for key, s in self.others.items()}

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return self.rate.factor(step, steps, state[0])

    def factors(self, step: int, steps: int, state: Any) -> dict[str, Hyper]:
        return {key: schedule.factor(step, steps, state[1][key]) for key, schedule in self.others.items()}

    def observe(self, state: Any, loss: Loss) -> Any:
        return self.rate.observe(state[0], loss), {
            key: s.observe(state[1][key], loss) for key, s in self.others.items()
        }


def flat(others: Mapping[str, Any]) -> dict[str, Any]:
    """Schedules by the full name of their setting: those of a modifier's settings may stand in a mapping of their own.

    Raises:
        UsageError: one of them is an empty mapping.
    """
    found: dict[str, Any] = {}
    for key, part in others.items():
        if part == {}:
            raise UsageError(f"schedules.{key} names no schedule; write schedules.{key}=linear, for instance")
        inner = part if isinstance(part, Mapping) and "name" not in part else None
        found |= {key: part} if inner is None else {f"{key}.{name}": item for name, item in inner.items()}
    return found


def _built(key: str, part: Part) -> Schedule:
    try:
        return built("Several", (part,))[0]
    except UsageError as error:
        raise UsageError(
            f"schedules.{key}: {str(error).removeprefix('Several: parts[0]').removeprefix(': ')}"
        ) from error


def name_of(modifier: Any) -> str:
    """The plain name of a modifier, as it follows from that of its class."""
    return plain(type(modifier).__name__)


def plain(name: str) -> str:
    """In small letters without underscores: `clip_norm` and `ClipNorm` are one."""
    return name.replace("_", "").lower()


def belonging(factors: Mapping[str, Hyper], modifier: Any = None) -> dict[str, Hyper]:
    """The factors for the settings of this modifier, by their short names; those of the optimizer without one."""
    found = {}
    for key, factor in factors.items():
        owner, _, setting = key.rpartition(".")
        if key != BATCH_SIZE and plain(owner) == ("" if modifier is None else name_of(modifier)):
            found[setting] = factor
    return found


def scaled(thing: T, factors: Mapping[str, Hyper]) -> T:
    """The same optimizer or modifier, its settings multiplied by these factors."""
    if not factors:
        return thing
    known: Any = thing
    changed: dict[str, Any] = {}
    for name, factor in factors.items():
        if _is_first_beta(known, name):
            changed["betas"] = (known.betas[0] * factor, *known.betas[1:])
        else:
            changed[name] = getattr(known, name) * factor
    return replace(known, **changed)


def check_scaled(label: str, thing: Any, name: str, key: str) -> None:
    """Raise a UsageError, one line, unless this setting is a number that a factor can change."""
    numbers = numbers_of(thing)
    if name == "lr":
        raise UsageError(f"{key}: the schedule of the rate is given by schedule=…")
    if _is_first_beta(thing, name):
        betas: Any = vars(thing)["betas"]
        numbers[name] = betas[0]
    if name == "betas" and _is_first_beta(thing, "momentum"):
        raise UsageError(f"{key}: only the first of the betas can have a schedule, as schedules.momentum")
    if name not in numbers:
        words = [known for known in numbers if known != "lr"]
        words += ["momentum"] if _is_first_beta(thing, "momentum") else []
        raise UsageError(
            f"{key}: {label} has no number {name!r}{near(name, words)} (it has {', '.join(words) or 'none'})"
        )
    if why := next((f.metadata.get("no_schedule") for f in fields(thing) if f.name == name), None):
        raise UsageError(f"{key}: {name} of {label} can have no schedule, since {why}")
    if isinstance(numbers[name], float) and numbers[name] == 0:
        raise UsageError(f"{key} has no effect: {label} has {name}=0; set it to what the factors are to multiply")


def check_factors(schedule: Several, steps: int, things: Sequence[tuple[str, Any]]) -> None:
    """Raise a UsageError, one line, where a schedule leads a setting out of its range in a run of so many steps.

    A single setting is looked at where its factor is least and greatest, several at every step; with schedules that follow
    the losses, at the first step alone.

    Args:
        schedule: of the settings of these things.
        steps: the budget.
        things: modifiers with their names, optimizers with "".
    """
    state = schedule.init(1, steps)
    blind = {key for key, other in schedule.others.items() if follows_losses(other)}
    told = {step: schedule.factors(step, steps, state) for step in looked_at(steps)}

    def check(step: int) -> None:
        known = {key: factor for key, factor in told[step].items() if step == 0 or key not in blind}
        for name, thing in things:
            own = belonging(known, thing if name else None)
            try:
                scaled(thing, own)
            except ValueError as error:
                keys = " and ".join(".".join(filter(None, ("schedules", name, setting))) for setting in own)
                raise UsageError(f"{keys}: at step {step} of {steps}, {error}") from error

    if len(schedule.others) == 1:
        (key,) = schedule.others
        try:
            for end in (min, max):
                check(end(told, key=lambda step: float(told[step][key])))
        except UsageError:
            pass  # where does it leave its range first?
        else:
            return
    for step in told:
        check(step)


def numbers_of(thing: Any) -> dict[str, float | Tensor]:
    """The settings of an optimizer or modifier that are numbers."""
    names = [f.name for f in fields(thing)] if is_dataclass(thing) else []
    return {name: value for name in names if isinstance(value := getattr(thing, name), (float, Tensor))}


def _is_first_beta(thing: Any, name: str) -> bool:
    """As in torch, the momentum of an optimizer with betas is the first of them."""
    return name == "momentum" and not hasattr(thing, "momentum") and isinstance(getattr(thing, "betas", None), tuple)
