"""Modules that optbench does not know: run under torch.func.vmap, or in a loop over trials where vmap cannot carry them."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from .attention import unfused_attention
from .elementwise import Alike
from .forward import Pass, lead
from .layers import IN_CONTEXT, LAYERS


class Foreign:
    """A module as a function of its parameters, for all trials and for one alone.

    Layers inside it that look at the pass (dropout, batch normalisation) are replaced by optbench's own. On its first
    call the module is examined: does it draw random numbers by itself, or change a buffer?

    Args:
        module: copied, so that nothing of it changes.
        name: its path in the network.
        names: its parameters, own name → name in the whole network.
        moving: moving statistics that batch normalisation keeps among the parameters.
    """

    def __init__(self, module: nn.Module, name: str, names: Mapping[str, str], moving: tuple[str, ...]):
        self.name, self.names = name or type(module).__name__, names
        self._path = name
        self.looped: bool | None = None
        """Runs one trial after the other; None while it is not known."""
        self._examined = self._changes_inputs = False
        self._uneven: dict[tuple[Any, ...], bool] = {}
        """For inputs of these sizes: something is to be made as by `alike`, which slows every operation a little."""
        self._now = _Now()
        self._copies = {True: copy.deepcopy(module).train(), False: copy.deepcopy(module).eval()}
        for mode, inner in self._copies.items():
            self._copies[mode] = _placed(inner, self._now, moving)

    def alone(self, values: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        own = {own: values[whole] for own, whole in self.names.items()}
        if not self._examined:
            self._examine(own, inputs, run)
        run.at = self._path
        return self._watched(self._call(own, inputs, run), run, alone=True)

    def batched(self, values: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        own = {own: values[whole] for own, whole in self.names.items()}
        if not self._examined:
            self._examine(_row(own, 0), tuple(x[0] for x in inputs), run)
        if self.looped is None:
            self.looped = not self._carried(own, inputs, run)
        run.at = self._path
        return self._watched(self._loop(own, inputs, run) if self.looped else self._vmap(own, inputs, run), run)

    def _watched(self, out: Any, run: Pass, *, alone: bool = False) -> Any:
        if run.watch is not None:
            run.watch(self._path, self._copies[run.training], lead(out) if alone else out)
        return out

    def _call(self, own: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        inner = self._copies[run.training]
        self._now.run = run
        if self._changes_inputs:
            inputs = tuple(x.clone() for x in inputs)
        return functional_call(inner, dict(own), inputs)

    def _inside(self, run: Pass, key: Tensor | None, *, pure: bool) -> Pass:
        return Pass(
            training=run.training,
            keys=None if key is None else key[None],
            drops=run.drops,
            reference=run.reference,
            pure=pure,
            drawn=run.drawn,
        )

    def _vmap(self, own: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        last: list[Pass] = []

        def one(values: Mapping[str, Tensor], key: Tensor | None, *given: Tensor) -> Any:
            inside = self._inside(run, key, pure=True)
            last[:] = [inside]
            return self._call(values, given, inside), tuple(inside.terms)

        dims = (0, None if run.keys is None else 0, *[0] * len(inputs))
        sizes, alike = (run.training, *(x.shape[1:] for x in inputs)), Alike()
        with unfused_attention(), warnings.catch_warnings(), alike if self._uneven.get(sizes, True) else nullcontext():
            warnings.filterwarnings("ignore", message="There is a performance drop")  # vmap's affair, not the user's
            out, terms = vmap(one, in_dims=dims)(dict(own), run.keys, *inputs)
        self._uneven.setdefault(sizes, alike.met)
        run.terms.extend(term.flatten() for term in terms)
        run.drawn = last[0].drawn
        return out

    def _loop(self, own: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> Any:
        outs, passes = [], []
        for k in range(len(inputs[0])):
            passes.append(self._inside(run, None if run.keys is None else run.keys[k], pure=False))
            outs.append(self._call(_row(own, k), tuple(x[k] for x in inputs), passes[-1]))
        run.terms.extend(torch.cat(terms) for terms in zip(*(p.terms for p in passes), strict=True))
        run.drawn = passes[0].drawn
        return _stacked(outs)

    def _carried(self, own: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> bool:
        """Does vmap give what the loop gives, on the first two trials?

        On a CPU convolutions are not left to vmap: it makes one grouped convolution of them, no faster than a loop, whose
        bits change with the number of trials.
        """
        convolutions = any(isinstance(m, nn.modules.conv._ConvNd) for m in self._copies[True].modules())
        if convolutions and inputs[0].device.type == "cpu":
            return False
        two = slice(0, 2)
        own = {name: value[two].detach() for name, value in own.items()}
        inputs = tuple(x[two].detach() for x in inputs)
        keys = None if run.keys is None else run.keys[two]
        passes = [Pass(training=run.training, keys=keys, drops=run.drops, reference=run.reference) for _ in "ab"]
        expected = _flat(self._loop(own, inputs, passes[0]))
        try:
            found = _flat(self._vmap(own, inputs, passes[1]))
        except Exception:  # data-dependent control flow, layers without a batching rule: each its own error
            return False
        tolerance = 1e-3 if expected[0].dtype in (torch.float32, torch.float64) else 3e-2
        return all(
            f.shape == e.shape and torch.allclose(f, e, rtol=tolerance, atol=tolerance, equal_nan=True)
            for f, e in zip(found, expected, strict=True)
        )

    def _examine(self, own: Mapping[str, Tensor], inputs: tuple[Any, ...], run: Pass) -> None:
        """Refuse hidden randomness and buffers that change, in training and in evaluation; does it change its inputs?"""
        own = {name: value.detach() for name, value in own.items()}
        inputs = tuple(x.detach().clone() for x in inputs)
        key = None if run.keys is None else run.keys[0]
        like = next(iter(own.values()), inputs[0])
        for training in (True, False):
            self._copies[training].to(like.device, like.dtype if like.is_floating_point() else None)
            inner = self._copies[training]
            before = {name: buffer.clone() for name, buffer in inner.named_buffers()}
            where: list[str] = []
            handles = _hooked(inner, where)
            versions, outs = [x._version for x in inputs], []
            try:
                with torch.random.fork_rng(devices=[]), torch.no_grad(), _RefuseRandomness(self, inner, where):
                    for given in (tuple(x.clone() for x in inputs), inputs):
                        probe = self._inside(run, key, pure=False)
                        probe.training = training
                        outs.append(self._call(own, given, probe))
            finally:
                for handle in handles:
                    handle.remove()
            for name, buffer in inner.named_buffers():
                if not torch.equal(buffer, before[name]):
                    raise ValueError(
                        f"{self.name}: the buffer {name!r} changes while the network runs, which trials cannot share; "
                        "use layers without one, or batch normalisation of torch.nn"
                    )
            self._changes_inputs = self._changes_inputs or versions != [x._version for x in inputs]
            first, second = (_flat(lead(out)) for out in outs)
            if not all(torch.allclose(a, b, equal_nan=True) for a, b in zip(first, second, strict=True)):
                raise ValueError(
                    f"{self.name} gives other outputs for the same inputs: it draws random numbers of its own or keeps a "
                    "state, so trials could not be repeated; use torch.nn.Dropout as a layer"
                )
        self._examined = True


def _hooked(inner: nn.Module, where: list[str]) -> list[Any]:
    """Keep the path of the layer that runs at the end of `where`; the handles that undo it."""

    def leave(*_: Any) -> None:
        where.pop()

    handles = []
    for path, layer in inner.named_modules():
        handles.append(layer.register_forward_pre_hook(lambda *_, path=path: where.append(path)))
        handles.append(layer.register_forward_hook(leave))
    return handles


class _Now:
    """The pass that the replaced layers inside a module look at."""

    run: Pass


class _RefuseRandomness(TorchDispatchMode):
    """Stops at the first operation that draws from torch's global generator, and names the layer that called it."""

    def __init__(self, owner: Foreign, inner: nn.Module, where: list[str]):
        super().__init__()
        self.owner, self.inner, self.where = owner, inner, where

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags and not _certain(func, args):
            path = self.where[-1] if self.where else ""
            layer = type(self.inner.get_submodule(path)).__name__
            raise ValueError(
                f"{self.owner.name}: the layer {path or self.owner.name!r} ({layer}) draws random numbers of its own "
                f"({func.__name__.partition('.')[0]}), so trials could not be repeated; use torch.nn.Dropout as a layer, or "
                "set its dropout to 0"
            )
        return func(*args, **(kwargs or {}))


