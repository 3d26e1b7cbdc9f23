"""How first weights are drawn: for a graph that is built, and for one that starts over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from netgraph.checks import Seed, checked, choice, generator
from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.graph import Graph
from netgraph.graph.history import Station, check_one_history
from netgraph.graph.link import Link, LinkKey

Init = Literal["uniform", "kaiming"]
"""How weights are drawn, see `GraphBuilder`."""


def check_init(init: str) -> None:
    """Raise `OptionError`, with the nearest name, for an unknown way to draw weights."""
    choice("init", init, get_args(Init))


def draw_weights(rng: np.random.Generator, init: Init, n: int, fan_in: Any) -> Array:
    """Draw `n` float64 weights; `fan_in` is one number, or one per edge, of edges into the same vertex."""
    if init == "kaiming":
        return np.asarray(rng.standard_normal(n) / np.sqrt(fan_in / 2))
    return np.asarray(rng.uniform(-1, 1, n) / np.sqrt(fan_in))


@checked
def reinitialised(graph: Graph, *, seed: Seed | None, init: Init = "uniform", thin: bool = False) -> Graph:
    """The same topology with fresh values, as if it were built from scratch: what a static network starts at.

    Weights are drawn as `GraphBuilder` draws them, link by link in the order in which the links were made, with the
    fan-in of a vertex counted over the drawn edges of one link. So a network that was built with all its edges gets
    the weights that it was built with, given its seed and its `init`. Frozen edges keep their weights and draw
    nothing. Biases become 0; norms, running statistics and parameters of activations go back to where they start.

    Args:
        graph: the graph; ids, births, journal lineage and topology hash of the result are its own.
        seed: of the weights.
        init: how weights are drawn, as for `GraphBuilder`.
        thin: draw weights for missing edges of every link as well, with the fan-in that they bring, and leave them
            out: as of a dense network that was `thinned` out afterwards.

    Raises:
        OptionError: for an unknown `init`, and a seed that is no whole number from 0.

    Cost: O(edges + vertices); O(admissible edges + vertices) for `thin`.
    """
    check_init(init)
    rng = generator("seed", seed)
    weights = {key: np.array(link.weight, dtype=np.float64) for key, link in graph.links_by_key.items()}
    for key in _as_made(graph):
        link = graph.links_by_key[key]
        drawn = ~link.frozen
        dst = link.dst[drawn]
        if thin:
            fan_in = len(graph.layer(link.source)) * link.kind.taps
            dense = draw_weights(rng, init, fan_in * len(graph.layer(link.target)), fan_in)
            cells = dst.astype(np.int64) * fan_in + link.src[drawn] * link.kind.taps + link.tap[drawn]
            weights[key][drawn] = dense[cells]
        else:
            weights[key][drawn] = draw_weights(rng, init, len(dst), np.bincount(dst)[dst])
    flat = np.concatenate([np.zeros(0), *weights.values()])
    return graph.with_weights(flat, vertices=_starting_values(graph))


def _as_made(graph: Graph) -> list[LinkKey]:
    """Keys of the links with edges to draw, the link with the oldest edge first."""
    oldest = {key: int(link.id.min()) for key, link in graph.links_by_key.items() if not link.frozen.all()}
    return sorted(oldest, key=oldest.__getitem__)


def _starting_values(graph: Graph) -> Mapping[str, Array]:
    """Where every trained or running vertex column starts, one row per vertex of the graph."""
    columns: dict[str, Array] = {}
    for layer, first in zip(graph.layers_by_id.values(), graph.vertices.offsets.tolist(), strict=False):
        if layer.role == "input":
            continue
        for name, value in {"bias": 0.0, **layer.required_columns()}.items():
            columns.setdefault(name, np.zeros(graph.num_vertices))[first : first + len(layer)] = value
    return columns


def rewound(graph: Graph, origin: Graph) -> Graph:
    """The same topology with the weights and vertex columns of an earlier graph, by id.

    What `origin` does not have keeps its values. So pruned networks go back to their initial weights.

    Args:
        graph: the graph.
        origin: a graph of the same history.

    Raises:
        GraphError: when it is not, and the same ids stand for different things.

    Cost: O((edges + vertices) log), for finding ids.
    """
    try:
        check_one_history(graph, origin)
    except GraphError as error:
        raise GraphError(f"The graph cannot go back to the values of one of another history: {error}.") from None
    weight = np.array(graph.edges.weight)
    rows = origin.edges.find(graph.edges.id)
    weight[rows >= 0] = origin.edges.weight[rows[rows >= 0]]
    rows = origin.vertices.find(graph.vertices.id)
    columns = {}
    for name in _starting_values(graph):
        mine, theirs = np.array(graph.vertices.column(name)), origin.vertices.column(name)
        had = (rows >= 0) & ~np.isnan(theirs[rows])
        mine[had] = theirs[rows[had]]
        columns[name] = mine
    return graph.with_weights(weight, vertices=columns)


def thinned(graph: Graph, keep: Array) -> Graph:
    """The same network with only some of its edges: a sparse start, not a rewrite.

    Layers, vertices and the edges that stay keep their ids and their values, so the weights are those of the dense
    network, drawn for its fan-in. To have them drawn for the edges that are left, hand the result to `reinitialised`.
    A link may lose all its edges and stays, open to new ones. The history is a new one: no rewrites, a lineage of
    its own, and nothing counts as added.

    Args:
        graph: any graph, as a rule a dense one.
        keep: (edges,) bool in the order of `graph.edges`: which stay. Frozen edges must, wires among them.

    Raises:
        GraphError: for another shape or dtype, or when a frozen edge is left out.

    Cost: O(edges + vertices).
    """
    keep = np.asarray(keep)
    if keep.shape != (len(graph.edges),) or keep.dtype != np.bool_:
        raise GraphError(
            f"thinned() needs ({len(graph.edges)},) booleans, one per edge, got {keep.dtype} of shape {keep.shape}."
        )
    links = []
    for link, start in zip(graph.links_by_key.values(), graph.edges.offsets.tolist(), strict=False):
        rows = keep[start : start + len(link)]
        lost = link.frozen & ~rows
        if lost.any():
            raise GraphError(
                f"Edge {link.id[lost][0]} of the link {graph.link_name(link.source, link.target)} is frozen and would "
                "go; keep the edges where graph.edges.frozen holds, or remove them with PruneEdges."
            )
        links.append(_thinned(link, rows))
    layers = [replace(layer, birth=np.zeros(len(layer), np.int32)) for layer in graph.layers_by_id.values()]
    return Graph(layers, links, past=Station.of(graph))


def _thinned(link: Link, rows: Array) -> Link:
    """The link with the edges of these rows, all of them there from the start. The canonical order stays."""
    columns = {name: values[rows] for name, values in link.columns.items()}
    columns["birth"] = np.zeros_like(columns["birth"])
    return Link(link.source, link.target, link.kind, port=link.port, **columns)
