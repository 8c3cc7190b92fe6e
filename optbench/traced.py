"""An elementwise rule as a graph, whatever numbers it works out from the step count and the rate.

The tensor operations are the same at many steps and are kept; the numbers, and tensors made of numbers, are worked out anew
each step, by the rule itself on a single column, and given to the graph. Left inside, a compiler would compute a power of t
for each parameter [4 times the time of Adam]. What the rule does on that column also tells which graph is the step's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.utils._pytree import tree_unflatten

from .errors import UsageError
from .in_place import Bind, as_tensor, in_place
from .interfaces import FirstOrder, Hyper, Params
from .tape import COPY, Call, Earlier, Made, Number, PlainError, Tape, memory

MOST = 32
"""Graphs for one rule and shape; one that does still other things is stepped as it is written."""
FACTORS = {
    "alpha": {"add": 1, "add_": 1, "sub": 1, "sub_": 1, "rsub": 0},
    "value": {"addcmul": 1, "addcmul_": 1, "addcdiv": 1, "addcdiv_": 1},
}
"""By the names of factors: operations that know them, and the place of the operand that is multiplied."""


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


class _Kernel(NamedTuple):
    """varying: places of the numbers that are inputs; baked: all numbers when it was made; bind: gives it its inputs."""

    varying: set[int]
    baked: list[float]
    bind: Bind | PlainError


class Traced:
    """`update` of elementwise rules as graphs, each made at the first step that needs it.

    Args:
        compiled: into one kernel for whole rows; else the graph runs in place, block by block.
    """

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled
        self._kernels: dict[Any, _Kernel] = {}
        self._written: Any = None

    def __call__(
        self, rule: FirstOrder[Any], params: Params, grad: Params, state: Any, lr: Hyper, after: Params, block: int
    ) -> Any:
        """Writes the new parameters to `after` and new state tensors over those it made before; gives the new state.

        after: a tensor of its own, or `params`, which are then written over.
        block: columns that are worked on together.

        Raises:
            PlainError: nothing was written; the step is to be made by the rule itself.
        """
        call = Call(rule, params, grad, state, lr)
        column = call.on_one_column()
        if len(column.operations) == 1:
            block = params.shape[1]  # nothing is read twice, so that a block in the cache gains nothing
        widths = [part.shape[1] for part in params.split(block, dim=1)]
        ready = {width: self._kernel(call, column, width) for width in set(widths)}  # all are alike but the last
        if state is not self._written:
            state = tree_unflatten([x.clone() if isinstance(x, Tensor) else x for x in call.state], call.state_spec)
            call = Call(rule, params, grad, state, lr)
        tensors = [after, *call.tensors[1:]]
        cut = [t.split(block, dim=1) if call.whole(t) else itertools.repeat(t) for t in tensors]
        for before, *part in zip(params.split(block, dim=1), *cut, strict=False):
            if after is not params:
                part[0].copy_(before)
            ready[before.shape[1]](*part)
        made = [old if call.whole(old) else new for old, new in zip(call.state, column.state, strict=True)]
        self._written = tree_unflatten(made, call.state_spec)
        return self._written

    def _kernel(self, call: Call, column: Tape, width: int) -> Callable[..., None]:
        """The function for a block of so many columns, with the numbers of this step."""
        numbers = column.numbers
        kind = type(call.rule), (call.shape[0], width)
        key = (*kind, *((t.dtype, t.shape) for t in column.given), *column.operations, *column.results)
        varying, baked, bind = self._kernels.get(key, _Kernel(set(), [], PlainError()))
        changed = {i for i, (old, new) in enumerate(zip(baked, numbers, strict=bool(baked))) if old != new}
        if key not in self._kernels or not changed <= varying:
            if key not in self._kernels and sum(known[:2] == kind for known in self._kernels) >= MOST:
                raise PlainError
            varying = varying | changed | _changing(call, column)
            try:
                bind = self._bound(call.on_block(column, width), call.places, sorted(varying))
            except PlainError as error:
                bind = error
            self._kernels[key] = _Kernel(varying, numbers, bind)
        if isinstance(bind, PlainError):
            raise bind
        return bind([numbers[i] for i in sorted(varying)], column.made)

    def _bound(self, tape: Tape, places: list[int], varying: list[int]) -> Bind:
        if self.compiled:
            return _compiled(tape, places, varying)
        return in_place(_graph(tape, places, varying), tape.given[0].shape)


def _graph(tape: Tape, places: Sequence[int], varying: Sequence[int], *, pure: bool = False) -> GraphModule:
    """A function of (tensors given, varying numbers, tensors made of numbers) that writes the results to their places.

    pure: it gives them and writes nothing.
    """
    graph = Graph()

    def placed(name: str, value: Any = None) -> Node:
        node = graph.placeholder(name)
        node.meta["val"] = value
        return node

    nodes = [placed(f"given{k}", tensor) for k, tensor in enumerate(tape.given)]
    numbers: dict[int, Any] = dict(enumerate(tape.numbers)) | {k: placed(f"number{k}") for k in varying}
    made = [placed(f"made{k}", tensor) for k, tensor in enumerate(tape.made)]

    def argument(noted: Any) -> Any:
        if isinstance(noted, Earlier):
            return nodes[noted.birth]
        if isinstance(noted, Made):
            return made[noted.place]
        if isinstance(noted, Number):
            return numbers[noted.place]
        return tuple(map(argument, noted)) if isinstance(noted, tuple) else noted

    def call(operation: Any, args: Any, kwargs: Any, value: Tensor) -> Node:
        node = graph.call_function(operation, args, kwargs)
        node.meta["val"] = value
        return node

    for (operation, args, kwargs), value in zip(tape.operations, tape.tensors[len(tape.given) :], strict=True):
        nodes.append(call(operation, argument(args), {name: argument(x) for name, x in kwargs}, value))
    if pure:
        graph.output(tuple(nodes[result] for result in tape.results))
    else:
        moved = [(p, r) for p, r in zip(places, tape.results, strict=True) if p != r]
        over = {memory(tape.given[p]) for p, _ in moved}
        ends = []
        for _, r in moved:
            value = tape.tensors[r]
            ends.append(call(COPY, (nodes[r],), {}, value) if memory(value) in over else nodes[r])
        for (p, _), end in zip(moved, ends, strict=True):
            call(torch.ops.aten.copy_.default, (nodes[p], end), {}, tape.given[p])
        graph.output(None)
    graph.eliminate_dead_code()
    return GraphModule(torch.nn.Module(), graph)


def _compiled(tape: Tape, places: Sequence[int], varying: Sequence[int]) -> Bind:
    """One kernel. Numbers reach it as tensors without dimensions: another plain number might compile it again.

    Where a result is one of the tensors given, the kernel gives the results, which are then copied: torch 2.13 leaves out the
    copy of an input that is written over later on.

    Raises:
        UsageError: there is no C++ compiler; or, when the kernel is called, compiling fails.
    """
    check_compiler()
    given = {memory(tensor): k for k, tensor in enumerate(tape.given)}
    homes = [given.get(memory(tape.tensors[r])) for r in tape.results]
    pure = any(home in places and home != p for home, p in zip(homes, places, strict=True))
    module = _graph(tape, places, varying, pure=pure)
    for node in module.graph.nodes:
        if node.op == "call_function":
            _take_tensors(module.graph, node)
    module.recompile()
    run = _told(torch.compile(module, fullgraph=True))

    def copied(*whole: Tensor) -> None:
        over = [whole[p] for p in places]
        memories = set(map(memory, over))
        results = [result.clone() if memory(result) in memories else result for result in run(*whole)]
        for place, result in zip(over, results, strict=True):
            place.copy_(result)

    write = copied if pure else run
    return lambda numbers, made: lambda *whole: write(*whole, *map(as_tensor, numbers), *made)


def _told(compiled: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which says in one line that it could not be compiled."""
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.cpp_builder import get_cpp_compiler

    def run(*given: Tensor) -> Any:
        try:
            return compiled(*given)
        except TorchDynamoException as error:
            why = str(error).strip().partition("\n")[0]
            raise UsageError(
                f"compile=true: compiling fails with {get_cpp_compiler()} ({why}); mend that or set compile=false"
            ) from error

    return run


