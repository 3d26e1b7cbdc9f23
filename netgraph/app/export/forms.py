"""Forms in which a network leaves: a module of torch, ONNX, or its own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from netgraph.app.requests import Form
from netgraph.graph import Graph
from netgraph.storage import save
from netgraph.viz import format_count


@dataclass(frozen=True, kw_only=True)
class Written:
    """Differences of a written model from its network.

    Attributes:
        added_zeros: parameters that the model has and the network has not, for missing edges; their values are 0.
        notes: sentences about differences between the model and the network.
    """

    added_zeros: int = 0
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """Sentences for the user about the differences."""
        zeros = format_count(self.added_zeros, "parameter")
        added = f"The model has {zeros} for missing edges, all 0: training the model would change them."
        return [*([added] if self.added_zeros else []), *self.notes]


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A form of exported networks.

    Attributes:
        write: function of the network, the folder and `strict` that writes the files of the model.
        text: description of the model in a clause.
        usage: lines of Python that load and run it; `x` is a batch of inputs.
        packages: packages, by the name of their distribution, that these lines need.
    """

    write: Callable[[Graph, Path, bool], Written]
    text: str
    usage: str
    packages: tuple[str, ...]


def _own(graph: Graph, folder: Path, _strict: bool) -> Written:
    save(graph, folder / "graph.safetensors")
    return Written()


WRITERS: Mapping[Form, Writer] = {
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
