"""Import of a module of torch as a graph, verified against the module."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from compilers.importing import ops as ops  # registers the imports of operations
from compilers.importing.codes import Coded
from compilers.importing.drafts import DraftLayer
from compilers.importing.finish import Finished, finish
from compilers.importing.nearest import nearest_part
from compilers.importing.owners import IndexTensor, InputTensor
from compilers.importing.parameters import ParameterMap
from compilers.importing.program import SAMPLES, Arguments, arguments, exported, on_cpu, sources, stored, with_samples
from compilers.importing.reading import pieces, reading
from compilers.importing.sums import summed
from compilers.importing.verify import verify as verify_import
from compilers.importing.walk import Lazy, ModuleWalk
from netgraph.checks import real_numbers
from netgraph.columns import Array
from netgraph.errors import ImportRefused, OptionError
from netgraph.graph import Graph

Domain = tuple[float, float]


@dataclass(frozen=True, eq=False)
class TensorLayout:
    """Places of the numbers of one sample of a tensor in a layer.

    Attributes:
        layer: name of the layer.
        shape: shape of one sample of the tensor.
        index: for each number of a sample in reading order the place in `(vertices, *grid)` of the layer, flattened;
            None where the tensor has whole numbers, one for each position.
    """

    layer: str
    shape: tuple[int, ...]
    index: Array | None

    def to_layer(self, tensor: Tensor, vertices: int, grid: Sequence[int]) -> Tensor:
        """Bring a tensor of a module, `(batch, *shape)`, to `(batch, vertices, *grid)`."""
        if self.index is None:
            return tensor
        order = torch.from_numpy(np.argsort(self.index)).to(tensor.device)
        return tensor.reshape(len(tensor), -1)[:, order].reshape(len(tensor), vertices, *grid)

    def from_layer(self, values: Tensor) -> Tensor:
        """Bring values of the layer, `(batch, vertices, *grid)`, to the shape of the tensor of the module."""
        assert self.index is not None
        index = torch.from_numpy(self.index).to(values.device)
        return values.reshape(len(values), -1)[:, index].reshape(len(values), *self.shape)


@dataclass(frozen=True, eq=False)
class Imported:
    """A module of torch as a graph.

    Attributes:
        graph: the graph; it computes the same function.
        parameters: places of all parameters of the module in the graph.
        notes: remarks, such as a constant of the module that is a trained bias here.
        inputs, outputs: layouts of the tensors that the module takes and gives, in their order.
    """

    graph: Graph
    parameters: ParameterMap
    notes: tuple[str, ...]
    inputs: tuple[TensorLayout, ...]
    outputs: tuple[TensorLayout, ...]

    def __repr__(self) -> str:
        return f"Imported({self.graph!r}, {len(self.notes)} notes)"

    def to_inputs(self, example: Any) -> dict[str, Tensor]:
        """Inputs of the graph by layer name, for arguments of the module: a tensor, a tuple, or a dict of keywords."""
        tensors = [leaf for leaf in pytree.tree_leaves(arguments(example)) if isinstance(leaf, Tensor)]
        return {
            layout.layer: layout.to_layer(tensor, len(layer), layer.grid)
            for layout, tensor in zip(self.inputs, tensors, strict=True)
            for layer in [self.graph.layer(layout.layer)]
        }

    def from_outputs(self, values: Any) -> tuple[Tensor, ...]:
        """Tensors that the module gives, in their order, for the output of `interpret` or of a compiled network."""
        if not isinstance(values, dict):
            values = {self.graph.outputs[0].name: values}
        return tuple(layout.from_layer(torch.as_tensor(values[layout.layer])) for layout in self.outputs)


def from_module(
    module: nn.Module,
    example: Any,
    *,
    domain: Domain | Mapping[str, Domain] | None = None,
    max_edges: int = 20_000_000,
    verify: bool = True,
) -> Imported:
    """Import a module of torch: find the graph that computes the same function, by `torch.export`.

    Every operation of the exported program runs on codes that name where each number comes from. Operations that move
    numbers need no rule of their own; those that compute read layers from the codes. The module stays as it is.

    Args:
        module: the module; it is imported in eval mode, in which dropout does nothing. Batch norm keeps its statistics.
        example: inputs whose first axis is the batch: a tensor, a tuple of arguments, or a dict of keyword arguments.
            Sizes of all other axes become those of the graph.
        domain: interval `(low, high)` of the floating inputs, or one for each by the name of the argument; None for no
            limits.
        max_edges: largest number of edges.
        verify: whether to compare the graph with the module, in float64.

    Returns:
        The graph, the places of the parameters, notes, and the layouts of inputs and outputs.

    Raises:
        ImportRefused: when the module computes what a graph cannot; the message names the operation, its place in the
            module, the line of source, a remedy, and the nearest submodule that has an equal graph.

    Cost: O(edges log edges), and the export. Codes and factors take 16 bytes per number of every intermediate value.
    """
    module, given = on_cpu(module), with_samples(arguments(example))
    try:
        return _imported(module, given, domain, max_edges, verify)
    except ImportRefused as error:
        part = nearest_part(
            module, given, error.path, lambda inner, call: _imported(inner, with_samples(call), None, max_edges, False)
        )
        if not part:
            raise
        raise ImportRefused(
            f"{error} Module {part!r} alone has an equal graph.",
            op=error.op, path=error.path, line=error.line, part=part,
        ) from error.__cause__  # fmt: skip


def _imported(
    module: nn.Module,
    given: Arguments,
    domain: Domain | Mapping[str, Domain] | None,
    max_edges: int,
    verify: bool,
) -> Imported:
    """Import a module for arguments of `SAMPLES` samples."""
    program = exported(module, given)
    domains = _domains(program, given, domain)
    walk = ModuleWalk(SAMPLES, max_edges)
    try:
        return _guessed(walk, module, program, given, domains, verify)
    except ImportRefused:
        if not any(isinstance(owner, InputTensor) and owner.guessed for owner in walk.inputs):
            raise
        other = ModuleWalk(SAMPLES, max_edges, unusual=True)
        with suppress(ImportRefused):  # the first error is about the usual axes
            return _guessed(other, module, program, given, domains, verify)
        raise


def _guessed(
    walk: ModuleWalk,
    module: nn.Module,
    program: ExportedProgram,
    given: Any,
    domains: Mapping[str, Domain | None],
    verify: bool,
) -> Imported:
    """Import a program with one guess of the axes of inputs."""
    _walk_over(walk, program, given, domains)
    outputs = _outputs(walk, program)
    _keep_unused(walk)
    inputs = [owner.draft for owner in walk.inputs if owner.draft is not None]
    dtype = _dtype(module)
    walk.node = None
    finished = finish(inputs, [draft for draft, _, _ in outputs], dtype=dtype)
    result = Imported(
        finished.graph,
        _parameter_map(walk, program, finished),
        tuple(dict.fromkeys(walk.notes)),
        tuple(_input_layout(owner, finished) for owner in walk.inputs),
        tuple(TensorLayout(finished.name(draft), shape, index) for draft, shape, index in outputs),
    )
    if verify:
        verify_import(module, program, walk, result, finished)
    return result


def _domains(
    program: ExportedProgram, given: Any, domain: Domain | Mapping[str, Domain] | None
) -> dict[str, Domain | None]:
    """Domain of each input by its name. Raises `OptionError` for names of no floating input, and for no intervals."""
    leaves = iter(pytree.tree_leaves(given))
    names = [name for _, kind, name in sources(program) if kind == "input" and _is_floating(next(leaves))]
    asked = domain if isinstance(domain, Mapping) else dict.fromkeys(names, domain)
    if unknown := sorted(set(asked) - set(names)):
        raise OptionError(f"domain names {unknown}; the floating inputs of the module are {names}.")
    result: dict[str, Domain | None] = dict.fromkeys(names)
    for name, ends in asked.items():
        if ends is not None:
            low, high = real_numbers(f"domain of {name!r}", ends, shape=(2,), infinite=True)
            if not low <= high:
                raise OptionError(f"domain of {name!r} is [{low}, {high}], which is empty; give (low, high).")
            result[name] = (float(low), float(high))
    return result


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def _walk_over(walk: ModuleWalk, program: ExportedProgram, given: Any, domains: Mapping[str, Domain | None]) -> None:
    """Walk over a program; every node has a value then."""
    leaves = iter(pytree.tree_leaves(given))
    for node, kind, name in sources(program):
        if kind == "input":
            value = next(leaves)
            walk.values[node] = walk.add_input(name, value, domains.get(name)) if isinstance(value, Tensor) else value
            continue
        value = stored(program, kind, name)
        walk.names[node] = name
        if kind == "parameter" or _is_statistic(node):
            walk.values[node] = walk.add_parameter(name, value)
        else:
            walk.values[node] = value.to(torch.float64) if value.is_floating_point() else value
    for node in program.graph.nodes:
        if node.op == "call_function":
            walk.run(node)


def _is_statistic(node: torch.fx.Node) -> bool:
    """Whether a buffer is a running statistic of batch norm."""
    return bool(node.users) and all("batch_norm" in str(user.target) and node in user.args[3:5] for user in node.users)


def _outputs(walk: ModuleWalk, program: ExportedProgram) -> list[tuple[DraftLayer, tuple[int, ...], Array]]:
    """Output layers, with the shape of a sample of each output and the place of each of its numbers."""
    node = next(node for node in program.graph.nodes if node.op == "output")
    walk.node = None
    results: list[tuple[DraftLayer, tuple[int, ...], Array]] = []
    for place, walk.output in enumerate(pytree.tree_leaves(node.args[0])):
        value = walk.values[walk.output] if isinstance(walk.output, torch.fx.Node) else walk.output
        value = value.resolve(walk) if isinstance(value, Lazy) else value
        if value is None:
            continue
        if not isinstance(value, Coded):
            raise ImportRefused(f"The output {place} of the module depends on no input; leave it out of its results.")
        results.append(_output(walk, value, [draft for draft, _, _ in results]))
    walk.output = None
    if not results:
        raise ImportRefused("The module gives no tensor; return one.")
    return results


def _output(walk: ModuleWalk, value: Coded, taken: Sequence[DraftLayer]) -> tuple[DraftLayer, tuple[int, ...], Array]:
    read = reading(walk, value)
    found = pieces(walk, read)
    draft = found[0].draft if found is not None and len(found) == 1 else None
    whole = draft is not None and found is not None and len(np.unique(found[0].rows)) == draft.width == read.width
    if draft is None or not whole or draft.role != "hidden" or draft in taken or draft.merge is not None:
        draft = summed(walk, read, again=True)
        read = reading(walk, value)
        found = pieces(walk, read)
    assert found is not None
    draft.role = "output"
    positions = math.prod(draft.output_grid)
    row = np.empty(read.width, np.int64)
    row[found[0].at] = found[0].rows
    index = read.back(row[:, None] * positions + np.arange(positions))
    return draft, index.shape, index.reshape(-1)


def _keep_unused(walk: ModuleWalk) -> None:
    """Make layers of the inputs that nothing reads, so that the graph takes all inputs of the module."""
    for owner in walk.inputs:
        if owner.draft is not None:
            continue
        if isinstance(owner, IndexTensor):
            raise ImportRefused(
                f"No table is read at the whole numbers of the input {owner.name!r}; leave it out of the example, or "
                "give it as floating numbers."
            )
        owner.decide_by_shape()
        walk.notes.append(f"{owner.name}: no output depends on this input.")


def _input_layout(owner: InputTensor | IndexTensor, finished: Finished) -> TensorLayout:
    assert owner.draft is not None
    name = finished.name(owner.draft)
    if isinstance(owner, IndexTensor):
        return TensorLayout(name, owner.shape, None)
    return TensorLayout(name, owner.shape, owner.row * math.prod(owner.draft.grid) + owner.position)


def _dtype(module: nn.Module) -> Any:
    """Precision of the graph: float64 where a parameter is, else float32."""
    wide = any(parameter.dtype == torch.float64 for parameter in module.parameters())
    return np.float64 if wide else np.float32


def _parameter_map(walk: ModuleWalk, program: ExportedProgram, finished: Finished) -> ParameterMap:
    shapes = {name: tuple(program.state_dict[name].shape) for name in walk.parameters}
    starts = {name: parameter.start for name, parameter in walk.parameters.items()}
    unused = [name for name, parameter in walk.parameters.items() if not parameter.used.all()]
    walk.notes.extend(f"{name}: no output depends on some or all of its numbers." for name in unused)
    edges, vertices = finished.places(starts, shapes)
    for name in program.graph_signature.parameters:
        if name in vertices and not walk.parameters[name].trained:
            walk.notes.append(f"{name}: it is not trained in the module, but here, where edges alone can be frozen.")
    return ParameterMap(edges, vertices)
