"""The oracle of a run: answers with the problem's loss and gradient on the step's batch, and counts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from .interfaces import Batch, Factors, Loss, Matrix, Oracle, Params, Problem, Product, Rows, Stream, Vectors, select
from .kronecker import kronecker_factors
from .products import PRODUCTS, Times

MOMENTUM = 0.1
"""Part of the way that a moving statistic goes towards the batch's at each step, as in torch.nn.BatchNorm2d."""
TOGETHER = 64
"""Rows of a graph from which more at once gain little, unless the problem says how many fit a cache."""


class BatchOracle(Oracle):
    """Loss and gradient of a problem on the batch of the current step, or their mean over several.

    After the first call of a step for all trials, `first_params`, `first_loss` and `first_grad` hold where it was asked and
    what was answered, so that the runner need not compute it again; after `begin` without the gradient.

    Args:
        problem: what is minimised.
        stream: its batches, for all trials that the run started with.
        trials: how many those are. With two or more, no tensor of a single row is ever evaluated: row results are
            bit-identical for any number of rows from two on, and differ in the last bit for one alone.
    """

    def __init__(self, problem: Problem, stream: Stream, trials: int):
        self.problem, self.stream = problem, stream
        self.layout, self.fixed = problem.layout, stream.fixed
        self.trials = trials
        self.rows: Rows | None = None
        self.common = 0
        self.extra: Tensor | None = None
        roles = torch.tensor([role == "buffer" for role in self.layout.roles])
        buffers = roles.repeat_interleave(torch.tensor(self.layout.sizes)).nonzero().squeeze(1)
        self._buffers = buffers.to(problem.device) if len(buffers) else None
        self._pull: Params | None = None
        self._batches: list[Batch] = []
        self._drawn = False
        self.move(0)

    def move(self, step: int, count: int = 1) -> None:
        """Go to a batch of the stream, or to so many from this one on: each is drawn when first asked for.

        A question is then answered with the mean over them, and counts as so many evaluations. Where the batch is always
        the same, it is drawn once and one alone is asked.
        """
        self.steps = range(step, step + (1 if self.fixed else count))
        if not self.fixed:
            self._batches, self._drawn = [], False
        self.first_params: Params | None = None
        self.first_loss: Loss | None = None
        self.first_grad: Params | None = None

    def keep(self, rows: Rows) -> None:
        """Go on with only these of the present trials."""
        self.rows = rows if self.rows is None else self.rows[rows]
        self.extra = None if self.extra is None else self.extra[rows]
        self._drawn = False

    def evaluations(self) -> int | Tensor:
        """Gradient evaluations so far: one number where all trials made as many, else one a trial."""
        return self.common if self.extra is None else self.common + self.extra

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        if rows is not None:
            return self._some(params, torch.as_tensor(rows, dtype=torch.int64, device=params.device))
        self._count(len(self.steps), None)
        loss, grad = self._mean(params, self._batches_of(None))
        if self._buffers is not None:
            if self.first_params is None:
                self._pull = grad[:, self._buffers]
            grad[:, self._buffers] = 0
        if self.first_params is None:
            self.first_params, self.first_loss, self.first_grad = params, loss, grad
        return loss, grad

    def begin(self, params: Params, loss: Loss | None) -> None:
        if self.first_params is not None:
            return
        if loss is None or self._buffers is not None:  # looked at, not asked: it counts for nobody
            loss, grad = self._mean(params, self._batches_of(None))
            self._pull = None if self._buffers is None else grad[:, self._buffers]
        self.first_params, self.first_loss = params, loss

    def _some(self, params: Params, rows: Rows) -> tuple[Loss, Params]:
        self._count(len(self.steps), rows)
        alone = len(rows) == 1 and self.trials > 1
        if alone:
            params, rows = params.expand(2, -1), rows.expand(2)
        loss, grad = self._mean(params, self._batches_of(rows))
        if self._buffers is not None:
            grad[:, self._buffers] = 0
        return (loss[:1], grad[:1]) if alone else (loss, grad)

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        loss, grad = self(params, rows)
        if rows is not None:
            rows = torch.as_tensor(rows, dtype=torch.int64, device=params.device)
        return loss, grad, _Products(self, matrix, params, rows)

    def kronecker(self, params: Params) -> dict[str, Factors]:
        self._count(len(self.steps), None)
        parts = chunks(len(params), self.problem.loss_chunk or len(params))
        found = [
            [
                kronecker_factors(self.problem, params[part], None if b is None else select(b, part), step)
                for step, b in zip(self.steps, self._batches_of(None), strict=True)
            ]
            for part in parts
        ]
        return {
            name: Factors(
                torch.cat([_mean_of([batch[name].A for batch in part]) for part in found]),
                torch.cat([_mean_of([batch[name].G for batch in part]) for part in found]),
                first.bias,
            )
            for name, first in found[0][0].items()
        }

    def _count(self, evaluations: int, rows: Rows | None) -> None:
        """So many more of these trials, or of all."""
        if rows is None:
            self.common += evaluations
            return
        if self.extra is None:
            present = self.trials if self.rows is None else len(self.rows)
            self.extra = torch.zeros(present, dtype=torch.int64, device=rows.device)
        self.extra[rows] += evaluations

    def _batches_of(self, rows: Rows | None) -> Sequence[Batch]:
        """What these of the present trials see in this step; that of all is drawn once."""
        if rows is not None:
            drawn = rows if self.rows is None else self.rows[rows]
            return [self.stream.at(step, drawn) for step in self.steps]
        if not self._drawn:
            self._batches, self._drawn = [self.stream.at(step, self.rows) for step in self.steps], True
        return self._batches

    def with_buffers(self, before: Params, after: Params) -> Params:
        """The parameters after a step with the moving statistics moved by the batch of its first call, not by the optimizer."""
        if self._buffers is None or self._pull is None:
            return after
        after = after.clone()
        after[:, self._buffers] = before[:, self._buffers] - MOMENTUM * self._pull
        return after

    def _mean(self, params: Params, batches: Sequence[Batch]) -> tuple[Loss, Params]:
        loss, grad = self._chunked(params, batches[0])
        for batch in batches[1:]:
            more = self._chunked(params, batch)
            loss, grad = loss + more[0], grad + more[1]
        return (loss, grad) if len(batches) == 1 else (loss / len(batches), grad / len(batches))

    def _chunked(self, params: Params, batch: Batch) -> tuple[Loss, Params]:
        size, rows = self.problem.loss_chunk, params.shape[0]
        if size is None or rows <= size:
            return self.problem.loss_and_grad(params, batch)
        parts = [
            self.problem.loss_and_grad(params[part], None if batch is None else select(batch, part))
            for part in chunks(rows, size)
        ]
        return torch.cat([loss for loss, _ in parts]), torch.cat([grad for _, grad in parts])


