"""What the problems that learn from data have in common: data, batches, network, loss, metrics, targets."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..checks import Range, check_settings, setting
from ..data import Dataset, dataset
from ..data.batch import Batch
from ..data.minibatches import Minibatches
from ..data.splits import Part, Splits, split
from ..errors import UsageError, one_line
from ..interfaces import Layout, Loss, Outputs, Params, Problem, Stream
from ..randomness import Randomness
from .forward import Pass, Watch, lead
from .layers import cross_entropy
from .network import Network

REFERENCE = 256
"""Training samples whose statistics batch normalisation uses in evaluation."""
CACHE = 2**23
"""Bytes of activations that trials computed together may take, so that they stay in a cache of some tens of MiB."""
AT_ONCE = 2**25
"""Bytes of activations that the samples evaluated together may take, for one trial."""


@dataclass(frozen=True, kw_only=True)
class Learning(Problem):
    """A network that learns from data; concrete ones say which module. Write `module`; the rest follows.

    Objective: mean loss over the training part, by the kind of data: cross-entropy of labels, mean squared error of
    values. Targets: f_L + τ (f(x0) − f_L), τ = 10⁻¹, 10⁻², 10⁻³, with reference values that hold for every setting:
    f(x0) = ln(classes), the loss of a guess that gives every class the same chance, or the mean squared error of the
    best constant; f_L = 0, the lower bound.

    Args:
        data: name of a data set, or where a function that gives one is: pkg.function, ./mine.py:function.
        batch_size: samples in a minibatch; null for all of them.
        replacement: draw the samples of a batch with replacement, not in epochs.
        split: number of the random split into training, validation and test.
        fraction: share of the training part to learn from.
        label_noise: share of the training labels replaced by another one.
        random_labels: all training labels drawn at random.
        imbalance: how many times rarer the last class becomes than the first, in the training part.
        augment: random changes of the inputs in training, name to strength: `problem.augment.flip=0.5`.
        moving_statistics: batch normalisation is judged with moving statistics, not with ones taken anew.
        predictions: dropout masks over which predictions are averaged in evaluation (Monte Carlo); 0: none is dropped
            and the weights stand for their mean (mean field).
        l2: factor λ of ½ λ ‖weights‖², added in training; the objective stays the mean loss alone.
    """

    family: ClassVar[str] = "learning"
    cheap: ClassVar[bool] = False
    default_dtype: ClassVar[torch.dtype] = torch.float32
    judged_by: ClassVar[str] = "validation_loss"
    reconstructs: ClassVar[bool] = False
    """The inputs are the targets too, as values."""
    convex: ClassVar[bool] = True
    """`criterion` is a convex function of the network's outputs."""
    unused: ClassVar[tuple[str, ...]] = ()
    """Settings that the network has no place for; another value than the default is refused."""

    data: str = "digits"
    batch_size: int | None = field(default=64, metadata={"range": Range(least=1, whole=True, optional=True)})
    replacement: bool = setting(False)
    split: int = setting(0, least=0)
    fraction: float = setting(1.0, above=0, most=1)
    label_noise: float = setting(0.0, least=0, most=1)
    random_labels: bool = setting(False)
    imbalance: float = setting(1.0, least=1)
    augment: Mapping[str, Any] = field(default_factory=dict)
    moving_statistics: bool = setting(False)
    predictions: int = setting(0, least=0)
    l2: float = setting(0.0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if not isinstance(self.data, str):
            raise TypeError(f"{type(self).__name__}: data is the name of a data set or PATH.py:NAME, got {self.data!r}")
        if not isinstance(self.augment, Mapping):
            raise TypeError(f"{type(self).__name__}: augment maps names to strengths, as in problem.augment.flip=0.5")
        unused = self.unused + (("label_noise", "random_labels") if self.reconstructs else ())
        for f in fields(self):
            if f.name in unused and getattr(self, f.name) != f.default:
                raise ValueError(f"{type(self).__name__} has no use for {f.name}; leave it at {f.default}")

    def examine(self) -> None:
        """Find out now what does not fit together, by one batch and one prediction of a single trial.

        Raises:
            ValueError: data, network and settings do not fit.
        """
        params = self.network.start([0], "trial run", **self.kind)
        if self.moving_statistics and not self.network.normalises_batches:
            raise ValueError("moving_statistics needs batch normalisation, as by problem.normalisation=batch")
        dropped = (isinstance(m, nn.modules.dropout._DropoutNd) and m.p for m in self.network.template.modules())
        if self.predictions and not any(dropped):
            raise ValueError("predictions averages over dropout masks, and nothing is dropped; set a dropout rate")
        try:
            with torch.no_grad():
                self.loss(params, self.stream([0]).at(0))
                self.predicted(params, self.train.x[:2])
        except (ValueError, UsageError) as error:
            if self.network.normalises_batches and self.samples == 1:
                raise ValueError("batch normalisation needs two samples or more; raise problem.batch_size") from error
            raise
        except Exception as error:
            raise ValueError(f"{type(self.network.template).__name__}: {one_line(error)}") from error

    @abc.abstractmethod
    def module(self) -> nn.Module:
        """A fresh network for `self.shape` inputs and `self.outputs` outputs."""

    # ------------------------------------------------------------------ data

    @cached_property
    def dataset(self) -> Dataset:
        return dataset(self.data)

    @cached_property
    def task(self) -> str:
        """What is learnt: "classes", "sequence" or "values"."""
        return "values" if self.reconstructs else self.dataset.task

    @cached_property
    def splits(self) -> Splits:
        if self.reconstructs and self.dataset.tokens:
            raise ValueError(f"{type(self).__name__} rebuilds numbers, and those of {self.data} are tokens")
        parts = split(
            self.dataset,
            self.split,
            **self.kind,
            fraction=self.fraction,
            label_noise=self.label_noise,
            random_labels=self.random_labels,
            imbalance=self.imbalance,
        )
        return Splits(*(self.prepared(part, parts.train) for part in (parts.train, parts.validation, parts.test)))

    def prepared(self, part: Part, train: Part) -> Part:
        """A part as the network sees it: inputs may be changed here, by a fixed rule or one that the training part gives."""
        return Part(part.x, part.x.flatten(1)) if self.reconstructs else part

    @property
    def train(self) -> Part:
        return self.splits.train

    def on_all_but_test(self) -> Learning:
        """The same problem with the validation part joined to the training part; the network stays the same."""
        joined = Splits(self.splits.all_but_test, self.splits.validation, self.splits.test)
        made = replace(self)
        vars(made).update(splits=joined, network=self.network)  # in place of what the cached properties would make
        return made

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.train.x.shape[1:])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images.

        Raises:
            ValueError: the data are no images.
        """
        if len(self.shape) != 3:
            raise ValueError(
                f"{type(self).__name__} needs images, and an input of {self.data} has shape {list(self.shape)}"
            )
        channels, height, width = self.shape
        return channels, height, width

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for a sample (or for each place of a sequence)."""
        return int(self.train.y.shape[-1]) if self.task == "values" else self.dataset.classes

    def stream(self, seeds: Sequence[int]) -> Stream:
        augment = None
        if self.augment:
            from ..data.augmentation import Augmentation  # with scipy, only where it is asked for

            augment = Augmentation(self.augment, seeds, torch.device(self.device), classes=self.dataset.classes)
        return Minibatches(
            seeds,
            self.train,
            self.batch_size,
            replacement=self.replacement,
            keys=self.network.draws,
            augment=augment,
        )

    # ------------------------------------------------------------------ network

    @property
    def scheme(self) -> str:
        """How weights start: a key of optbench.nn.initialisers.SCHEMES."""
        return "torch"

    @cached_property
    def network(self) -> Network:
        try:
            network = Network(
                self.module,
                scheme=self.scheme,
                moving=self.moving_statistics,
                example=self.train.x[: min(4, len(self.train))],
            )
        except (ValueError, UsageError):
            raise
        except Exception as error:  # of a module of a person's own, whatever it is
            raise ValueError(f"building the network failed: {type(error).__name__}: {one_line(error)}") from error
        self.check_outputs(network)
        return network

    def check_outputs(self, network: Network) -> None:
        """Refuse a network whose outputs do not fit the targets.

        Raises:
            ValueError: they are no tensor, or of another shape.
        """
        x = self.train.x[:3].expand(2, -1, *self.shape)
        with torch.no_grad():
            out = network(network.start([0, 1], "trial run", **self.kind), x, self._judging(network, 2))
        places = tuple(self.dataset.y.shape[1:]) if self.task == "sequence" else ()
        expected = (2, len(x[0]), *places, self.outputs)
        if not isinstance(out, Tensor) or tuple(out.shape) != expected:
            found = list(out.shape[1:]) if isinstance(out, Tensor) else type(out).__name__
            raise ValueError(
                f"{type(network.template).__name__} gives {found} for {len(x[0])} samples of {self.data}, "
                f"expected {list(expected[1:])}"
            )

    @property
    def sequential(self) -> bool:
        return bool(self.network.looped)

    @property
    def layout(self) -> Layout:
        return self.network.layout

    def start(self, seeds: Sequence[int]) -> Params:
        return self.network.start(seeds, f"{type(self).__name__.lower()} start", **self.kind)

    # ------------------------------------------------------------------ loss

    def criterion(self, out: Any, y: Tensor) -> Loss:
        """The loss of each trial, `[trials]`, from its outputs and targets."""
        if self.task == "values":
            return ((out - y) ** 2).flatten(1).mean(dim=1)
        return cross_entropy(out, y)

    def scores(self, out: Any, y: Tensor) -> dict[str, Loss]:
        """Further metrics of each trial, `[trials]`: for labels the accuracy, the share of those that are right."""
        if self.task == "values":
            return {}
        asked = y >= 0
        right = (out.argmax(dim=-1) == y) & asked
        return {"accuracy": right.flatten(1).sum(dim=1).to(out.dtype) / asked.flatten(1).sum(dim=1)}

    def whole(self, trials: int) -> Batch:
        """The training part as one batch for all trials; what a batch of None stands for."""
        x, y = (values.expand(trials, *values.shape) for values in (self.train.x, self.train.y))
        return Batch(x, y, self._judging(self.network, trials).keys)

    def loss(self, params: Params, batch: Batch | None) -> Loss:
        batch = batch or self.whole(len(params))
        run = Pass(keys=batch.keys, watch=batch.watch)
        loss = self._with_terms(self.criterion(self.network(params, batch.x, run), batch.y), run)
        return loss + 0.5 * self.l2 * (params * self._weights).square().sum(dim=1) if self.l2 else loss

    def loss_and_grad(self, params: Params, batch: Batch | None) -> tuple[Loss, Params]:
        if len(params) > 1:
            return super().loss_and_grad(params, batch)
        batch = batch or self.whole(1)
        # one trial: gradients of the layers themselves, joined, take 0.7 of the time of going back through the row's views
        own = {name: value[0].detach().requires_grad_() for name, value in self.layout.split(params).items()}
        run = Pass(keys=batch.keys, watch=batch.watch)
        loss = self._with_terms(self.criterion(lead(self.network.alone(own, batch.x[0], run)), batch.y), run)
        gradients = torch.autograd.grad(loss, list(own.values()), allow_unused=True)
        joined = [
            (torch.zeros_like(value) if grad is None else grad).flatten()
            for grad, value in zip(gradients, own.values(), strict=True)
        ]
        loss, grad = loss.detach(), torch.cat(joined)[None]
        if self.l2:
            weights = params * self._weights
            loss, grad = loss + 0.5 * self.l2 * weights.square().sum(dim=1), grad + self.l2 * weights
        return loss, grad

    def decomposed(self, params: Params, batch: Batch | None) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        """The network's outputs and the loss of them; with `l2` the weights are a further output."""
        if not self.convex:
            return super().decomposed(params, batch)
        batch = batch or self.whole(len(params))
        out = self.network(params, batch.x, Pass(keys=batch.keys, watch=batch.watch))
        several, penalty = isinstance(out, tuple), (params * self._weights,) if self.l2 else ()

        def loss(outputs: Outputs) -> Loss:
            own = outputs[: len(outputs) - len(penalty)]
            value = self.criterion(own if several else own[0], batch.y)
            return value + 0.5 * self.l2 * outputs[-1].square().sum(dim=1) if penalty else value

        return (*(out if several else (out,)), *penalty), loss

    @cached_property
    def _weights(self) -> Tensor:
        """1 for weights, 0 for biases, normalisation and moving statistics: what `l2` sees."""
        kept = [float(role == "weight") for role in self.layout.roles]
        return torch.tensor(kept, **self.kind).repeat_interleave(torch.tensor(self.layout.sizes, device=self.device))

    @staticmethod
    def _with_terms(loss: Loss, run: Pass) -> Loss:
        for term in run.terms:
            loss = loss + term
        return loss

    # ------------------------------------------------------------------ judging

    def _judging(self, network: Network, trials: int, mask: int = 0) -> Pass:
        """A pass of evaluation: the same draws for every trial and at every step."""
        keys = None
        if network.draws:
            keys = Randomness([mask], "evaluation", self.device).words(0, 1)[0].expand(trials)
        return Pass(training=False, keys=keys, drops=self.predictions > 0)

    def outputs_of(self, params: Params, x: Tensor, mask: int = 0, watch: Watch | None = None) -> Any:
        """Outputs of the trials for the same samples `[batch, …]`, as in evaluation."""
        run = self._judging(self.network, len(params), mask)
        run.watch = watch
        if self.network.normalises_batches and not self.moving_statistics:
            run.reference = min(REFERENCE, len(self.train))
            x = torch.cat([self.train.x[: run.reference], x])
        out = self.network(params, x.expand(len(params), *x.shape), run)
        return _without(out, run.reference)

    def reference_batch(self, trials: int) -> Batch:
        """The first 256 training samples as one fixed batch for all trials, with fixed draws."""
        x, y = (values[:REFERENCE].expand(trials, *values[:REFERENCE].shape) for values in (self.train.x, self.train.y))
        return Batch(x, y, self._judging(self.network, trials).keys)

    def predicted(self, params: Params, x: Tensor) -> Any:
        """Outputs of the trials; with Monte-Carlo dropout the logarithm of the mean probability (values: the mean)."""
        if self.predictions == 0:
            return self.outputs_of(params, x)
        outs = [self.outputs_of(params, x, mask) for mask in range(self.predictions)]
        # reduced over a last dimension, as sums over the first depend on how many trials there are, in the last bit
        if self.task == "values":
            return torch.stack(outs, dim=-1).mean(dim=-1)
        each = torch.stack([out.log_softmax(dim=-1) for out in outs], dim=-1)
        return each.logsumexp(dim=-1) - math.log(self.predictions)

    def measure(self, params: Params, part: Part) -> dict[str, Loss]:
        """Loss and scores of the trials on one part, without gradient; trials and samples in chunks."""
        size = max(1, AT_ONCE // max(1, self.activation_bytes // self.samples))
        rows = _chunks(params, self.loss_chunk)
        count, found = len(part), []
        with torch.no_grad():
            for chunk in rows:
                parts = []
                for x, y in zip(part.x.split(size), part.y.split(size), strict=True):
                    out = self.predicted(chunk, x)
                    targets = y.expand(len(chunk), *y.shape)
                    parts.append({"loss": self.criterion(out, targets), **self.scores(out, targets)})
                weights = [len(y) / count for y in part.y.split(size)]
                found.append(
                    parts[0]
                    if len(parts) == 1
                    else {n: sum(w * p[n] for w, p in zip(weights, parts, strict=True)) for n in parts[0]}
                )
        return {name: torch.cat([chunk[name] for chunk in found])[: len(params)] for name in found[0]}

    def objective(self, params: Params, step: int) -> Loss:
        return self.measure(params, self.train)["loss"]

    def evaluate(self, params: Params, step: int) -> dict[str, Loss]:
        train, validation = self.measure(params, self.train), self.measure(params, self.splits.validation)
        named = {f"train_{name}": value for name, value in train.items() if name != "loss"}
        return {"objective": train["loss"], **named, **{f"validation_{name}": v for name, v in validation.items()}}

    def test(self, params: Params) -> dict[str, Loss]:
        return {f"test_{name}": value for name, value in self.measure(params, self.splits.test).items()}

    # ------------------------------------------------------------------ sizes

    @property
    def samples(self) -> int:
        """Samples in a batch."""
        return self.batch_size or len(self.train)

    @cached_property
    def activation_bytes(self) -> int:
        """Bytes that one trial keeps from the forward pass on a batch for the backward pass, parameters and batch aside."""
        batch = select_first(self.stream([0]).at(0), min(self.samples, 64))
        params = self.network.start([0], "trial run", **self.kind).requires_grad_()
        known = {t.untyped_storage().data_ptr() for t in (params, batch.x, batch.y, self.train.x, self.train.y)}
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in known:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            self.loss(params, batch)
        return sum(kept.values()) * self.samples // batch.x.shape[1]

    @property
    def loss_chunk(self) -> int | None:  # pyright: ignore[reportIncompatibleVariableOverride] # worked out here, given there
        return max(2, CACHE // max(1, self.activation_bytes))

    def scratch_bytes(self) -> int:
        x, y = self.train.x, self.train.y
        sample = x[0].numel() * x.element_size() + y[0].numel() * y.element_size()
        return super().scratch_bytes() + (0 if self.batch_size is None else self.samples * sample)

    # ------------------------------------------------------------------ targets

    def reference_loss(self) -> float:
        """What the objective is before anything is learnt, whatever the settings."""
        if self.task == "values":
            y = self.train.y.double()
            return float(((y - y.mean(dim=0)) ** 2).mean())
        return math.log(self.dataset.classes)

    def minimum(self) -> float | None:
        return None

    def targets(self) -> Sequence[float]:
        return [tau * self.reference_loss() for tau in (1e-1, 1e-2, 1e-3)]

    def target(self) -> float:
        return self.targets()[1]


def select_first(batch: Batch, samples: int) -> Batch:
    """The first samples of a batch."""
    return batch._replace(x=batch.x[:, :samples], y=batch.y[:, :samples])


def _without(out: Any, reference: int) -> Any:
    if isinstance(out, Tensor):
        return out[:, reference:]
    return tuple(_without(item, reference) for item in out)


def _chunks(params: Params, size: int | None) -> list[Tensor]:
    """Rows in chunks; a row that would be left alone among several is doubled, as its last bit would differ."""
    chunks = list(params.split(size or max(len(params), 1)))
    if len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-1] = chunks[-1].expand(2, -1)
    return chunks
