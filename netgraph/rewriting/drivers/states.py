"""States of a run, up to ids, by which a driver notices that its steps go round in a circle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netgraph.columns import digest
from netgraph.graph import Graph
from netgraph.statistics import Statistics


class States:
    """States of a derivation: the graph up to ids and names, the statistics, and the state of the generator.

    From equal states equal steps follow. Hashes are computed only for states with graphs of equal sizes.
    """

    def __init__(self) -> None:
        self._by_size: dict[tuple[int, ...], list[tuple[int, Callable[[], bytes]]]] = {}

    def earlier(self, number: int, graph: Graph, stats: Statistics | None, rng: np.random.Generator) -> int | None:
        """Note the state after step `number`, and return the number of an earlier step with the same state, or None."""
        state, known = str(rng.bit_generator.state), self._by_size.setdefault(_sizes(graph), [])
        mine = _once(lambda: _digest(graph, stats, state))
        found = next((earlier for earlier, theirs in known if theirs() == mine()), None)
        known.append((number, mine))
        return found


def _once(compute: Callable[[], bytes]) -> Callable[[], bytes]:
    found: list[bytes] = []

    def get() -> bytes:
        if not found:
            found.append(compute())
        return found[0]

    return get


def _sizes(graph: Graph) -> tuple[int, ...]:
    return graph.num_layers, graph.num_vertices, len(graph.edges), len(graph.links_by_key)


def _digest(graph: Graph, stats: Statistics | None, generator: str) -> bytes:
    """Hash of structure and values by position instead of id. O(edges)."""
    rank = {i: k for k, i in enumerate(graph.layers_by_id)}
    parts: list[object] = [generator]
    for layer in graph.layers_by_id.values():
        attributes = {name: value for name, value in layer.attributes.items() if name != "name"}
        parts += [
            len(layer),
            attributes,
            *(part for name in sorted(layer.values) for part in (name, layer.values[name])),
        ]
    for link in graph.links_by_key.values():
        parts += [rank[link.source], rank[link.target], link.port, link.kind]
        parts += [link.src, link.dst, link.tap, link.weight, link.frozen]
    if stats is not None:
        parts += [
            part for columns in (stats.edges, stats.vertices) for pair in sorted(columns.items()) for part in pair
        ]
    return digest(*parts)