def _take_tensors(graph: Graph, node: Node) -> None:
    """Let this operation have tensors where it has been given inputs for plain numbers.

    Raises:
        PlainError: there is no such form of it.
    """
    operation: Any = node.target
    for key, operands in FACTORS.items():  # x + alpha y, x + value y z: the factor goes to y
        factor, operand = node.kwargs.get(key), operands.get(operation.overloadpacket.__name__)
        if isinstance(factor, Node) and operand is not None:
            with graph.inserting_before(node):
                scaled = graph.call_function(torch.ops.aten.mul.Tensor, (node.args[operand], factor))
            node.update_arg(operand, scaled)
            node.kwargs = {k: v for k, v in node.kwargs.items() if k != key}
    types = [str(a.type) for a in operation._schema.arguments]
    numbers = [k for k, a in enumerate(node.args) if isinstance(a, Node) and "Tensor" not in types[k]]
    if numbers:
        absent = [k for k in range(len(types)) if k >= len(node.args) or node.args[k] is None]
        wanted = [_with_tensors(types, numbers), _with_tensors(types, [*numbers, *absent])]
        for name in operation.overloadpacket.overloads():
            form = getattr(operation.overloadpacket, name)
            if [str(a.type) for a in form._schema.arguments] in wanted:
                node.target = form
    named = any(isinstance(value, Node) and value.name.startswith("number") for value in node.kwargs.values())
    if named or (numbers and node.target is operation):
        raise PlainError(f"changes a number from step to step that {operation} takes as it is")


def _with_tensors(types: list[str], places: list[int]) -> list[str]:
    """Types of arguments with tensors for the numbers in these places."""
    plain = ("number", "float", "int")
    return [
        kind if k not in places else "Tensor" if kind in plain else kind.replace("number", "Tensor")
        for k, kind in enumerate(types)
    ]


def _changing(call: Call, column: Tape) -> set[int]:
    """Which numbers are others in the next step, at half of the rate."""
    later = 0.5 * call.lr if isinstance(call.lr, float) else call.lr
    params, grad = (tensor[:, :1] for tensor in call.tensors[:2])
    state = tree_unflatten(column.state, call.state_spec)
    try:
        following = Call(call.rule, params, grad, state, later).on_one_column()
    except PlainError:
        return set()
    if following.operations != column.operations:
        return set()
    return {i for i, (a, b) in enumerate(zip(column.numbers, following.numbers, strict=True)) if a != b}
