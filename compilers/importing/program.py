"""The exported program of a module, and its evaluation in float64."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.utils import _pytree as pytree

from compilers.importing.walk import constant
from netgraph.errors import ImportRefused

SAMPLES = 2
"""Number of samples of the example with which a module is exported."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def arguments(example: Any) -> Arguments:
    """Positional and keyword arguments of an example: a tensor, a tuple of arguments, or a dict of keywords."""
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example), {}) if isinstance(example, tuple | list) else ((example,), {})


def with_samples(given: Arguments, samples: int = SAMPLES) -> Arguments:
    """Arguments whose tensors have `samples` samples: the first ones, and the first one again where there are fewer.

    Raises:
        ImportRefused: when an argument has no axis for samples, or the numbers of samples differ.
    """
    tensors = [leaf for leaf in pytree.tree_leaves(given) if isinstance(leaf, Tensor)]
    if not tensors:
        raise ImportRefused("The example has no tensor; give a tensor whose first axis is the batch.")
    sizes = {tuple(t.shape[:1]) for t in tensors}
    if len(sizes) > 1 or sizes in ({()}, {(0,)}):
        raise ImportRefused(
            f"The tensors of the example have the shapes {[tuple(t.shape) for t in tensors]}; their first axis is the "
            "batch, of one size of at least 1."
        )

    def cut(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        leaf = leaf.detach().cpu()
        return leaf[torch.arange(samples).clamp(max=len(leaf) - 1)]

    args, kwargs = pytree.tree_map(cut, given)
    return tuple(args), kwargs


def on_cpu(module: nn.Module) -> nn.Module:
    """The module, or a copy on the CPU of one that lies elsewhere. Raises `ImportRefused` where it has no numbers."""
    held = {tensor.device.type for tensor in (*module.parameters(), *module.buffers())}
    if "meta" in held:
        raise ImportRefused(
            "Parameters of the module lie on the device 'meta', without numbers; load its weights first."
        )
    return copy.deepcopy(module).cpu() if held - {"cpu"} else module


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Put all modules into eval mode for a while."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def exported(module: nn.Module, given: Arguments) -> ExportedProgram:
    """Export a module in eval mode. Raises `ImportRefused` when it cannot be exported."""
    args, kwargs = given
    try:
        with in_eval_mode(module), warnings.catch_warnings():
            # Hooks that compute a weight before each forward, as in torch.nn.utils.prune, are part of the program.
            warnings.filterwarnings("ignore", message=".*(was|were) assigned during export")
            program = torch.export.export(module, args, kwargs, strict=False)
    except ImportRefused:
        raise
    except Exception as error:  # the exporter raises errors of many classes
        raise refused_export(module, error) from error
    _write_epsilons(program)
    return program


def _write_epsilons(program: ExportedProgram) -> None:
    """Write the epsilon of an RMS norm where it is that of the precision, which an evaluation in float64 would change.

    An operation that nothing reads is dropped.
    """
    for node in program.graph.nodes:
        if node.op == "call_function" and "rms_norm" in str(node.target):
            args = [*node.args, *[None] * (4 - len(node.args))]
            if args[3] is None and node.kwargs.get("eps") is None:
                args[3] = torch.finfo(node.meta["val"].dtype).eps
                node.args, node.kwargs = tuple(args), {k: v for k, v in node.kwargs.items() if k != "eps"}
    program.graph.eliminate_dead_code()


def refused_export(module: nn.Module, error: Exception) -> ImportRefused:
    """Error for a module that torch.export refuses."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0].rstrip(".") if lines else repr(error)
    branches = any(word in type(error).__name__ + str(error) for word in ("GuardOnDataDependent", "data-dependent"))
    why = "it decides by the values of its input" if branches else f"torch.export refuses it: {text}"
    remedy = (
        "compute both branches and choose with torch.where, or import a submodule without the branch"
        if branches
        else "make the module exportable by torch.export, or import a submodule"
    )
    line = next((line for line in lines if line.startswith('File "')), "")
    return ImportRefused(
        f"{type(module).__name__} cannot become a graph: {why}. Remedy: {remedy}." + (f" ({line})" if line else ""),
        op="torch.export", line=line,
    )  # fmt: skip


def sources(program: ExportedProgram) -> Iterator[tuple[Node, str, Any]]:
    """Placeholders with their kind, "parameter", "constant" or "input", and with their value or name."""
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    for spec in program.graph_signature.input_specs:
        node = nodes.get(getattr(spec.arg, "name", ""))
        if node is None:
            continue
        if spec.kind == InputKind.PARAMETER:
            yield node, "parameter", spec.target
        elif spec.kind == InputKind.BUFFER:
            yield node, "buffer", spec.target
        elif spec.kind in (InputKind.CONSTANT_TENSOR, InputKind.CUSTOM_OBJ):
            yield node, "constant", spec.target
        else:
            yield node, "input", node.name


def stored(program: ExportedProgram, kind: str, name: str) -> Tensor:
    """Value of a parameter, buffer or constant of a program."""
    found: Any = program.state_dict.get(name) if kind != "constant" else None
    value: Tensor = program.constants[name] if found is None else found
    return value


def run_wide(
    program: ExportedProgram, inputs: Sequence[Any], *, keep: bool = False
) -> tuple[list[Any], dict[Node, Any]]:
    """Evaluate a program in float64, casts to other floating dtypes included.

    Args:
        program: the program.
        inputs: values of its inputs, in order.
        keep: whether to keep the value of every node.

    Returns:
        The outputs, and the values by node.
    """
    values: dict[Node, Any] = {}
    given = iter(inputs)
    for node, kind, name in sources(program):
        value = next(given) if kind == "input" else stored(program, kind, name)
        values[node] = value.to(torch.float64) if isinstance(value, Tensor) and value.is_floating_point() else value
    readers = {node: len(node.users) for node in program.graph.nodes}
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        args, kwargs = (torch.fx.node.map_arg(part, values.__getitem__) for part in (node.args, node.kwargs))
        values[node] = constant(node.target, args, kwargs)
        for read in node.all_input_nodes:
            readers[read] -= 1
            if not readers[read] and not keep and read.op == "call_function":
                del values[read]
    out = next(node for node in program.graph.nodes if node.op == "output")
    found = torch.fx.node.map_arg(out.args[0], lambda node: values[node])
    return [leaf for leaf in pytree.tree_leaves(found) if isinstance(leaf, Tensor)], values
