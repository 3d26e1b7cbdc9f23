"""Graphs as plain modules of torch: standard layers, readable source, named parameters."""

from __future__ import annotations

import linecache
import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from compilers.export.forms import Additions
from compilers.export.layers import written
from compilers.export.layouts import Layouts
from compilers.export.text import HELPERS, SourceText
from compilers.importing import Imported, ParameterMap
from netgraph.columns import Array
from netgraph.errors import CompileError
from netgraph.graph import Graph
from netgraph.storage import write_atomically

SOURCE = "model.py"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, eq=False)
class ExportedModule:
    """A graph as a module of torch.

    Attributes:
        module: the module.
        parameters: edge or vertex of each element of its parameters.
        notes: remarks, such as edges that are missing in the graph and zeros in the module.
        added_zeros: number of these zeros.
        source: source text of the class that the module is made of.
    """

    module: fx.GraphModule
    parameters: ParameterMap
    notes: tuple[str, ...]
    added_zeros: int
    source: str

    def __repr__(self) -> str:
        return f"ExportedModule({self.parameters!r}, {self.added_zeros:,} added zeros)"


def to_module(graph: Graph, *, strict: bool = False, like: Imported | None = None) -> fx.GraphModule:
    """Make a plain module of torch of a graph, which needs no netgraph any more.

    It consists of standard layers (`nn.Linear`, `nn.Conv2d`, norms, activations, attention) with readable code
    (`module.code`) and named parameters. It trains, can be pickled, scripted, and exported by `torch.export`. Several
    inputs are positional arguments in the order of `graph.inputs`; several outputs are a tuple.

    Args:
        graph: the graph.
        strict: whether to refuse a graph whose missing edges would be zeros of a matrix, which training changes.
        like: the import from which the graph has grown. The module then takes and gives tensors as the imported one,
            such as `(batch, tokens, features)`; several outputs are a tuple in their order there.

    Returns:
        The module, in train mode; without `like` it takes and gives `(batch, vertices, *grid)`.

    Raises:
        CompileError: for norms, activations and merges that torch does not have, and under `strict`.
        OptionError: when the graph has other inputs and outputs than `like`.

    Cost: O(edges + places of the matrices and kernels).
    """
    return export_module(graph, strict=strict, like=like).module


def export_module(graph: Graph, *, strict: bool = False, like: Imported | None = None) -> ExportedModule:
    """Make a plain module of torch of a graph, with the places of its parameters; see `to_module`."""
    text = _text(graph, strict, like)
    source = _source(graph, text)
    network = _made(source)
    dtype = _dtype(graph)
    network.to(dtype)
    network.load_state_dict(_tensors(text, dtype))
    return ExportedModule(fx.symbolic_trace(network), _parameters(text), tuple(text.notes), text.zeros, source)


def write_module(
    graph: Graph, folder: str | os.PathLike[str], *, strict: bool = False, like: Imported | None = None
) -> Additions:
    """Write a graph as `model.py` and `model.safetensors`, which need torch and safetensors alone.

    `from model import load; module = load()` gives the module in eval mode.

    Args:
        graph: the graph.
        folder: an existing folder.
        strict, like: see `to_module`.

    Returns:
        The zeros that the module has for missing edges, and notes.

    Raises:
        CompileError, OptionError: as `to_module`.
    """
    from safetensors.torch import save

    text = _text(graph, strict, like)
    tensors = _tensors(text, _dtype(graph))
    write_atomically(Path(folder) / WEIGHTS, save({name: value.contiguous() for name, value in tensors.items()}))
    write_atomically(Path(folder) / SOURCE, (_source(graph, text) + _loader(graph)).encode())
    return Additions(zeros=text.zeros, notes=tuple(text.notes))


def _text(graph: Graph, strict: bool, like: Imported | None) -> SourceText:
    text = SourceText()
    written(graph, text, Layouts(graph, like))
    if strict and text.zeros:
        where, zeros = next(iter(text.missing.items()))
        raise CompileError(
            f"{text.zeros:,} missing edges would be zeros of matrices and kernels, which training changes; the first "
            f"{zeros:,} are those of {where}. Export with strict=False, or keep the graph with netgraph.save."
        )
    return text


def _source(graph: Graph, text: SourceText) -> str:
    """Source of the module."""
    arguments, *lines = text.forward
    summary = f"Network of {graph.num_layers} layers, {graph.num_vertices:,} vertices and {graph.num_edges:,} edges."
    used = any("batch" in line for line in lines[1:])
    lines = lines if used else lines[1:]
    helpers = "".join(f"\n{HELPERS[name]}" for name in sorted(text.helpers))
    return "".join(
        [
            '"""A network as a module of torch."""\n\n',
            "from pathlib import Path\n\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n",
            helpers,
            "\n\nclass Network(nn.Module):\n",
            f'    """{summary}"""\n\n',
            "    def __init__(self):\n        super().__init__()\n",
            textwrap.indent("".join(f"{line}\n" for line in text.init), " " * 8),
            f"\n    def forward(self, {arguments}):\n",
            textwrap.indent("".join(f"{line}\n" for line in lines), " " * 8),
        ]
    )


def _loader(graph: Graph) -> str:
    """Source of the function that loads the weights."""
    return f'''

def load(path=Path(__file__).with_name("{WEIGHTS}")):
    """Make the network in eval mode, with its weights."""
    from safetensors.torch import load_file

    network = Network().to({_dtype(graph)})
    network.load_state_dict(load_file(path))
    return network.eval()
'''


def _made(source: str) -> nn.Module:
    """Run the source and make the module; tracebacks show its lines."""
    name = f"<network {abs(hash(source)):x}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "network"}
    exec(compile(source, name, "exec"), namespace)
    with torch.random.fork_rng(devices=[]):  # the starting values are replaced
        network: nn.Module = namespace["Network"]()
    return network


def _dtype(graph: Graph) -> torch.dtype:
    arrays = [link.weight for link in graph.links_by_key.values() if not link.kind.wires]
    arrays += [v for layer in graph.layers_by_id.values() if layer.role != "input" for v in layer.values.values()]
    return torch.float64 if any(array.dtype == np.float64 for array in arrays) else torch.float32


def _tensors(text: SourceText, dtype: torch.dtype) -> Mapping[str, Tensor]:
    """State dict of a text."""

    def tensor(values: Array) -> Tensor:
        return torch.tensor(values, dtype=torch.int64 if np.issubdtype(values.dtype, np.integer) else dtype)

    return {name: tensor(held.values) for name, held in text.held.items()}


def _parameters(text: SourceText) -> ParameterMap:
    edges = {name: held.edges for name, held in text.held.items() if held.edges is not None}
    vertices = {name: (held.column, held.vertices) for name, held in text.held.items() if held.vertices is not None}
    return ParameterMap(edges, vertices)