def _certain(func: Any, args: Any) -> bool:
    """Attention kernels carry the tag whatever their dropout probability; with 0 they draw nothing."""
    name = func.__name__
    if "scaled_dot_product" in name or "attention" in name:
        numbers = [a for a in args if isinstance(a, float) and not isinstance(a, bool)]
        return all(n == 0.0 for n in numbers)
    return False


class Placed(nn.Module):
    """A layer of torch.nn replaced by optbench's form of it, inside a module that optbench does not know."""

    def __init__(self, layer: nn.Module, now: _Now, moving: tuple[str, ...]):
        super().__init__()
        self._now = now
        self._own = [name for name, _ in layer.named_parameters(recurse=False)]
        for name in self._own:
            self.register_parameter(name, layer.get_parameter(name))
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            for name in moving:
                self.register_parameter(name, nn.Parameter(torch.zeros(layer.num_features), requires_grad=False))
                self._own.append(name)
        self._layer = (layer,)  # in a tuple, so that its parameters are not registered twice

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in ("running_mean", "running_var", "num_batches_tracked"):
                told = "is not kept, as batch normalisation is judged by statistics taken anew"
                raise AttributeError(f"{name} {told}; set problem.moving_statistics=true") from None
            (layer,) = self.__dict__.get("_layer", (None,))
            return getattr(layer, name)

    def forward(self, *inputs: Tensor) -> Any:
        (layer,), run = self._layer, self._now.run
        own = {name: getattr(self, name) for name in self._own}
        if not run.pure:
            return LAYERS[type(layer)].alone(layer, own, *inputs, run)
        # under vmap, torch's own batch normalisation would change bits with the number of trials
        rows = {name: value[None] for name, value in own.items()}
        return LAYERS[type(layer)].batched(layer, rows, *(x[None] for x in inputs), run)[0]


def _placed(
    module: nn.Module, now: _Now, moving: tuple[str, ...], made: dict[nn.Module, nn.Module] | None = None
) -> nn.Module:
    """made: what stands in for layers met before, as a module may have one layer under two names."""
    made = {} if made is None else made
    if module not in made:
        made[module] = (
            Placed(module, now, moving) if isinstance(module, IN_CONTEXT) and type(module) in LAYERS else module
        )
        if made[module] is module:
            for name, child in list(module._modules.items()):
                if child is not None:
                    setattr(module, name, _placed(child, now, moving, made))
    return made[module]


def _row(own: Mapping[str, Tensor], k: int) -> dict[str, Tensor]:
    return {name: value[k] for name, value in own.items()}


def _stacked(outs: list[Any]) -> Any:
    if isinstance(outs[0], Tensor):
        return torch.stack(outs)
    return tuple(_stacked(list(items)) for items in zip(*outs, strict=True))


def _flat(out: Any) -> list[Tensor]:
    return [out] if isinstance(out, Tensor) else [leaf for item in out for leaf in _flat(item)]
