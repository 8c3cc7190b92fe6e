"""An elementwise rule as a graph, whatever numbers it works out from the step count and the rate.

A rule computes with tensors and with plain numbers such as 1 − β₁ᵗ. The tensor operations are the same at every step and are
kept; the numbers, and tensors made of numbers, are worked out anew each step, by the rule itself on a single column, and
given to the graph. Left inside, a compiler would compute a power of t for each parameter [4 times the time of Adam].
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from .errors import UsageError
from .in_place import Bind, as_tensor, in_place
from .interfaces import FirstOrder, Hyper, Params


def check_compiler() -> None:
    """Is there a C++ compiler?

    Raises:
        UsageError: torch.compile finds none.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler  # takes a second, and only those who compile need it

    try:
        get_cpp_compiler()
    except Exception as error:
        raise UsageError("compile=true needs a C++ compiler; install g++ or set compile=false") from error


class Traced:
    """`update` of elementwise rules as a graph, made at the first step and again where a rule takes another branch.

    Args:
        compiled: into one kernel for whole rows; else the graph runs in place, block by block.
    """

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled
        self._kernels: dict[Any, tuple[set[int], list[float], Bind, list[Tensor]]] = {}

    def __call__(
        self, rule: FirstOrder[Any], params: Params, grad: Params, state: Any, lr: Hyper, after: Params, block: int
    ) -> Any:
        """Writes the new parameters to `after` and new state tensors over the old ones; gives the new state.

        after: a tensor of its own, or `params`, which are then written over.
        block: columns that are worked on together.
        """
        made, seen = _on_one_column(rule, params, grad, state, lr)
        leaves = [after, grad, *_tensors((state, lr))]
        cut = [leaf.split(block, dim=1) if _whole(leaf, params.shape) else itertools.repeat(leaf) for leaf in leaves]
        ready: dict[int, Callable[..., None]] = {}  # by width: all blocks are alike but the last
        for before, *part in zip(params.split(block, dim=1), *cut, strict=False):
            width = before.shape[1]
            if after is not params:
                part[0].copy_(before)
            if width not in ready:
                ready[width] = self._kernel(rule, part, state, lr, made, seen, params.shape)
            ready[width](*part)
        return _with_columns(made, state, params.shape)

    def _kernel(
        self,
        rule: FirstOrder[Any],
        part: Sequence[Tensor],
        state: Any,
        lr: Hyper,
        made: Any,
        seen: _Numbers,
        shape: torch.Size,
    ) -> Callable[..., None]:
        """The function for a block like this one, with the numbers of this step."""
        numbers, block = seen.numbers, part[0].shape
        columns = _tensors(list(vars(rule).values()))  # settings that differ between the trials
        key = (type(rule), *map(id, columns), tuple(seen.operations), len(numbers), block, part[0].dtype)
        varying, baked, bind, _ = self._kernels.get(key, (set(), [], None, columns))
        changed = {i for i, (old, new) in enumerate(zip(baked, numbers, strict=bool(baked))) if old != new}
        if bind is None or not changed <= varying:
            later = 0.5 * lr if isinstance(lr, float) else lr
            column = _one_column(made, shape)
            following = _on_one_column(rule, part[0], part[1], column, later)[1].numbers
            if len(following) == len(numbers):
                varying = varying | {i for i, (a, b) in enumerate(zip(numbers, following, strict=True)) if a != b}
            varying = varying | changed
            graph = _graph(rule, part, state, lr, sorted(varying), seen)
            bind = _compiled(graph) if self.compiled else in_place(graph, block)
            self._kernels[key] = varying, numbers, bind, columns  # kept, so that no other tensor gets its id
        return bind([numbers[i] for i in sorted(varying)], seen.made)


def _compiled(graph: torch.fx.GraphModule) -> Bind:
    """One kernel. Numbers reach it as tensors without dimensions: another plain number might compile it again."""
    for node in graph.graph.nodes:
        if node.op == "call_function":
            _take_tensors(graph.graph, node)
    graph.recompile()
    run = torch.compile(graph, fullgraph=True)
    return lambda numbers, made: lambda *whole: run(*whole, *map(as_tensor, numbers), *made)


