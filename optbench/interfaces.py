"""The contracts: what a problem, an optimizer, a schedule and a modifier are.

Everything is held for all trials at once. A trial is one (setting, seed); its parameters are one row of a tensor
`[trials, n]`. Hyper-parameters are floats, or columns `[trials, 1]` where they differ between trials, so that plain
arithmetic is the batching. Three rules follow, and the contract tests hold every class to them:

- trial k reads row k alone: reduce over `dim=1`, never over everything;
- state tensors have trials as dimension 0, so that rows can be selected;
- nothing is drawn from a global random generator: streams are keyed by (seed, purpose, step).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar, get_args, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Params = Float[Tensor, "trials n"]
Loss = Float[Tensor, "trials"]
Hyper = float | Float[Tensor, "trials 1"]
Rate = Hyper | Params
Vectors = Float[Tensor, "trials vectors n"]
Rows = Int64[Tensor, "rows"]
Batch = Any  # whatever the problem's stream yields: None, a tensor or a tuple of tensors, each with trials first
Outputs = tuple[Tensor, ...]
Matrix = Literal["hessian", "gauss_newton"]
State = TypeVar("State")
T = TypeVar("T")


def select(tree: T, rows: Rows | slice) -> T:
    """The same structure with only these trials: every tensor is indexed along dimension 0, all else is kept.

    Walks tuples, named tuples, lists, dicts and dataclasses.
    """
    out: Any = tree
    if isinstance(tree, Tensor):
        out = tree[rows] if tree.ndim > 0 else tree
    elif isinstance(tree, tuple):
        items = [select(item, rows) for item in tree]
        out = type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    elif isinstance(tree, list):
        out = [select(item, rows) for item in tree]
    elif isinstance(tree, dict):
        out = {key: select(item, rows) for key, item in tree.items()}
    elif is_dataclass(tree) and not isinstance(tree, type):
        changed = {f.name: select(getattr(tree, f.name), rows) for f in fields(tree) if f.init}
        if any(changed[name] is not getattr(tree, name) for name in changed):
            out = replace(tree, **changed)
    return out


@dataclass(frozen=True)
class Layout:
    """Names, shapes and roles of the parameter tensors that lie one after the other in a row.

    Args:
        names: one name a tensor, as in `torch.nn.Module.named_parameters`.
        shapes: its shape without the trials.
        roles: "point" (a landscape's coordinates), "weight", "bias", "norm" or "buffer" (a moving statistic, which no
            optimizer moves: what the problem gives as its gradient is the distance from where it is drawn to).
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    roles: tuple[str, ...]

    @classmethod
    def point(cls, n: int) -> Layout:
        """One vector of n coordinates."""
        return cls(("x",), ((n,),), ("point",))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(math.prod(shape) for shape in self.shapes)

    @cached_property
    def n(self) -> int:
        """Parameters in a row."""
        return sum(self.sizes)

    def split(self, params: Params) -> dict[str, Tensor]:
        """Views `[trials, *shape]` of the rows, by name."""
        parts = params.split(self.sizes, dim=1)
        return {
            name: part.view(params.shape[0], *shape)
            for name, part, shape in zip(self.names, parts, self.shapes, strict=True)
        }


class Stream(abc.ABC):
    """What changes from step to step: minibatches, noise, masks. Pure in value: `at(step)` twice gives the same."""

    fixed: bool = False
    """True where every step sees the same objective; then the oracle's loss is the objective itself."""

    @abc.abstractmethod
    def at(self, step: int, rows: Rows | None = None) -> Batch:
        """The batch of this step for all trials, or for these rows of them."""


def sum_of_squares(outputs: Outputs) -> Loss:
    """Σ z² of each trial, over outputs `[trials, k]`: the convex function of residuals."""
    return torch.cat(outputs, dim=1).square().sum(dim=1)


class FixedStream(Stream):
    """No randomness at all: every batch is None."""

    fixed = True

    def at(self, step: int, rows: Rows | None = None) -> Batch:
        return None