class _Products:
    """A matrix of each trial that one question was about; what differentiates is built for the first product.

    That is a graph of all trials that it was built for, and costs as much where one of them is asked about. Once less than
    half of its rows are left, it is built anew for these alone. Of several vectors, as many go together as make TOGETHER
    rows, in a graph that has each trial as often. Bits do not change.
    """

    def __init__(self, oracle: BatchOracle, matrix: Matrix, params: Params, rows: Rows | None):
        self.oracle, self.make, self.params, self.rows = oracle, PRODUCTS[matrix], params, rows
        self.held: Rows | None = None
        """Rows of params that the graphs have."""
        self.copies = 1
        """How often they have each, one after the other."""
        self.graphs: list[tuple[slice, list[Times]]] = []
        """Of the chunks of these, one for each minibatch."""

    def __call__(self, v: Params | Vectors, rows: Rows | None = None) -> Tensor:
        if v.ndim == 2:
            return self._together(v[:, None], rows)[:, 0]
        most = max(1, (self.oracle.problem.loss_chunk or TOGETHER) // len(v))
        return torch.cat([self._together(part, rows) for part in v.split(most, dim=1)], dim=1)

    def _together(self, v: Vectors, rows: Rows | None) -> Vectors:
        oracle, count = self.oracle, v.shape[1]
        whose = rows if self.rows is None else self.rows if rows is None else self.rows[rows]
        oracle._count(2 * count * len(oracle.steps), whose)
        place = self._places(rows, whose, count)
        whole = v.new_zeros(self.graphs[-1][0].stop, v.shape[2]).index_copy_(0, place, v.flatten(0, 1))
        if oracle._buffers is not None:
            whole[:, oracle._buffers] = 0
        made = torch.cat([_mean_of([product(whole[part]) for product in graphs]) for part, graphs in self.graphs])
        if oracle._buffers is not None:
            made[:, oracle._buffers] = 0
        return made[place].view(v.shape)

    def _places(self, rows: Rows | None, whose: Rows | None, count: int) -> Int64[Tensor, "_"]:
        """Where in the graphs so many copies of these rows of params stand."""
        wanted = torch.arange(len(self.params), device=self.params.device) if rows is None else rows
        place = self._found(wanted, count)
        if place is None:
            self._build(wanted, whose, count)
            place = torch.arange(len(wanted), device=wanted.device)
        return (place[:, None] * self.copies + torch.arange(count, device=place.device)).flatten()

    def _found(self, wanted: Rows, count: int) -> Rows | None:
        """Which of the rows held these are; None where the graphs lack some, or have more than twice as many."""
        if self.held is None or not count <= self.copies <= 2 * count * len(wanted) / len(self.held):
            return None
        places = torch.full((len(self.params),), -1, device=wanted.device)
        places[self.held] = torch.arange(len(self.held), device=wanted.device)
        place = places[wanted]
        return place if bool((place >= 0).all()) else None

    def _build(self, wanted: Rows, whose: Rows | None, copies: int) -> None:
        problem = self.oracle.problem
        self.held, self.copies = wanted, copies
        if copies > 1:
            whose = (wanted if whose is None else whose).repeat_interleave(copies)
            wanted = wanted.repeat_interleave(copies)
        elif len(wanted) == 1 and self.oracle.trials > 1 and whose is not None:
            wanted, whose = wanted.expand(2), whose.expand(2)
        params, batches = self.params[wanted], self.oracle._batches_of(whose)
        parts = chunks(len(params), problem.loss_chunk or len(params))
        self.graphs = [
            (part, [self.make(problem, params[part], None if b is None else select(b, part)) for b in batches])
            for part in parts
        ]


def _mean_of(values: Sequence[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else sum(values[1:], values[0]) / len(values)


def chunks(rows: int, size: int) -> list[slice]:
    """Slices of at most about `size` rows, of even length, none of a single row unless there is only one in all.

    >>> [(s.start, s.stop) for s in chunks(9, 4)]
    [(0, 3), (3, 6), (6, 9)]
    """
    count = max(1, min(-(-rows // max(size, 1)), rows // 2))
    edges = [rows * k // count for k in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]
