"""Forms in which a network leaves: a module of torch, ONNX, its own file, or a file for other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compilers.export import Additions, to_onnx, write_module
from netgraph.app.requests import ExportRequest, Form
from netgraph.exchange import write
from netgraph.graph import Graph
from netgraph.statistics import Statistics
from netgraph.storage import save


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A form of exported networks.

    Attributes:
        write: function of the network, its statistics, the folder and the request that writes the files of the model.
        text: description of the model in a clause.
        usage: function of the names of the input layers that returns Python code, which loads the model and runs it on
            the arrays that `arrays` names.
        packages: distributions that this code needs.
        runs: whether that model computes outputs; else it is for looking, and the code opens it.
    """

    write: Callable[[Graph, Statistics | None, Path, ExportRequest], Additions]
    text: str
    usage: Callable[[Sequence[str]], str]
    packages: tuple[str, ...]
    runs: bool = True


def arrays(names: Sequence[str]) -> list[str]:
    """Names of the arrays of NumPy that a card feeds to input layers of these names: `x`, or `x1`, `x2`, ..."""
    return ["x"] if len(names) == 1 else [f"x{at}" for at in range(1, len(names) + 1)]


def _torch(graph: Graph, _stats: Statistics | None, folder: Path, request: ExportRequest) -> Additions:
    return write_module(graph, folder, strict=request.strict)


def _torch_usage(names: Sequence[str]) -> str:
    given = ", ".join(f"torch.from_numpy({x})" for x in arrays(names))
    return f"""import torch
from model import load

network = load()
with torch.no_grad():
    outputs = network({given})"""


def _onnx(graph: Graph, _stats: Statistics | None, folder: Path, request: ExportRequest) -> Additions:
    return to_onnx(graph, folder / "model.onnx", strict=request.strict)


def _onnx_usage(names: Sequence[str]) -> str:
    return f"""import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
outputs = session.run(None, {{{_feed(names, "{}")}}})"""


def _own(graph: Graph, _stats: Statistics | None, folder: Path, _request: ExportRequest) -> Additions:
    save(graph, folder / "graph.safetensors")
    return Additions()


def _own_usage(names: Sequence[str]) -> str:
    return f"""import torch

import netgraph
from compilers import lower

network = lower(netgraph.load("graph.safetensors")).eval()
with torch.no_grad():
    outputs = network({{{_feed(names, "torch.from_numpy({})")}}})"""


def _looked_at(file: str, text: str, packages: tuple[str, ...], usage: str) -> Writer:
    """A form for other programs."""

    def written(graph: Graph, stats: Statistics | None, folder: Path, request: ExportRequest) -> Additions:
        write(graph, folder / file, stats=stats, fold=request.fold)
        return Additions()

    return Writer(write=written, text=text, usage=lambda _names: usage, packages=packages, runs=False)


def _feed(names: Sequence[str], made: str) -> str:
    """Entries of a dict of arrays by layer; names are literals of Python, without ends of code blocks."""
    pairs = zip(names, arrays(names), strict=True)
    return ", ".join(f"{ascii(name).replace('`', chr(92) + 'x60')}: {made.format(x)}" for name, x in pairs)


WRITERS: Mapping[Form, Writer] = {
    "torch": Writer(
        write=_torch,
        text="a module of torch in `model.py`, with its weights in `model.safetensors`",
        usage=_torch_usage,
        packages=("torch", "safetensors"),
    ),
    "onnx": Writer(
        write=_onnx,
        text="a model of ONNX, `model.onnx`",
        usage=_onnx_usage,
        packages=("onnxruntime",),
    ),
    "safetensors": Writer(
        write=_own,
        text="a graph file of netgraph, `graph.safetensors`, with an id for every edge",
        usage=_own_usage,
        packages=("netgraph-growth[torch]",),
    ),
    "graphml": _looked_at(
        "graph.graphml",
        "a file of GraphML, `graph.graphml`, for yEd, Cytoscape, igraph and NetworkX",
        ("networkx",),
        'import networkx\n\ngraph = networkx.read_graphml("graph.graphml", force_multigraph=True)',
    ),
    "gexf": _looked_at(
        "graph.gexf",
        "a file of GEXF, `graph.gexf`, for Gephi",
        ("networkx",),
        'import networkx\n\ngraph = networkx.read_gexf("graph.gexf")',
    ),
    "dot": _looked_at(
        "graph.dot",
        "a picture in DOT, `graph.dot`, for Graphviz",
        ("graphviz",),
        'import graphviz\n\ngraphviz.render("dot", "svg", "graph.dot")',
    ),
    "edges": _looked_at(
        "edges.csv",
        "a table of edges, `edges.csv`, and a table of vertices, `edges.vertices.csv`",
        ("pandas",),
        'import pandas\n\nedges = pandas.read_csv("edges.csv")\nvertices = pandas.read_csv("edges.vertices.csv")',
    ),
    "model-explorer": _looked_at(
        "model_explorer.json",
        "graphs for Model Explorer, `model_explorer.json`",
        ("ai-edge-model-explorer",),
        'import model_explorer\n\nmodel_explorer.visualize("model_explorer.json")',
    ),
}
"""Forms by name."""