@dataclass(frozen=True, kw_only=True)
class Problem(abc.ABC):
    """Something to minimise; a pure function of (settings, version).

    Args:
        dtype: floating-point type of parameters and data. None: float64 for landscapes, float32 for networks.
        device: where the tensors live.
    """

    version: ClassVar[int] = 1
    """Raise it when a change alters any result; it is part of every run's identity."""
    budget: ClassVar[int] = 1000
    """Steps with which the problem can be solved; what `steps: null` stands for."""
    cheap: ClassVar[bool] = True
    """Evaluating costs about as much as one loss, so the objective is followed at every step; False: on an even grid."""
    family: ClassVar[str] = "landscape"
    """Groups problems in reports: "landscape" or "learning"."""
    default_dtype: ClassVar[torch.dtype] = torch.float64
    judged_by: ClassVar[str] = "objective"
    """The metric of `evaluate` that chooses between settings of equal steps-to-target; smaller is better."""
    dtype: torch.dtype | None = None
    device: torch.device | str = "cpu"

    @property
    def sequential(self) -> bool:
        """True where a network runs one trial after the other, as nothing carries it over all; reports say so."""
        return False

    @property
    def kind(self) -> dict[str, Any]:
        """dtype and device for new tensors, as keyword arguments."""
        return {"dtype": self.dtype or self.default_dtype, "device": torch.device(self.device)}

    @property
    @abc.abstractmethod
    def layout(self) -> Layout:
        """Names, shapes and roles of the parameters."""

    @abc.abstractmethod
    def start(self, seeds: Sequence[int]) -> Params:
        """Start points `[len(seeds), n]`; row k depends on seeds[k] alone."""

    def stream(self, seeds: Sequence[int]) -> Stream:
        """Minibatches and noise, keyed by seed."""
        return FixedStream()

    @abc.abstractmethod
    def loss(self, params: Params, batch: Batch) -> Loss:
        """Differentiable loss of each trial; trial k reads row k alone."""

    def loss_and_grad(self, params: Params, batch: Batch) -> tuple[Loss, Params]:
        """Loss and gradient of each trial, without a graph; by automatic differentiation unless overridden."""
        at = params.detach().requires_grad_()
        loss = self.loss(at, batch)
        loss.backward(torch.ones_like(loss))
        assert at.grad is not None, f"{type(self).__name__}.loss does not depend on its parameters"
        return loss.detach(), at.grad

    def decomposed(self, params: Params, batch: Batch) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        """The loss as a convex function of outputs, on which Gauss–Newton methods rest: the outputs, and that function.

        Residuals and their squares, or a network's outputs and the loss of them; each output has trials first, and both parts
        are differentiable. Terms of the loss beside these, such as a penalty, take the parameters as one more output.

        Raises:
            ValueError: the loss has no such form.
        """
        raise ValueError(f"{type(self).__name__} has no Gauss-Newton matrix: its loss is no convex function of outputs")

    @property
    def loss_chunk(self) -> int | None:
        """Trials for which loss and gradient are computed together; None: all. A matter of cache size, never of results."""
        return None

    def scratch_bytes(self) -> int:
        """Roughly the bytes that one trial needs while a step is computed, beside its parameters and state."""
        return 8 * self.layout.n * self.kind["dtype"].itemsize

    def objective(self, params: Params, step: int) -> Loss:
        """The noise-free objective alone, without gradient, off the training clock."""
        with torch.no_grad():
            return self.loss(params, None)

    def evaluate(self, params: Params, step: int) -> dict[str, Loss]:
        """The noise-free "objective" and further metrics of the trials, without gradient, off the training clock."""
        return {"objective": self.objective(params, step)}

    def test(self, params: Params) -> dict[str, Loss]:
        """Metrics on the test split, read once at the end of an evaluation run; most problems have none."""
        return {}

    def point(self, params: Params) -> Params:
        """What the parameters stand for in the problem as it was before modifiers changed it."""
        return params

    @abc.abstractmethod
    def minimum(self) -> float | None:
        """f*, the least value of the objective; None where it is unknown."""

    def minimiser(self) -> Float[Tensor, "n"] | None:
        """A point at which the minimum is attained; None where it is unknown."""
        return None

    @abc.abstractmethod
    def targets(self) -> Sequence[float]:
        """Values of the objective to be reached, the easiest first; none is met at a start."""

    @abc.abstractmethod
    def target(self) -> float:
        """The one of `targets` that counts as solved."""

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """For two-dimensional landscapes: the window ((x₀, x₁), (y₀, y₁)) to draw; else None."""
        return None


class Factors(NamedTuple):
    """The Fisher matrix of a layer's weights as a Kronecker product, A of inputs and G of outputs, one of each a trial.

    A: second moment of the inputs, with a one appended where there is a bias, summed over the places where the layer acts on
        a sample, the mean over samples: `[trials, inputs, inputs]`.
    G: second moment of the loss's gradients by the outputs, as they are for outputs drawn from the model: the mean over
        places, summed over samples, each of which has its share in the loss: `[trials, outputs, outputs]`.
    bias: name of the bias, if there is one.
    """

    A: Float[Tensor, "trials _ _"]
    G: Float[Tensor, "trials _ _"]
    bias: str | None


@runtime_checkable
class Product(Protocol):
    """A symmetric matrix of each trial, by what it makes of vectors."""

    def __call__(self, v: Params | Vectors, rows: Rows | None = None) -> Tensor:
        """A v of each trial, for one vector or several, which are faster together than one by one; in the shape of v.

        With rows: of these of the trials that the question was about, v has one row each.
        """
        ...


