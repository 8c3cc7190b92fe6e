"""The layers that optbench runs by itself, for all trials at once and for one alone.

For all trials inputs are `[trials, batch, …]` and parameters `[trials, *shape]`: one call where vmap would cost more.
Products are batched matrix products, whose bits for one trial do not depend on the others; a product with a matrix
shared by the trials would not have that. (Exception seen: MKL's kernels for tiny float32 matrices of odd sizes, such as
6 × 5, look at the alignment of a row. The contract tests hold every problem of the table to equal bits.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .elementwise import alike
from .forward import Pass

Own = Mapping[str, Tensor]
Run = Callable[..., Any]
"""(layer, its own parameters, inputs…, pass) → output"""


class Layer(NamedTuple):
    """How a layer runs: for all trials, and for one alone without the dimension of trials."""

    batched: Run
    alone: Run


class Sample(nn.Module):
    """z = μ + e^(½ s) ε with ε ~ N(0, 1): draws from a normal law given mean μ and log-variance s.

    Source: Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014, equation 10.
    """

    def forward(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


class Position(nn.Module):
    """Adds a learned vector to each place of a sequence; start N(0, 0.02²) as in GPT-2.

    Args:
        length: longest sequence.
        width: numbers in a vector.
    """

    def __init__(self, length: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(length, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[: x.shape[-2]]


def each(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """A layer without parameters that acts on each number alone."""
    return layer(x)


def each_alike(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """The same where torch's bits for a number depend on its place."""
    return alike(layer, x)


