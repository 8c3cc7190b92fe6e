"""A graph of elementwise operations that writes into memory given beforehand: no allocation, and each result where it belongs.

`after.copy_(x − u)` becomes `sub(x, u, out=after)`; what is needed for a while only goes to scratch tensors, each used again
once its last reader has run. On a block of columns that fits into the cache, an operation then costs little more than its
arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node

Bind = Callable[[Sequence[float], Sequence[Tensor]], Callable[..., None]]


def in_place(module: GraphModule, shape: torch.Size) -> Bind:
    """The same function, its results of this shape written to where they are copied in the end, or to scratch.

    Args:
        module: a graph of aten operations that ends with `copy_` into its inputs, with the shapes of its results noted. Its
            last inputs are numbers, then tensors made of numbers.
        shape: of a block, `[trials, columns]`.

    Returns:
        what gives the function of the other inputs, once it has the numbers and tensors of a step.
    """
    graph = module.graph
    order = {node: k for k, node in enumerate(graph.nodes)}
    roots = {node: node for node in graph.nodes}
    for node in graph.nodes:
        if node.op == "call_function" and _gives_first(node):
            roots[node] = roots[node.args[0]]
    last: dict[Node, int] = {}
    for node in graph.nodes:
        for given in (node, *node.all_input_nodes):
            last[roots[given]] = max(order[node], last.get(roots[given], 0))
    scratch = _Scratch(graph, shape)
    for node in list(order):
        if node not in order:  # a copy that is not needed any more
            continue
        form = _with_out(node, shape)
        if form is not None:
            copy = _copied_to(node, roots, order)
            if copy is None:
                place = scratch.take(node)
            else:
                place = copy.args[0]
                copy.replace_all_uses_with(node)
                graph.erase_node(copy)
                del order[copy]
            node.target, node.kwargs = form, {**node.kwargs, "out": place}
        for done in [root for root, end in last.items() if end == order[node]]:
            scratch.give_back(done)
    as_tensors = _numbers_as_tensors(graph, scratch)
    for node in graph.nodes:
        _call_by_name(node)
    graph.lint()
    module.recompile()
    run, own = module.forward, scratch.tensors

    def bind(numbers: Sequence[float], made: Sequence[Tensor]) -> Callable[..., None]:
        given = [as_tensor(x) if k in as_tensors else x for k, x in enumerate(numbers)]
        return lambda *block: run(*block, *given, *made, *own)

    return bind


def _numbers_as_tensors(graph: Graph, scratch: _Scratch) -> set[int]:
    """Make tensors of the numbers that stand for tensors, which saves half of an operation's overhead.

    Beside broken numbers in rows the bits are the same; of whole numbers in rows, or of tensors without dimensions, such
    a tensor would change the type. Returns which of the numbers among the inputs are to be given so.
    """
    inputs = [node for node in graph.nodes if node.op == "placeholder" and node.name.startswith("number")]
    plain: set[Any] = set()
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        rows = [x.meta["val"] for x in node.args if isinstance(x, Node) and isinstance(x.meta.get("val"), Tensor)]
        typed = any(x.dim() and not _whole(x) for x in rows)
        takes = [typed and str(a.type) == "Tensor" for a in node.target._schema.arguments]
        for k, value in enumerate(node.args):
            if takes[k] and isinstance(value, (int, float)):
                node.update_arg(k, scratch.hold(as_tensor(value)))
            elif not takes[k]:
                plain.add(value) if isinstance(value, Node) else None
        plain |= {value for value in node.kwargs.values() if isinstance(value, Node)}
    return {k for k, node in enumerate(inputs) if node not in plain}


def _whole(tensor: Tensor) -> bool:
    """Does it hold whole numbers or truth values?"""
    return not (tensor.is_floating_point() or tensor.is_complex())


def as_tensor(number: float) -> Tensor:
    """Every digit of it, without dimensions, so that it leaves the type of the others in an operation as it is."""
    return torch.tensor(number, dtype=torch.float64 if isinstance(number, float) else torch.int64)


def _call_by_name(node: Node) -> None:
    """Call torch's function or method in place of the operation behind it, which takes twice as long to reach."""
    name = _name(node)
    if name.endswith("_") and hasattr(Tensor, name):
        node.op, node.target = "call_method", name
        return
    function = getattr(torch, name, None) if name else None
    if function is not None and ("out" not in node.kwargs or "out=None" in (function.__doc__ or "")):
        node.target = function


class _Scratch:
    """Tensors for what is needed a while only."""

    def __init__(self, graph: Graph, shape: torch.Size):
        self.graph, self.shape = graph, shape
        self.tensors: list[Tensor] = []
        self._free: dict[Any, list[Node]] = {}
        self._taken: dict[Node, Node] = {}
        self._last_input = [node for node in graph.nodes if node.op == "placeholder"][-1]

    def hold(self, tensor: Tensor) -> Node:
        """An input that is always this tensor."""
        with self.graph.inserting_after(self._last_input):
            self._last_input = self.graph.placeholder(f"own{len(self.tensors)}")
        self.tensors.append(tensor)
        return self._last_input

    def take(self, node: Node) -> Node:
        """A place for the result of this node."""
        like: Tensor = node.meta["val"]
        free = self._free.setdefault((like.dtype, like.device), [])
        if not free:
            free.append(self.hold(torch.empty(self.shape, dtype=like.dtype, device=like.device)))
        self._taken[node] = free.pop()
        return self._taken[node]

    def give_back(self, node: Node) -> None:
        """The result of this node has had its last reader."""
        if node in self._taken:
            like: Tensor = node.meta["val"]
            self._free[like.dtype, like.device].append(self._taken.pop(node))


def _copied_to(node: Node, roots: dict[Node, Node], order: dict[Node, int]) -> Node | None:
    """The `copy_` that brings this node's result into an input nobody reads afterwards; None where there is none."""
    for copy in order:
        if copy.op != "call_function" or _name(copy) != "copy_":
            continue
        place, source, *_ = cast(list[Node], copy.args)
        if (
            roots.get(source) is not node
            or place.op != "placeholder"
            or place.meta["val"].dtype != node.meta["val"].dtype
        ):
            continue
        readers = [reader for reader in order if any(roots.get(given) is place for given in reader.all_input_nodes)]
        if all(reader is copy or order[reader] <= order[node] for reader in readers):
            return copy
    return None


def _with_out(node: Node, shape: torch.Size) -> Any:
    """The form of a node's operation that writes to a given place; None where there is none, or it gives no whole block."""
    value = node.meta.get("val")
    if node.op != "call_function" or not isinstance(value, Tensor) or value.shape != shape:
        return None
    operation: Any = node.target
    if not isinstance(operation, torch._ops.OpOverload) or any(a.alias_info for a in operation._schema.arguments):
        return None
    wanted = [(a.name, str(a.type)) for a in operation._schema.arguments]
    for name in operation.overloadpacket.overloads():
        form = getattr(operation.overloadpacket, name)
        outs = [a for a in form._schema.arguments if a.is_out]
        if len(outs) == 1 and [(a.name, str(a.type)) for a in form._schema.arguments if not a.is_out] == wanted:
            return form
    return None


def _gives_first(node: Node) -> bool:
    """Does the result lie in the memory of the first argument, which was written over or is looked at in another way?"""
    operation: Any = node.target
    given = operation._schema.arguments
    return bool(given) and given[0].alias_info is not None


def _name(node: Node) -> str:
    return node.target.overloadpacket.__name__ if isinstance(node.target, torch._ops.OpOverload) else ""
