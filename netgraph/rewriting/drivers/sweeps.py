"""The driver that goes through the layers of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from netgraph.columns import Array
from netgraph.rewriting.drivers.driver import Driver, require_one_rule
from netgraph.rewriting.drivers.run import DriverRun
from netgraph.rewriting.patterns import EdgeRows, LayerPairRows, LinkRows, Matches, PairRows
from netgraph.rewriting.rule import Rule


@dataclass(frozen=True, repr=False)
class SweepDriver(Driver):
    """One rule, layer by layer, see `sweep`."""

    rule: Rule
    order: Literal["topological", "reverse"] = "topological"
    label: ClassVar[str] = "sweep"
    most = 1_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_rule(self.rule, self.name)

    def drive(self, run: DriverRun) -> str:
        """Rewrite the matches at each layer; only layers with matches are visited, so others cost nothing."""
        forward = run.graph.topological_order
        layers = forward if self.order == "topological" else forward[::-1]
        ids = np.array(sorted(layers))
        place = np.empty(len(ids), dtype=np.int64)
        place[np.searchsorted(ids, layers)] = np.arange(len(layers))
        at, visited = -1, 0
        while True:
            m = run.find(self.rule)
            places = _known(layer_of(m), ids, place)
            ahead = places[places > at]
            if not len(ahead):
                return f"end of the sweep; {visited:,} of {len(layers):,} layers had matches"
            at, visited = int(ahead.min()), visited + 1
            run.do(self.rule, on=m.take(np.flatnonzero(places == at)))


def sweep(rule: Rule, order: Literal["topological", "reverse"] = "topological") -> SweepDriver:
    """Make a driver that applies a rule layer by layer, with the matches at one layer after those at another.

    A match of an edge or link, existing or missing, is at its target layer; a match of a vertex or layer at that layer;
    a match of several parts where its first one is. The matches at a layer are found after the layers before it are
    rewritten. Layers that the sweep itself adds are not visited.

    Args:
        rule: the rule.
        order: "topological" from inputs to outputs, or "reverse".

    Costs a search of the graph for every layer with matches.
    """
    return SweepDriver(rule, order)


def layer_of(m: Matches) -> Array:
    """Layer id of each match: of the target of an edge or link, else of the part itself, `(matches,)`."""
    root, graph = m.root, m.graph
    if isinstance(root, EdgeRows):
        return np.asarray(graph.vertices.layer[graph.edges.target_row[root.rows]])
    if isinstance(root, PairRows):
        return np.asarray(graph.vertices.layer[graph.vertices.rows(root.target)])
    if isinstance(root, LayerPairRows):
        return root.target
    if isinstance(root, LinkRows):
        return np.array([key[1] for key in root.key], dtype=np.int64)
    return np.asarray(root.layer)


def _known(layers: Array, ids: Array, place: Array) -> Array:
    """Place of each layer in the order, -1 for layers that are not in it."""
    at = np.minimum(np.searchsorted(ids, layers), len(ids) - 1)
    return np.where(ids[at] == layers, place[at], -1)
