"""Plants: small changes to a graph that may give a rule a match, such as a missing edge or a copied vertex.

Every plant is a function of a graph and a number, which selects the place of the change. It returns a fresh valid
graph, or None when it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from netgraph.columns import Array, column
from netgraph.graph import NORMS, Graph, Layer, Link, full_columns, get_activation, get_norm, required_columns
from netgraph.testing.strategies import all_activations, exact_activations

NORM_VALUES = {"scale": 2.0, "shift": 1.0, "mean": 1.0, "var": 4.0}
"""Values of norm parameters, by name, that differ from those of a new vertex."""
Plant = Callable[[Graph, int], Graph | None]


def gap(graph: Graph, at: int) -> Graph | None:
    """Remove a trainable edge; its link stays."""
    free = np.flatnonzero(~graph.edges.frozen)
    if not len(free):
        return None
    return _keep_edges(graph, np.arange(len(graph.edges)) != free[at % len(free)])


def zero_weight(graph: Graph, at: int) -> Graph | None:
    """Set the weight of a trainable edge to 0."""
    free = np.flatnonzero(~graph.edges.frozen)
    if not len(free):
        return None
    weight = graph.edges.weight.copy()
    weight[free[at % len(free)]] = 0.0
    return _fresh(graph.with_weights(weight))


def dead_vertex(graph: Graph, at: int) -> Graph | None:
    """Remove all edges out of a hidden vertex that no merge reads."""
    hidden = np.setdiff1d(_hidden(graph), graph.edges.source_row[_into_merges(graph)])
    if not len(hidden):
        return None
    return _keep_edges(graph, graph.edges.source_row != hidden[at % len(hidden)])


def silent_vertex(graph: Graph, at: int) -> Graph | None:
    """Set the weights of all trainable edges out of a hidden vertex to 0."""
    hidden = _hidden(graph)
    if not len(hidden):
        return None
    mine = (graph.edges.source_row == hidden[at % len(hidden)]) & ~graph.edges.frozen
    return _fresh(graph.with_weights(np.where(mine, 0.0, graph.edges.weight)))


def constant_vertex(graph: Graph, at: int) -> Graph | None:
    """Remove all edges into a hidden vertex that sums them."""
    hidden = np.setdiff1d(_hidden(graph), graph.edges.target_row[_into_merges(graph)])
    if not len(hidden):
        return None
    return _keep_edges(graph, graph.edges.target_row != hidden[at % len(hidden)])


def twin(graph: Graph, at: int) -> Graph | None:
    """Copy a hidden vertex, with its edges and values, into the same layer."""
    return _with_twin(graph, at, lambda weight: weight)


def near_twin(graph: Graph, at: int) -> Graph | None:
    """Copy a hidden vertex into the same layer, with one different incoming weight."""
    return _with_twin(graph, at, lambda weight: np.append(weight[:-1], weight[-1:] + 1).astype(weight.dtype))


def unlinked(graph: Graph, at: int) -> Graph | None:
    """Remove a link into a layer that sums several links."""
    several = [
        k
        for k in graph.links_by_key.values()
        if len(graph.incoming[k.target]) > 1 and graph.layer(k.target).merge is None
    ]
    if not several:
        return None
    gone = several[at % len(several)].key
    links = [k for k in graph.links_by_key.values() if k.key != gone]
    return _make(graph.layers_by_id.values(), links)


def biased(graph: Graph, _at: int) -> Graph | None:
    """Set the biases of all hidden and output layers to 1."""
    layers = [
        x
        if x.is_source or _is_attention(x)
        else replace(x, values={**x.values, "bias": np.ones(len(x), _dtype(graph))})
        for x in graph.layers_by_id.values()
    ]
    return _make(layers, graph.links_by_key.values())


def nonnegative_inputs(graph: Graph, _at: int) -> Graph | None:
    """Set the domain of all inputs to [0, 1]."""
    return _with_domain(graph, 0.0, 1.0)


def bounded_inputs(graph: Graph, _at: int) -> Graph | None:
    """Set the domain of all inputs to [-1, 1]."""
    return _with_domain(graph, -1.0, 1.0)


def operation(**wanted: Any) -> Plant:
    """Make a plant that gives all hidden layers another activation or norm.

    New parameters of activations have their start values.

    Args:
        wanted: attributes of layers, `activation` or `norm`.
    """

    def plant(graph: Graph, _at: int) -> Graph | None:
        hidden = {x.id for x in graph.layers_by_id.values() if x.role == "hidden" and not _is_attention(x)}
        if not hidden:
            return None
        layers = [
            _with_operation(x, wanted, _dtype(graph)) if x.id in hidden else x for x in graph.layers_by_id.values()
        ]
        return _make(layers, graph.links_by_key.values())

    plant.__name__ = " and ".join(str(value) for value in wanted.values())
    return plant


PLANTS: Mapping[str, Plant] = {
    p.__name__: p
    for p in (gap, twin, zero_weight, dead_vertex, silent_vertex, near_twin, constant_vertex, unlinked, biased)
}
"""Plants that do not change the operations of layers, by name."""


def operation_plants() -> dict[str, Plant]:
    """Return plants that change the operations of all hidden layers, or the domain of the inputs; simple ones first."""
    exact = exact_activations()
    smooth = [name for name in all_activations() if name not in exact]
    plants = (
        nonnegative_inputs,
        bounded_inputs,
        *(operation(activation=name, norm="none") for name in exact),
        *(operation(norm=norm.name) for norm in NORMS.values() if not norm.identity),
        *(operation(activation=name, norm="none") for name in smooth),
    )
    return {p.__name__: p for p in plants}


def _hidden(graph: Graph) -> Array:
    """Return the flat rows of hidden vertices."""
    role = np.array([x.role == "hidden" for x in graph.layers_by_id.values()], dtype=bool)
    return np.flatnonzero(np.repeat(role, np.diff(graph.vertices.offsets)))


def _into_merges(graph: Graph) -> Array:
    """Return a mask of the edges into layers that merge, `(edges,)`."""
    merging = [x.id for x in graph.layers_by_id.values() if x.merge is not None]
    return np.isin(graph.vertices.layer[graph.edges.target_row], merging)


def _is_attention(layer: Layer) -> bool:
    """Whether the layer has heads, which have no bias, norm or activation."""
    return layer.merge is not None and not layer.merge.operates


def _make(layers: Iterable[Layer], links: Iterable[Link]) -> Graph:
    """Make a fresh graph without validation, since plants only make valid graphs of valid ones."""
    return Graph(layers, links, validate=False)


def _fresh(graph: Graph) -> Graph:
    return _make(graph.layers_by_id.values(), graph.links_by_key.values())


def _keep_edges(graph: Graph, keep: Array) -> Graph:
    """Return a graph with the edges of a mask only, `(edges,)`."""
    links = []
    for key, k in graph.links_by_key.items():
        start = graph.edges.offset(key)
        mask = keep[start : start + len(k)]
        links.append(k if mask.all() else with_columns(k, {name: v[mask] for name, v in k.columns.items()}))
    return _make(graph.layers_by_id.values(), links)


def with_columns(link: Link, columns: Mapping[str, Any], **attributes: Any) -> Link:
    """Return the link with other columns and attributes."""
    return replace(link, **attributes, **columns)


def _with_domain(graph: Graph, low: float, high: float) -> Graph | None:
    layers = [
        replace(x, values=full_columns({"low": low, "high": high}, len(x)))
        if x.role == "input" and x.encoding == "values"
        else x
        for x in graph.layers_by_id.values()
    ]
    return _make(layers, graph.links_by_key.values())


def _with_operation(layer: Layer, wanted: Mapping[str, Any], dtype: Any) -> Layer:
    attributes = {"activation": layer.activation, "norm": layer.norm, **wanted}
    gone = {*get_activation(layer.activation).parameters, *get_norm(layer.norm).columns}
    needed = required_columns("hidden", attributes["norm"], attributes["activation"])
    kept = {name: v for name, v in layer.values.items() if name not in gone or name in needed}
    values = {**full_columns({**needed, **_norm_values(attributes["norm"])}, len(layer), dtype), **kept}
    slope = 0.25 if get_activation(attributes["activation"]).uses_slope else layer.slope
    return replace(layer, values=values, slope=slope, **attributes)


def _norm_values(norm: str) -> dict[str, float]:
    """Parameters of a norm that differ from those of a new vertex, so that checks detect a rule that loses them."""
    return {name: NORM_VALUES.get(name, start + 1) for name, start in get_norm(norm).columns.items()}


def _dtype(graph: Graph) -> Any:
    """Return the dtype of the weights, for planted values, so that both are rounded alike."""
    return graph.edges.weight.dtype


def _with_twin(graph: Graph, at: int, change: Callable[[Array], Array]) -> Graph | None:
    wired = {end for k in graph.links_by_key.values() if k.kind.wires for end in (k.source, k.target)}
    hidden = [r for r in _hidden(graph).tolist() if int(graph.vertices.layer[r]) not in wired]
    if not hidden:
        return None
    flat = hidden[at % len(hidden)]
    layer_id, row = int(graph.vertices.layer[flat]), int(graph.vertices.row[flat])
    layer, size = graph.layer(layer_id), len(graph.layer(layer_id))
    wider = replace(
        layer,
        vertex_ids=np.append(layer.vertex_ids, graph.next_ids.vertex),
        birth=np.append(layer.birth, 0).astype(np.int32),
        values={name: column(np.append(v, v[row]), v.dtype) for name, v in layer.values.items()},
    )
    links, edge = [], graph.next_ids.edge
    for k in graph.links_by_key.values():
        end = "dst" if k.target == layer_id else "src" if k.source == layer_id else None
        if end is None:
            links.append(k)
            continue
        mine = getattr(k, end) == row
        copies = {name: v[mine].copy() for name, v in k.columns.items()}
        copies[end][:] = size
        copies["id"] = np.arange(edge, edge + np.count_nonzero(mine))
        if end == "dst":
            copies["weight"] = change(copies["weight"])
        edge += len(copies["id"])
        columns = {name: np.concatenate([v, copies[name]]) for name, v in k.columns.items()}
        links.append(Link.sorted(k.source, k.target, k.kind, columns, k.port))
    layers = [wider if x.id == layer_id else x for x in graph.layers_by_id.values()]
    return _make(layers, links)
