"""A schedule of the batch size: steps that use only the first samples of their minibatch."""

from __future__ import annotations

from torch import Tensor

from ..data.batch import Batch
from ..errors import UsageError
from ..interfaces import Hyper, Rows, Schedule, Stream
from .planned import follows_losses, looked_at

BATCH_SIZE = "batch_size"
"""The name under which `schedules` has it."""


class ShortBatches(Stream):
    """The same batches with only this part of their samples, the first ones; at least one sample.

    Which samples of the data come first is random, so this is a minibatch of that size. In epochs, the samples left out
    are those of another epoch's batches.

    Args:
        inner: the stream of full batches.
        part: how much of them is used, in (0, 1]; one number, as all trials' batches lie in one tensor.

    Source: Smith, Kindermans, Ying & Le, "Don't decay the learning rate, increase the batch size", ICLR 2018,
    https://arxiv.org/abs/1711.00489.
    """

    def __init__(self, inner: Stream, part: Hyper):
        if isinstance(part, Tensor):
            raise UsageError(
                "schedules.batch_size: trials of one run have the same batch size; give settings without a search"
            )
        self.inner, self.part, self.fixed = inner, part, False

    def at(self, step: int, rows: Rows | None = None) -> Batch:
        batch = self.inner.at(step, rows)
        samples = max(1, round(self.part * batch.x.shape[1]))
        return batch._replace(x=batch.x[:, :samples], y=batch.y[:, :samples])


def shortened(stream: Stream, part: Hyper) -> Stream:
    """The stream with this part of its batches, whatever part it gave before."""
    return ShortBatches(stream.inner if isinstance(stream, ShortBatches) else stream, part)


def check_batch_size(label: str, batch_size: int | None, schedule: Schedule, steps: int) -> None:
    """Raise a UsageError, one line, where this batch size cannot follow this schedule over so many steps."""
    if batch_size is None:
        raise UsageError(f"schedules.batch_size: {label} has no minibatches; set problem.batch_size to the largest one")
    if follows_losses(schedule):
        raise UsageError(
            "schedules.batch_size: reduce_on_plateau sets each trial apart, and all have the same batch size"
        )
    state = schedule.init(1, steps)
    largest = max(float(schedule.factor(step, steps, state)) for step in looked_at(steps))
    if round(largest * batch_size) > batch_size:
        raise UsageError(
            f"schedules.batch_size: factors are parts of problem.batch_size={batch_size}, which is the largest one; "
            f"they must not lie above 1, got {largest:g}"
        )
