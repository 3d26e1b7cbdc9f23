"""Initial weights: drawing them, resetting a graph to fresh or earlier ones, and thinning a graph before training."""

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
"""Distribution of initial weights, see `GraphBuilder`."""


def check_init(init: str) -> None:
    """Raise `OptionError`, with the nearest name, for an unknown distribution of weights."""
    choice("init", init, get_args(Init))


def draw_weights(rng: np.random.Generator, init: Init, n: int, fan_in: Any) -> Array:
    """Draw `n` float64 weights.

    `fan_in` is the number of edges into the target vertex: one number for all edges, or one per edge, `(n,)`.
    """
    if init == "kaiming":
        return np.asarray(rng.standard_normal(n) / np.sqrt(fan_in / 2))
    return np.asarray(rng.uniform(-1, 1, n) / np.sqrt(fan_in))


@checked
def reinitialised(graph: Graph, *, seed: Seed | None, init: Init = "uniform", thin: bool = False) -> Graph:
    """Return the graph with fresh initial values and the same topology, to train a grown architecture from scratch.

    Weights are drawn as `GraphBuilder` draws them: link by link, in the order in which the links were made. The fan-in
    of a vertex counts the drawn edges of one link, and is 1 for rows of a table. So a network that was built with all
    its edges gets its first weights again, given the same seed and `init`. Frozen edges keep their weights; no number
    is drawn for them. Biases become 0. Columns of norms, running statistics and parameters of activations return to
    their starting values.

    Args:
        graph: the graph; the result keeps its ids, births, lineage and topology hash.
        seed: seed of the weights.
        init: distribution of the weights, as for `GraphBuilder`.
        thin: whether to draw weights for the missing edges of every link as well, to count them in the fan-in, and to
            drop them. The result then has the weights of a dense network that was `thinned` after it was drawn.

    Raises:
        OptionError: for an unknown `init`, and a seed that is not a whole number of at least 0.

    Cost: O(edges + vertices); O(admissible edges + vertices) for `thin`.
    """
    check_init(init)
    rng = generator("seed", seed)
    weights = {key: np.array(link.weight, dtype=np.float64) for key, link in graph.links_by_key.items()}
    for key in _as_made(graph):
        link = graph.links_by_key[key]
        drawn, table = ~link.frozen, graph.layer(link.source).is_table
        dst = link.dst[drawn]
        if thin:
            fan_in = len(graph.layer(link.source)) * link.kind.taps
            dense = draw_weights(rng, init, fan_in * len(graph.layer(link.target)), 1 if table else fan_in)
            cells = dst.astype(np.int64) * fan_in + link.src[drawn] * link.kind.taps + link.tap[drawn]
            weights[key][drawn] = dense[cells]
        else:
            weights[key][drawn] = draw_weights(rng, init, len(dst), 1 if table else np.bincount(dst)[dst])
    flat = np.concatenate([np.zeros(0), *weights.values()])
    return graph.with_weights(flat, vertices=_starting_values(graph))


def _as_made(graph: Graph) -> list[LinkKey]:
    """Keys of the links with edges that are not frozen, the link with the oldest edge first."""
    oldest = {key: int(link.id.min()) for key, link in graph.links_by_key.items() if not link.frozen.all()}
    return sorted(oldest, key=oldest.__getitem__)


def _starting_values(graph: Graph) -> Mapping[str, Array]:
    """Starting values of all vertex columns but those of inputs, by name, each `(vertices,)`."""
    columns: dict[str, Array] = {}
    for layer, first in zip(graph.layers_by_id.values(), graph.vertices.offsets.tolist(), strict=False):
        if layer.role == "input":
            continue
        for name, value in {"bias": 0.0, **layer.required_columns()}.items():
            columns.setdefault(name, np.zeros(graph.num_vertices))[first : first + len(layer)] = value
    return columns


def rewound(graph: Graph, origin: Graph) -> Graph:
    """Return the graph with the weights and vertex columns of an earlier graph, matched by id.

    Edges, vertices and columns that `origin` lacks keep their values. Use it to reset a pruned network to its initial
    weights.

    Args:
        graph: the graph.
        origin: a graph of the same history.

    Raises:
        GraphError: when `origin` belongs to another history, in which ids stand for different things.

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
    """Return the graph with a selection of its edges, as a sparse start. It is not a rewrite.

    Layers, vertices and kept edges keep their ids and values. So the weights are those of the dense network, drawn for
    its fan-in; `reinitialised` draws them again for the fan-in of the kept edges. A link that loses all its edges stays
    in the graph, so that edges can be added to it. A new history begins: `rewrites` is 0, the lineage is new, and all
    births are 0.

    Args:
        graph: any graph, usually a dense one.
        keep: mask of the edges to keep, in the order of `graph.edges`, `(edges,)` bool. It must be True for all frozen
            edges, wires included.

    Raises:
        GraphError: for another shape or dtype, or when the mask drops a frozen edge.

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
    """Return the link with the edges in the mask `rows`, with births 0, in the same order."""
    columns = {name: values[rows] for name, values in link.columns.items()}
    columns["birth"] = np.zeros_like(columns["birth"])
    return Link(link.source, link.target, link.kind, port=link.port, **columns)