def _take_tensors(graph: torch.fx.Graph, node: torch.fx.Node) -> None:
    """Let this operation have tensors where it has been given inputs for plain numbers."""
    operation: Any = node.target
    for key in ("alpha", "value"):  # x + alpha y, x + value y z: the factor goes to y
        factor = node.kwargs.get(key)
        if isinstance(factor, torch.fx.Node):
            with graph.inserting_before(node):
                scaled = graph.call_function(torch.ops.aten.mul.Tensor, (node.args[1], factor))
            node.update_arg(1, scaled)
            node.kwargs = {k: v for k, v in node.kwargs.items() if k != key}
    wanted = [str(a.type) for a in operation._schema.arguments]
    numbers = [k for k, a in enumerate(node.args) if isinstance(a, torch.fx.Node) and "Tensor" not in wanted[k]]
    if numbers:
        for k in numbers:
            wanted[k] = "Tensor" if wanted[k] in ("number", "float", "int") else wanted[k].replace("number", "Tensor")
        for name in operation.overloadpacket.overloads():
            form = getattr(operation.overloadpacket, name)
            if [str(a.type) for a in form._schema.arguments] == wanted:
                node.target = form


class _Numbers(TorchDispatchMode):
    """Notes the operations that run, the plain numbers they are given, and the tensors made of plain numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[float] = []
        self.operations: list[Any] = []
        self.made: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations.append(func)
        if func is torch.ops.aten.lift_fresh.default:
            self.made.append(args[0])
        self.numbers.extend(x for x in tree_flatten((args, kwargs))[0] if _is_number(x))
        return func(*args, **(kwargs or {}))


def _on_one_column(rule: FirstOrder[Any], params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Any, _Numbers]:
    """The new state of a single column, and what was met on the way."""
    given = params[:, :1], grad[:, :1], _one_column(state, params.shape), lr
    with _Numbers() as seen:
        _, made = rule.update(*given)
    return made, seen


def _graph(
    rule: FirstOrder[Any],
    part: Sequence[Tensor],
    state: Any,
    lr: Hyper,
    varying: list[int],
    seen: _Numbers,
) -> torch.fx.GraphModule:
    """A function of (parameters, gradient, tensors of state and rate, varying numbers, tensors made) that writes them over."""
    leaves, spec = tree_flatten((state, lr))

    def write_over(params: Tensor, grad: Tensor, *tensors: Tensor) -> None:
        given = iter(tensors)
        old, rate = tree_unflatten([next(given) if isinstance(x, Tensor) else x for x in leaves], spec)
        new, made = rule.update(params, grad, old, rate)
        places, results = [params, *_whole_ones(old, params.shape)], [new, *_whole_ones(made, params.shape)]
        in_places = {_memory(place) for place in places}
        results = [result.clone() if _memory(result) in in_places else result for result in results]
        for place, result in zip(places, results, strict=True):
            place.copy_(result)

    trace = make_fx(write_over, tracing_mode="fake", _allow_non_fake_inputs=True)
    graph = trace(*part)
    if _lift(graph, varying) != (len(seen.numbers), len(seen.made)):
        raise UsageError(
            f"{type(rule).__name__} works with other numbers for one parameter than for many; set compile=false"
        )
    return graph


def _lift(graph: torch.fx.GraphModule, varying: list[int]) -> tuple[int, int]:
    """Make inputs of these plain numbers, counted in the order of the operations, and of tensors made of numbers.

    Returns how many numbers and how many such tensors there are.
    """
    *_, last = (node for node in graph.graph.nodes if node.op == "placeholder")
    count, after = 0, last
    made = [node for node in graph.graph.nodes if node.target is torch.ops.aten.lift_fresh_copy.default]
    for node in graph.graph.nodes:
        if node.op != "call_function":
            continue

        def lifted(value: Any) -> Any:
            nonlocal count, after
            if not _is_number(value):
                return value
            count += 1
            if count - 1 not in varying:
                return value
            with graph.graph.inserting_after(after):
                after = graph.graph.placeholder(f"number{count - 1}")
            return after

        node.args, node.kwargs = tree_map(lifted, node.args), tree_map(lifted, node.kwargs)
    for k, node in enumerate(made):
        with graph.graph.inserting_after(after):
            after = graph.graph.placeholder(f"made{k}")
        node.replace_all_uses_with(after)
        graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return count, len(made)


def _memory(tensor: Tensor) -> int:
    """Where it lies; a view lies where its tensor does."""
    return tensor.untyped_storage()._cdata


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(leaf: Any, shape: torch.Size) -> bool:
    return isinstance(leaf, Tensor) and leaf.shape == shape


def _whole_ones(state: Any, shape: torch.Size) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(state)[0] if _whole(leaf, shape)]


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(values)[0] if isinstance(leaf, Tensor)]


def _one_column(state: Any, shape: torch.Size) -> Any:
    return tree_map(lambda leaf: leaf[:, :1] if _whole(leaf, shape) else leaf, state)


def _with_columns(made: Any, written: Any, shape: torch.Size) -> Any:
    """The state of one column with the whole tensors, which were written over, in their places."""
    leaves, spec = tree_flatten(made)
    return tree_unflatten(
        [w if _whole(w, shape) else x for x, w in zip(leaves, tree_flatten(written)[0], strict=True)], spec
    )
