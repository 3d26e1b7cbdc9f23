"""Forms in which a network leaves: a module of torch, ONNX, or its own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from compilers.export import Additions, write_module
from netgraph.app.requests import Form
from netgraph.graph import Graph
from netgraph.storage import save


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A form of exported networks.

    Attributes:
        write: function of the network, the folder and `strict` that writes the files of the model.
        text: description of the model in a clause.
        usage: lines of Python that load and run it; `x` is a batch of inputs.
        packages: packages, by the name of their distribution, that these lines need.
    """

    write: Callable[[Graph, Path, bool], Additions]
    text: str
    usage: str
    packages: tuple[str, ...]


def _torch(graph: Graph, folder: Path, strict: bool) -> Additions:
    return write_module(graph, folder, strict=strict)


def _own(graph: Graph, folder: Path, _strict: bool) -> Additions:
    save(graph, folder / "graph.safetensors")
    return Additions()


WRITERS: Mapping[Form, Writer] = {
    "torch": Writer(
        write=_torch,
        text="a module of torch in `model.py`, with its weights in `model.safetensors`",
        usage="""import torch
from model import load

network = load()
with torch.no_grad():
    outputs = network(torch.from_numpy(x))""",
        packages=("torch", "safetensors"),
    ),
    "safetensors": Writer(
        write=_own,
        text="a graph file of netgraph, with an id for every edge",
        usage="""import torch
import netgraph
from compilers import lower

network = lower(netgraph.load("graph.safetensors")).eval()
outputs = network(torch.from_numpy(x))""",
        packages=("netgraph-growth[torch]",),
    ),
}
"""Forms by name."""
