"""Layers that hold all trials at once: one call for every trial where vmap would cost more.

Each takes inputs `[trials, batch, …]` and parameters `[trials, *shape]`. Products are batched matrix products, whose
bits for one trial do not depend on the others; a product with a matrix shared by the trials would not have that.
(Exception seen: MKL's kernels for tiny float32 matrices of odd sizes, such as 6 × 5, look at the alignment of a row.
The contract tests hold every problem of the table to equal bits.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

BatchedLayer = Callable[[nn.Module, Mapping[str, Tensor], Tensor], Tensor]


def linear(layer: nn.Module, own: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """y = x Wᵀ + b for each trial [0.77 of vmap's time for 32 trials of 64-64-10, batch 64]."""
    weight = own["weight"].transpose(1, 2)
    flat = x.flatten(1, -2)
    out = torch.baddbmm(own["bias"][:, None, :], flat, weight) if "bias" in own else torch.bmm(flat, weight)
    return out.view(*x.shape[:-1], -1)


def conv2d(layer: nn.Module, own: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """One convolution a trial.

    A grouped one over all trials (what vmap makes of it) is as fast for a chunk of 8, but its bits change with the
    number of trials: oneDNN takes another kernel from 8 groups on.
    """
    assert isinstance(layer, nn.Conv2d)
    biases = own["bias"].unbind() if "bias" in own else [None] * len(x)
    each = [
        F.conv2d(images, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        for images, weight, bias in zip(x.unbind(), own["weight"].unbind(), biases, strict=True)
    ]
    return torch.stack(each)


def samplewise(layer: nn.Module, own: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """A layer without parameters that acts on each sample alone: the trials' samples make one large batch."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def under_vmap(layer: nn.Module, own: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Any module, by torch.func.vmap."""
    return vmap(lambda p, inputs: functional_call(layer, p, (inputs,)))(dict(own), x)


def alone(layer: nn.Module, own: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Any module for one trial, inputs and parameters without the dimension of trials."""
    if type(layer) is nn.Linear:  # functional_call costs more than the product of a small layer
        return F.linear(x, own["weight"], own.get("bias"))
    return functional_call(layer, dict(own), (x,)) if own else layer(x)


def shared(layer: nn.Module, own: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """A layer without parameters that acts on each number alone."""
    return layer(x)


def flatten(layer: nn.Module, own: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """torch.nn.Flatten, one dimension further on."""
    assert isinstance(layer, nn.Flatten)
    last = layer.end_dim if layer.end_dim < 0 else layer.end_dim + 1
    return x.flatten(layer.start_dim if layer.start_dim < 0 else layer.start_dim + 1, last)


BATCHED: dict[type[nn.Module], BatchedLayer] = {
    nn.Linear: linear,
    nn.Conv2d: conv2d,
    nn.MaxPool2d: samplewise,
    nn.AvgPool2d: samplewise,
    nn.Flatten: flatten,
    nn.ReLU: shared,
    nn.Tanh: shared,
    nn.Sigmoid: shared,
    nn.GELU: shared,
    nn.SiLU: shared,
    nn.Identity: shared,
}


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of −log softmax(logits)[label], one value a trial: `[trials]`."""
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.view(labels.shape).mean(dim=1)
