"""What K-FAC needs of a network's layers: second moments of what goes in, and of gradients of what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .aligned import square
from .interfaces import Batch, Factors, Loss, Outputs, Params, Problem
from .nn.attention import unfused_attention
from .randomness import Randomness


def kronecker_factors(problem: Problem, params: Params, batch: Batch, step: int) -> dict[str, Factors]:
    """The factors of the linear and convolution layers of each trial, by the names of their weights.

    The gradients are those of a loss whose curvature at the outputs is the expected one: with ∇²L = B Bᵀ for each sample,
    and signs ε of equal chance, u = B ε has E[u uᵀ] = ∇²L, and g = Jᵀu is found by going back once. For cross-entropy and
    squared errors ∇²L is the Fisher matrix of the outputs, so that this has the expectation of labels drawn from the model
    itself, without drawing any. B is the root of the diagonal where there is nothing else; otherwise the Cholesky factor of
    ∇²L, raised by √(machine epsilon) of its mean diagonal, as it need not have full rank. The signs are keyed by the step,
    the same for all trials.

    Layers inside a module that vmap runs are not seen, nor are grouped and transposed convolutions.

    Raises:
        ValueError: the loss is no convex function of outputs, or the parameters are not the layers' own.
    """
    if problem.point(params) is not params:
        raise ValueError(
            "Kronecker factors are those of layers' own weights, and a modifier puts others in their place"
        )
    at = params.detach().requires_grad_()
    seen = _Seen()
    with unfused_attention():
        outputs, loss = problem.decomposed(at, batch._replace(watch=seen) if hasattr(batch, "watch") else batch)
    if not seen.found:
        return {}
    ends = [(k, z) for k, z in enumerate(outputs) if z.ndim > 2]  # a penalty's output has no samples
    value = torch.stack([(z * _pulled(loss, outputs, k, step)).sum() for k, z in ends]).sum()
    outs = [out for calls in seen.found.values() for _, _, _, out in calls]
    grads = iter(torch.autograd.grad(value, outs, materialize_grads=True))
    return {
        name: _factors([(layer, names, x, next(grads)) for layer, names, x, _ in calls], alone=len(params) == 1)
        for name, calls in seen.found.items()
    }


class _Seen:
    """Keeps the calls of the layers that have factors, by the names of their weights: (layer, names, input, output)."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[nn.Module, Mapping[str, str], Tensor, Tensor]]] = {}

    def __call__(self, name: str, layer: nn.Module, out: Any) -> None:
        """What comes out of a layer is seen together with what goes in."""

    def through(self, layer: nn.Module, names: Mapping[str, str], inputs: tuple[Any, ...], out: Any) -> None:
        known = type(layer) is nn.Linear or (type(layer) in (nn.Conv1d, nn.Conv2d) and layer.groups == 1)
        if known and "weight" in names:
            self.found.setdefault(names["weight"], []).append((layer, names, inputs[0].detach(), out))


def _pulled(loss: Any, outputs: Outputs, k: int, step: int) -> Tensor:
    """u = B ε of the k-th output, of its shape; in float64, as p − p² is lost where p is nearly one."""
    z = [out.detach().double() for out in outputs]
    at = z[k].requires_grad_()
    value: Loss = loss(tuple(z))
    if not value.requires_grad:  # a loss that does not look at this output
        return torch.zeros_like(outputs[k])
    (slope,) = torch.autograd.grad(value.sum(), at, create_graph=True)
    if not slope.requires_grad:  # nor bends with it
        return torch.zeros_like(outputs[k])

    def bent(v: Tensor) -> Tensor:
        return torch.autograd.grad(slope, at, v, retain_graph=True, materialize_grads=True)[0]

    random = Randomness([k], "signs of outputs", at.device)
    signs = (random.uniform(step, at[0].numel()).view(at.shape[1:]) - 0.5).sign()
    # squared errors bend each output alone: the diagonal is found at once, however many outputs there are
    along, diagonal = torch.linspace(1, 2, at.shape[-1], dtype=at.dtype, device=at.device), bent(torch.ones_like(at))
    whole = bent(along.expand_as(at))
    apart = (whole - along * diagonal).abs() <= 1e-12 * whole.abs()
    if bool((apart | whole.isnan()).all()):
        return (diagonal.clamp(min=0).sqrt() * signs).to(outputs[k])

    columns = [bent(e.expand_as(at)) for e in torch.eye(at.shape[-1], dtype=at.dtype, device=at.device)]
    H = torch.stack(columns, dim=-1)
    diagonal = H.diagonal(dim1=-2, dim2=-1)
    kind = torch.finfo(H.dtype)
    raised = torch.diag_embed((kind.eps**0.5 * diagonal.mean(dim=-1, keepdim=True) + kind.tiny).expand_as(diagonal))
    B, failed = torch.linalg.cholesky_ex(H + raised)
    # where rounding has left no root, in samples whose curvature is next to nothing, that of the diagonal
    B = torch.where((failed == 0)[..., None, None], B, torch.diag_embed(diagonal.clamp(min=0).sqrt()))
    return (B * signs[..., None, :]).sum(dim=-1).to(outputs[k])


def _factors(calls: list[tuple[nn.Module, Mapping[str, str], Tensor, Tensor]], alone: bool) -> Factors:
    """Of one layer, over all its calls."""
    names, seen, pulled, samples = calls[0][1], [], [], 1
    for layer, _, x, g in calls:
        x, g = (x[None], g[None]) if alone else (x, g)
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
            x, g = _patches(layer, x), g.flatten(3).transpose(2, 3)
        samples = x.shape[1]
        seen.append(x.flatten(1, -2))
        pulled.append(g.flatten(1, -2))
    a, g = torch.cat(seen, dim=1), torch.cat(pulled, dim=1)
    if "bias" in names:
        a = F.pad(a, (0, 1), value=1.0)
    return Factors(square(a) / samples, square(g) * (samples / a.shape[1]), names.get("bias"))


def _patches(layer: nn.Conv1d | nn.Conv2d, x: Tensor) -> Tensor:
    """What each place of the output sees, `[trials, batch, places, inputs]`."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    flat = F.pad(x.flatten(0, 1), layer._reversed_padding_repeated_twice, mode=mode)
    sizes = [layer.kernel_size, layer.dilation, layer.stride]
    if isinstance(layer, nn.Conv1d):
        flat, sizes = flat[:, :, None], [(1, *size) for size in sizes]
    kernel, dilation, stride = sizes
    rows = F.unfold(flat, kernel, dilation=dilation, stride=stride)  # pyright: ignore[reportArgumentType] # of a two-dimensional layer, these are pairs
    return rows.transpose(1, 2).unflatten(0, x.shape[:2])
