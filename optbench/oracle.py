"""The oracle of a run: answers with the problem's loss and gradient on the step's batch, and counts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from .interfaces import Batch, Loss, Oracle, Params, Problem, Rows, Stream, select

MOMENTUM = 0.1
"""Part of the way that a moving statistic goes towards the batch's at each step, as in torch.nn.BatchNorm2d."""


class BatchOracle(Oracle):
    """Loss and gradient of a problem on the batch of the current step, or their mean over several.

    After the first call of a step for all trials, `first_params`, `first_loss` and `first_grad` hold where it was asked and
    what was answered, so that the runner need not compute it again.

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
        self.extra: torch.Tensor | None = None
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

    def evaluations(self) -> int | torch.Tensor:
        """Gradient evaluations so far: one number where all trials made as many, else one a trial."""
        return self.common if self.extra is None else self.common + self.extra

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        if rows is not None:
            return self._some(params, torch.as_tensor(rows, dtype=torch.int64, device=params.device))
        if not self._drawn:
            self._batches, self._drawn = [self.stream.at(step, self.rows) for step in self.steps], True
        self.common += len(self.steps)
        loss, grad = self._mean(params, self._batches)
        if self._buffers is not None:
            if self.first_params is None:
                self._pull = grad[:, self._buffers]
            grad[:, self._buffers] = 0
        if self.first_params is None:
            self.first_params, self.first_loss, self.first_grad = params, loss, grad
        return loss, grad

    def _some(self, params: Params, rows: Rows) -> tuple[Loss, Params]:
        if self.extra is None:
            present = self.trials if self.rows is None else len(self.rows)
            self.extra = torch.zeros(present, dtype=torch.int64, device=params.device)
        self.extra[rows] += len(self.steps)
        alone = len(rows) == 1 and self.trials > 1
        if alone:
            params, rows = params.expand(2, -1), rows.expand(2)
        drawn = rows if self.rows is None else self.rows[rows]
        loss, grad = self._mean(params, [self.stream.at(step, drawn) for step in self.steps])
        if self._buffers is not None:
            grad[:, self._buffers] = 0
        return (loss[:1], grad[:1]) if alone else (loss, grad)

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


def chunks(rows: int, size: int) -> list[slice]:
    """Slices of at most about `size` rows, of even length, none of a single row unless there is only one in all.

    >>> [(s.start, s.stop) for s in chunks(9, 4)]
    [(0, 3), (3, 6), (6, 9)]
    """
    count = max(1, min(-(-rows // max(size, 1)), rows // 2))
    edges = [rows * k // count for k in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]