def samplewise(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """A layer without parameters that acts on each sample alone: the trials' samples make one large batch."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def flatten(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """torch.nn.Flatten, one dimension further on."""
    assert isinstance(layer, nn.Flatten)
    last = layer.end_dim if layer.end_dim < 0 else layer.end_dim + 1
    return x.flatten(layer.start_dim if layer.start_dim < 0 else layer.start_dim + 1, last)


def unflatten(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """torch.nn.Unflatten, one dimension further on."""
    assert isinstance(layer, nn.Unflatten)
    dim = layer.dim
    assert isinstance(dim, int)
    return x.unflatten(dim if dim < 0 else dim + 1, layer.unflattened_size)  # pyright: ignore[reportArgumentType] # sizes, not names


def linear(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """y = x Wᵀ + b for each trial [0.77 of vmap's time for 32 trials of 64-64-10, batch 64]."""
    weight = own["weight"].transpose(1, 2)
    flat = x.flatten(1, -2)
    out = torch.baddbmm(own["bias"][:, None, :], flat, weight) if "bias" in own else torch.bmm(flat, weight)
    return out.view(*x.shape[:-1], -1)


def linear_alone(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """torch.nn.Linear; functional_call costs more than the product of a small layer."""
    return F.linear(x, own["weight"], own.get("bias"))


def conv_alone(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """torch.nn.Conv1d, Conv2d, Conv3d with any padding."""
    return layer._conv_forward(x, own["weight"], own.get("bias"))  # type: ignore[operator] # torch's own, of every convolution


def conv_transpose_alone(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """torch.nn.ConvTranspose2d."""
    assert isinstance(layer, nn.ConvTranspose2d)
    sizes = (layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
    return F.conv_transpose2d(x, own["weight"], own.get("bias"), *sizes)  # pyright: ignore[reportArgumentType, reportCallIssue] # as many as the layer has dimensions


def one_by_one(alone: Run) -> Run:
    """A layer of one trial, run for each trial in turn.

    So do convolutions: a grouped one over all trials (what vmap makes of it) is as fast for a chunk of 8, but its bits
    change with the number of trials, as oneDNN takes another kernel from 8 groups on.
    """

    def run_each(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
        rows = [dict(zip(own, values, strict=True)) for values in zip(*own.values(), strict=True)]
        return torch.stack([alone(layer, row, inputs, run) for row, inputs in zip(rows, x.unbind(), strict=True)])

    return run_each


def embedding(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """Rows of each trial's own table `[trials, tokens, width]`, by one look-up in all tables joined."""
    table = own["weight"]
    first = torch.arange(len(table), device=x.device).view(-1, *[1] * (x.ndim - 1)) * table.shape[1]
    return F.embedding(x + first, table.flatten(0, 1))


def embedding_alone(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    return F.embedding(x, own["weight"])


def position(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    return x + own["weight"][..., None, : x.shape[-2], :]


def _along(own: Own, name: str, x: Tensor, at: int) -> Tensor | None:
    """A vector a trial, `[trials, size]`, ready to be broadcast along dimension `at` of x."""
    value = own.get(name)
    return None if value is None else value.view(len(value), *[1] * (at - 1), -1, *[1] * (x.ndim - at - 1))


def _scaled(own: Own, x: Tensor, at: int) -> Tensor:
    weight, bias = _along(own, "weight", x, at), _along(own, "bias", x, at)
    if weight is None:
        return x
    return x * weight if bias is None else torch.addcmul(bias, x, weight)


def layer_norm(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    assert isinstance(layer, nn.LayerNorm)
    shape = list(layer.normalized_shape)
    rows = F.layer_norm(x, shape, eps=layer.eps)
    between = [1] * (x.ndim - 1 - len(shape))
    if "weight" not in own:
        return rows
    weight = own["weight"].view(-1, *between, *shape)
    return torch.addcmul(own["bias"].view(-1, *between, *shape), rows, weight) if "bias" in own else rows * weight


def layer_norm_alone(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    assert isinstance(layer, nn.LayerNorm)
    return F.layer_norm(x, list(layer.normalized_shape), own.get("weight"), own.get("bias"), layer.eps)


def group_norm(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    assert isinstance(layer, nn.GroupNorm)
    rows = F.group_norm(x.flatten(0, 1), layer.num_groups, eps=layer.eps).unflatten(0, x.shape[:2])
    return _scaled(own, rows, 2)


def group_norm_alone(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    assert isinstance(layer, nn.GroupNorm)
    return F.group_norm(x, layer.num_groups, own.get("weight"), own.get("bias"), layer.eps)


def batch_norm(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """Batch normalisation, each trial by statistics of its own.

    In training those of the batch. In evaluation those of the reference samples in front of the batch, taken anew
    with the present parameters, or the moving ones where the trials keep them (`running_mean`, `running_var`).

    Source: Ioffe & Szegedy, "Batch normalization", ICML 2015, Algorithms 1 and 2.
    """
    assert isinstance(layer, nn.modules.batchnorm._BatchNorm)
    rows = x.transpose(1, 2).flatten(2)  # one row for each trial and channel: layer_norm normalises it in one pass
    if run.training:
        if "running_mean" in own:
            _move(own, rows, run)
        normal = F.layer_norm(rows, rows.shape[-1:], eps=layer.eps)
    else:
        if "running_mean" in own:
            mean, variance = own["running_mean"][..., None], own["running_var"][..., None]
        else:
            known = x[:, : _reference(run, x.shape[1])].transpose(1, 2).flatten(2)
            variance, mean = torch.var_mean(known, dim=2, correction=0, keepdim=True)
        normal = (rows - mean) * (variance + layer.eps).rsqrt()
    return _scaled(own, normal.unflatten(2, (x.shape[1], *x.shape[3:])).transpose(1, 2), 2)


def batch_norm_alone(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    assert isinstance(layer, nn.modules.batchnorm._BatchNorm)
    mean, variance = own.get("running_mean"), own.get("running_var")
    if run.training:
        if mean is not None:
            row = {"running_mean": own["running_mean"][None], "running_var": own["running_var"][None]}
            _move(row, x.transpose(0, 1).flatten(1)[None], run)
        mean = variance = None
    elif mean is None:
        known = x[: _reference(run, x.shape[0])].transpose(0, 1).flatten(1)
        variance, mean = torch.var_mean(known, dim=1, correction=0)
    return F.batch_norm(x, mean, variance, own.get("weight"), own.get("bias"), run.training, 0.0, layer.eps)


def _reference(run: Pass, samples: int) -> int:
    return run.reference or samples


def _move(own: Own, rows: Tensor, run: Pass) -> None:
    """A term of value zero whose gradient for each moving statistic is its distance from the batch's.

    The trials go the part `momentum` of that way after each step (optbench.trials). As in torch, the variance kept is
    the unbiased one.
    """
    variance, mean = torch.var_mean(rows.detach(), dim=2)
    for kept, seen in ((own["running_mean"], mean), (own["running_var"], variance)):
        term = 0.5 * ((kept - seen) ** 2).sum(dim=1)
        run.terms.append(term - term.detach())


def dropout(layer: nn.Module, own: Own, x: Tensor, run: Pass) -> Tensor:
    """Inverted dropout: each unit is dropped with probability p, the others are multiplied by 1/(1 − p).

    Masks come from the pass's keys, so those of a trial do not depend on its company.

    Source: Srivastava et al., "Dropout", JMLR 15 (2014), 1929–1958; scaled in training, as in torch.nn.Dropout.
    """
    assert isinstance(layer, nn.modules.dropout._DropoutNd)
    if not run.drops or run.keys is None or layer.p == 0:
        return x
    if layer.p == 1:
        return torch.zeros_like(x)
    whole = isinstance(layer, nn.Dropout)
    channel = x.ndim - (0 if whole else {nn.Dropout1d: 1, nn.Dropout2d: 2, nn.Dropout3d: 3}[type(layer)])
    kept = run.kept(x.shape[:channel], layer.p)
    return torch.where(kept.view(*kept.shape, *[1] * (x.ndim - channel)), x / (1 - layer.p), 0)


def sample(layer: nn.Module, own: Own, mean: Tensor, log_variance: Tensor, run: Pass) -> Tensor:
    return mean + torch.exp(0.5 * log_variance) * run.normal(mean)


class AgainstZero(nn.Module):
    """Logits (0, z) of two classes from one number z, so that the second has the probability 1/(1 + e^(−z))."""

    def forward(self, z: Tensor) -> Tensor:
        return F.pad(z, (1, 0))


class Last(nn.Module):
    """The vector at the last place of a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., -1, :]


_EACH = Layer(each, each)
_ALIKE = Layer(each_alike, each)
_SAMPLEWISE = Layer(samplewise, each)
_CONV = Layer(one_by_one(conv_alone), conv_alone)
_BATCH_NORM = Layer(batch_norm, batch_norm_alone)
_DROPOUT = Layer(dropout, dropout)

LAYERS: dict[type[nn.Module], Layer] = {
    nn.Linear: Layer(linear, linear_alone),
    nn.Conv1d: _CONV,
    nn.Conv2d: _CONV,
    nn.ConvTranspose2d: Layer(one_by_one(conv_transpose_alone), conv_transpose_alone),
    nn.MaxPool2d: _SAMPLEWISE,
    nn.AvgPool2d: _SAMPLEWISE,
    nn.AdaptiveAvgPool2d: _SAMPLEWISE,
    nn.Upsample: _SAMPLEWISE,
    nn.ZeroPad2d: _SAMPLEWISE,
    nn.Flatten: Layer(flatten, each),
    nn.Unflatten: Layer(unflatten, each),
    nn.ReLU: _EACH,
    nn.LeakyReLU: _EACH,
    nn.Tanh: _EACH,
    nn.Sigmoid: _ALIKE,
    nn.GELU: _ALIKE,
    nn.SiLU: _ALIKE,
    nn.ELU: _ALIKE,
    nn.Identity: _EACH,
    Last: _EACH,
    AgainstZero: _EACH,
    nn.Embedding: Layer(embedding, embedding_alone),
    Position: Layer(position, lambda layer, own, x, run: x + own["weight"][: x.shape[-2]]),
    nn.LayerNorm: Layer(layer_norm, layer_norm_alone),
    nn.GroupNorm: Layer(group_norm, group_norm_alone),
    nn.BatchNorm1d: _BATCH_NORM,
    nn.BatchNorm2d: _BATCH_NORM,
    nn.Dropout: _DROPOUT,
    nn.Dropout1d: _DROPOUT,
    nn.Dropout2d: _DROPOUT,
    Sample: Layer(sample, sample),
}

IN_CONTEXT = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd, Sample)
"""Layers that look at the pass; in a module that runs under vmap they are replaced."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of −log softmax(logits)[label], one value a trial: `[trials]`.

    Args:
        logits: `[trials, batch, classes]`, or `[trials, batch, length, classes]` for labels of each position.
        labels: whole numbers `[trials, batch]` or `[trials, batch, length]`, −1 where nothing is asked; or probabilities
            with the classes last, all zero where nothing is asked.
    """
    if labels.dtype == torch.int64:
        flat, wanted = logits.flatten(0, -2), labels.flatten()
        if len(labels) == 1:  # [0.8 of the time, which one trial of a small network notices]
            return F.cross_entropy(flat, wanted, ignore_index=-1)[None]
        each = F.cross_entropy(flat, wanted, reduction="none", ignore_index=-1)
        if labels.ndim == 2:
            return each.view(labels.shape).mean(dim=1)
        return each.view(len(labels), -1).sum(dim=1) / (labels >= 0).flatten(1).sum(dim=1)
    each = -(labels * F.log_softmax(logits, dim=-1)).sum(dim=-1)
    if labels.ndim == 3:
        return each.mean(dim=1)
    return each.flatten(1).sum(dim=1) / labels.any(dim=-1).flatten(1).sum(dim=1)