class Oracle(abc.ABC):
    """What an optimizer may ask in one step: loss and gradient of the trials at points of its choosing, and curvature.

    Every call is counted for each trial it serves.
    """

    layout: Layout
    fixed: bool
    """The same objective at every step."""
    matched: bool = True
    """The gradient is that of the loss told beside it."""
    steady: bool = True
    """No schedule changes the method's own settings, but its rate."""

    @abc.abstractmethod
    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        """Loss `[trials]` and gradient `[trials, n]` at params; with rows: of these trials only, params has one row each."""

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        """Loss, gradient and products with a matrix of second derivatives, on the step's batch.

            hessian         ∇²f
            gauss_newton    Jᵀ ∇²L J,   where f = L(z) is a convex function L of outputs z, and J = ∂z/∂x

        Loss and gradient count as one evaluation, each product as two more for each trial that it is made for: it costs
        about as much (Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994), 147–160).

        Raises:
            ValueError: this matrix cannot be told here; one line that names what is in the way.
        """
        raise ValueError(f"{type(self).__name__} tells loss and gradient alone, not their curvature")

    def begin(self, params: Params, loss: Loss | None) -> None:  # noqa: B027 only the runner's oracle listens
        """Told by methods that know the losses at the parameters from an earlier step, and ask only elsewhere or for some.

        Args:
            params: where the step begins.
            loss: there; None: what the optimizer knows is not the problem's own loss.
        """

    def hessian(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        """`curved` with the Hessian."""
        return self.curved("hessian", params, rows)

    def gauss_newton(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        """`curved` with the generalised Gauss–Newton matrix."""
        return self.curved("gauss_newton", params, rows)

    def kronecker(self, params: Params) -> dict[str, Factors]:
        """Kronecker factors of the layers that have some, on the step's batch, by the names of their weights.

        Counts as one more evaluation of each trial: it goes through the network and back once.

        Raises:
            ValueError: they cannot be told here; one line that names what is in the way.
        """
        raise ValueError(f"{type(self).__name__} tells loss and gradient alone, not what goes through the layers")


class Optimizer(abc.ABC, Generic[State]):
    """A rule that moves the parameters. Concrete ones are frozen keyword-only dataclasses of their settings.

    `params` is always the point to be judged: averaging methods keep their other point in the state.
    """

    family: ClassVar[str] = "other"
    """Groups optimizers in lists and reports: "sgd", "adaptive", "sign", "second order", "third party"."""
    sequential: ClassVar[bool] = False
    """True where trials are stepped one after the other; reports say so beside their times."""

    @abc.abstractmethod
    def init(self, params: Params, layout: Layout) -> State:
        """The state before the first step; every tensor in it has trials as dimension 0."""

    @abc.abstractmethod
    def step(self, params: Params, state: State, oracle: Oracle, factor: Hyper) -> tuple[Params, State]:
        """New parameters and state; never changes its arguments. factor: the schedule's multiple of the learning rate."""

    def rate(self, before: State, after: State, factor: Hyper) -> Rate:
        """The rate of a step, with which modifiers of the update go along: lr · factor, unless a method finds its own.

        One number a trial, or one for each parameter.

        Args:
            before, after: the state as it was before the step, and the one after it.
            factor: the schedule's.
        """
        return getattr(self, "lr", 1.0) * factor

    def check(self, params: Params, oracle: Oracle) -> None:
        """Refuse, before anything is run, a problem or modifiers that do not fit; most methods fit all.

        Args:
            params: start of one trial.
            oracle: what it will ask, with all that modifiers do to it.

        Raises:
            ValueError: one line that says what is needed.
        """

    def scratch_bytes(self, params: Params) -> int:
        """Roughly the bytes that one trial needs in a step beside what elementwise arithmetic on its row `[1, n]` does."""
        return 0

    def select(self, state: State, rows: Rows) -> State:
        """The state of these trials."""
        return select(state, rows)


class FirstOrder(Optimizer[State]):
    """A rule that needs one gradient a step, at the parameters or at `asks_at`: write `update`."""

    elementwise: ClassVar[bool] = True
    """Each parameter moves by its own gradient alone (False where norms or matrices enter)."""
    lr: Hyper

    @abc.abstractmethod
    def update(self, params: Params, grad: Params, state: State, lr: Hyper) -> tuple[Params, State]:
        """One step with this gradient and learning rate."""

    def asks_at(self, params: Params, state: State) -> Params:
        """Where the gradient of a step is taken: at the parameters, unless a rule looks elsewhere."""
        return params

    def step(self, params: Params, state: State, oracle: Oracle, factor: Hyper) -> tuple[Params, State]:
        _, grad = oracle(self.asks_at(params, state))
        return self.update(params, grad, state, self.lr * factor)


class Schedule(abc.ABC):
    """A factor on the learning rate as a function of the step. Concrete ones are frozen keyword-only dataclasses."""

    def init(self, trials: int, steps: int) -> Any:
        """The state before the first of so many steps; most have none. Tensors in it have trials as dimension 0."""
        return ()

    @abc.abstractmethod
    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        """The multiple of the learning rate for this step, 0 ≤ step < steps: a number, or a column `[trials, 1]`."""

    def factors(self, step: int, steps: int, state: Any) -> Mapping[str, Hyper]:
        """Multiples of other settings for this step, by name (`momentum`, `clip_norm.max_norm`); most have none."""
        return {}

    def observe(self, state: Any, loss: Loss) -> Any:
        """The state after a step whose minibatch loss was this; most do not look."""
        return state


class ProblemModifier(abc.ABC):
    """Changes what is minimised: another loss, other parameters. Works with every optimizer."""

    place: ClassVar[str] = "problem"

    @abc.abstractmethod
    def change(self, problem: Problem) -> Problem:
        """The problem that is run instead of this one.

        Raises:
            ValueError: it cannot be changed so; one line that says what is needed.
        """


class TrialsModifier(abc.ABC):
    """Acts on the trials as a whole after each step: early stopping."""

    place: ClassVar[str] = "trials"

    @abc.abstractmethod
    def check(self, problem: Problem, steps: int) -> None:
        """Refuse a problem or a budget that it cannot work with.

        Raises:
            ValueError: one line that says what is needed.
        """

    @abc.abstractmethod
    def init(self, trials: Any, seeds: Sequence[int]) -> Any:
        """The state before the first step; every tensor in it has trials as dimension 0."""

    @abc.abstractmethod
    def after(self, trials: Any, state: Any, step: int) -> Any:
        """Look at the optbench.trials.Trials after this step, change them, and give the state for the next."""

    def judged(self, params: Params, state: Any) -> Params:
        """What is judged in place of these parameters; most change nothing."""
        return params


class OracleModifier(abc.ABC):
    """Changes what the optimizer is told: penalties on the objective, clipping, noise. Works with every optimizer."""

    place: ClassVar[str] = "oracle"
    """"objective" (a penalty; applied first, nearest to the problem) or "oracle" (after all penalties)."""
    turn: ClassVar[int] = 0
    """The lower ones come first, whatever their order in a list; those of one turn in the order given."""
    batches: int = 1
    """Minibatches of the stream in a step; the problem's answer is their mean."""

    def check(self, layout: Layout) -> None:  # noqa: B027 (most act on any parameters)
        """Refuse parameters none of which it would act on.

        Raises:
            ValueError: one line that says what is needed.
        """

    def init(self, params: Params, layout: Layout, seeds: Sequence[int]) -> Any:
        """The state before the first step; most have none."""
        return ()

    @abc.abstractmethod
    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        """The oracle that the optimizer sees in this step, and the state for the next; called once a step."""


AVERAGES = 3
"""The turn of modifiers that judge at an average."""


class UpdateModifier(abc.ABC):
    """Changes the step itself, after any optimizer: decoupled decay, projection, averaging."""

    place: ClassVar[str] = "update"
    turn: ClassVar[int] = 0
    """Modifiers of the update do not commute and take turns, whatever their order in a list: 0 decay and what changes the step,
    1 projections, 2 lookahead, AVERAGES; those of one turn in the order given."""

    def check(self, layout: Layout) -> None:  # noqa: B027 (most act on any parameters)
        """Refuse parameters none of which it would act on.

        Raises:
            ValueError: one line that says what is needed.
        """

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> Any:
        """The state before the first of so many steps; most have none."""
        return ()

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        """The oracle that the optimizer asks in this step, and the state for `apply`: for those that listen to its answers."""
        return oracle, state

    @abc.abstractmethod
    def apply(self, before: Params, after: Params, lr: Rate, state: Any) -> tuple[Params, Any]:
        """The parameters after the step, from those before it and those the optimizer proposes; lr: the rate of this step."""

    def judged(self, params: Params, state: Any) -> Params:
        """What is judged in place of the parameters that go on learning: their average; most change nothing."""
        return params


Modifier = ProblemModifier | OracleModifier | UpdateModifier | TrialsModifier
Settings = Mapping[str, Any]
BASES: dict[str, tuple[type, ...]] = {
    "problem": (Problem,),
    "optimizer": (Optimizer, torch.optim.Optimizer),
    "schedule": (Schedule,),
    "modifier": get_args(Modifier),
}
"""What the classes of each kind are derived from."""
