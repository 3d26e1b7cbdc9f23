"""Operands of a rewriter's edits: vertices, edges, layers. Checks refuse other values and name valid ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import whole, whole_numbers
from netgraph.columns import Array, IdIndex, by_value, column
from netgraph.errors import RewriteError
from netgraph.graph import LARGEST_PORT, Grid, Layer, Link, LinkKind
from netgraph.rewriting.patterns import (
    EdgeRows,
    LayerPairRows,
    LayerRows,
    LinkRows,
    MatchedRows,
    Matches,
    PairRows,
    VertexRows,
)

if TYPE_CHECKING:
    from netgraph.graph import Graph


@dataclass(frozen=True)
class NewVertices:
    """Vertices that a rewrite adds: their ids, and the id and grid of their layer."""

    id: Array
    layer_id: int
    grid: Grid = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", column(self.id, np.int64))

    def __len__(self) -> int:
        return len(self.id)

    def take(self, chosen: Array) -> NewVertices:
        """Return the vertices at the given positions or mask; a position may occur several times."""
        return NewVertices(self.id[chosen], self.layer_id, self.grid)


@dataclass(frozen=True)
class Draw:
    """Random initial values, uniform in [low, high), drawn when their number is known."""

    low: float
    high: float
    rng: np.random.Generator

    def sample(self, n: int) -> Array:
        """Draw `n` values. If `low` equals `high`, all have this value and the generator does not advance."""
        if self.low == self.high:
            return np.full(n, self.low)
        return self.rng.uniform(self.low, self.high, n)


Vertices = VertexRows | NewVertices
"""Vertices of the graph, or vertices that the rewrite adds."""


def layers_of(vertices: Vertices) -> Array:
    """Layer id of each vertex."""
    if isinstance(vertices, NewVertices):
        return np.full(len(vertices), vertices.layer_id)
    return vertices.layer


def ids_by_layer(vertices: Vertices) -> list[tuple[Array, int]]:
    """Vertices grouped by layer, as (vertex ids, layer id); every vertex of the graph once."""
    if isinstance(vertices, NewVertices):
        return [(vertices.id, vertices.layer_id)]
    unique = vertices.unique()
    return [(unique.id[rows], i) for i, rows in by_value(unique.layer).items()]


# -- choosing ----------------------------------------------------------------------------------------


def vertices_given(graph: Graph, layers: Any, ids: Any, rows: Any) -> VertexRows:
    """Vertices given by exactly one of whole layers, ids or flat rows."""
    if (layers is not None) + (ids is not None) + (rows is not None) != 1:
        raise RewriteError("vertices() needs one of: layers, such as vertices('output'), or ids=, or rows=.")
    if layers is not None:
        return vertices_in(graph, layers)
    table = graph.vertices
    chosen = table.rows(ids_given("vertices", ids)) if rows is None else rows_given("vertices", len(table), rows)
    return VertexRows(graph, chosen)


def edges_given(graph: Graph, ids: Any, rows: Any) -> EdgeRows:
    """Edges given by exactly one of ids or rows."""
    if (ids is None) == (rows is None):
        raise RewriteError("edges() needs ids=, or rows= such as rows=graph.edges.weight == 0.")
    table = graph.edges
    if ids is None:
        return EdgeRows(graph, rows_given("edges", len(table), rows))
    asked = ids_given("edges", ids)
    found = table.find(asked)
    if (found < 0).any():
        raise RewriteError(f"There is no edge with id {asked[found < 0].min()} in this graph.")
    return EdgeRows(graph, found)


def vertices_in(graph: Graph, layers: Any) -> VertexRows:
    """All vertices of one or several layers; a layer is given by its name or as a `Layer`, several as any iterable."""
    if isinstance(layers, str | Layer):
        layers = [layers]
    if not isinstance(layers, Iterable):
        raise RewriteError(
            f"vertices() got {describe_value(layers)}; give a layer, its name or several of them, or vertices as ids= "
            "or rows=."
        )
    chosen = [own_layer(graph, x) for x in layers]
    parts = [np.arange(len(x)) + graph.vertices.offset(x.id) for x in chosen]
    return VertexRows(graph, np.concatenate(parts) if parts else np.empty(0, np.int64))


def own_layer(graph: Graph, layer: Any) -> Layer:
    """Layer of the graph, given by its name or as a `Layer`."""
    if isinstance(layer, str):
        return graph.layer(layer)
    if not isinstance(layer, Layer):
        raise RewriteError(
            f"vertices() got {describe_value(layer)}; give a layer or its name, or vertices as ids= or rows=."
        )
    if graph.layers_by_id.get(layer.id) is not layer:
        raise RewriteError(f"{layer!r} is not a layer of this graph; take it from graph.layers.")
    return layer


def rows_given(what: str, size: int, rows: Any) -> Array:
    """Flat rows as integers, given as rows or as a mask with one boolean per row of the table."""
    array = np.asarray(rows)
    if array.dtype == np.bool_ and array.shape == (size,):
        return np.flatnonzero(array)
    integers = whole_numbers("rows", rows, error=RewriteError) if array.dtype.kind in "iu" or not array.size else None
    if integers is None or array.ndim != 1 or ((integers < 0) | (integers >= size)).any():
        raise RewriteError(
            f"rows= of graph.{what} are integers from 0 to {size - 1}, or {size} booleans, got {describe_value(rows)}."
        )
    return integers


def ids_given(what: str, ids: Any) -> Array:
    """Ids as integers."""
    array = np.asarray(ids)
    if array.ndim > 1 or (array.size and array.dtype.kind not in "iu"):
        raise RewriteError(f"ids= of {what} are integers, got {describe_value(ids)}.")
    return np.atleast_1d(whole_numbers(f"ids of {what}", ids, error=RewriteError))


def one_or_per_row(name: str, values: Array, n: int) -> Array:
    """Values per row, `(n,)`, given as one value or one per row."""
    if values.shape not in ((), (n,)):
        raise RewriteError(f"A {name} of shape {values.shape} does not fit {n} rows; give one, or one per row.")
    return np.broadcast_to(values, (n,))


def port_given(edit: str, port: Any) -> int:
    """A port as an integer."""
    return whole(f"{edit}(): port", port, least=0, most=LARGEST_PORT, error=RewriteError)


# -- refusing ----------------------------------------------------------------------------------------


def check_vertices(edit: str, name: str, value: Any, graph: Graph, *, new: bool = True) -> None:
    """Raise `RewriteError` unless `value` holds vertices of the graph, or with `new` vertices that the rewrite adds."""
    if isinstance(value, NewVertices):
        if not new:
            raise RewriteError(
                f"{edit}() takes vertices that the graph has, and {name} are new; "
                "give their values to add_layer() or add_vertices()."
            )
    elif not isinstance(value, VertexRows):
        raise RewriteError(
            f"{edit}() got {describe_value(value)} as {name}, and needs vertices: {_vertices_from(value)}."
        )
    else:
        _check_graph(edit, name, value, graph)


def check_edges(edit: str, name: str, value: Any, graph: Graph) -> None:
    """Raise `RewriteError` unless `value` holds edges of the graph."""
    if not isinstance(value, EdgeRows):
        if isinstance(value, LinkRows):
            hint = "m.k.edges, where k is bound to a link"
        elif isinstance(value, Link):
            hint = "rw.edges(rows=...) with rows from graph.edges.offset(link.key)"
        elif isinstance(value, PairRows):
            hint = "missing edges are none yet; add them by connect()"
        else:
            hint = "m.e, where e is bound to an edge, or rw.edges(ids=...)"
        raise RewriteError(f"{edit}() got {describe_value(value)} as {name}, and needs edges: {hint}.")
    _check_graph(edit, name, value, graph)


def check_layer(edit: str, value: Any) -> None:
    """Raise `RewriteError` unless `value` is a layer."""
    if isinstance(value, Layer):
        return
    if isinstance(value, str):
        hint = f"rw.graph.layers[{value!r}]"
    elif isinstance(value, LayerRows):
        hint = "one at a time, as in `for layer in m.l`"
    elif isinstance(value, NewVertices):
        hint = "what is new is made as it should be by add_layer()"
    else:
        hint = "rw.graph.layers[name]"
    raise RewriteError(f"{edit}() got {describe_value(value)}, and needs a layer: {hint}.")


def check_kind(edit: str, kind: Any) -> None:
    """Raise `RewriteError` unless `kind` is a kind of links, or None."""
    if kind is not None and not isinstance(kind, LinkKind):
        raise RewriteError(
            f"{edit}() got {describe_value(kind)} as kind, and needs Dense(), Conv2d(kernel) or Identity(), or that of "
            "edges: kind=m.e.kind."
        )


def check_removable(value: Any, graph: Graph) -> None:
    """Raise `RewriteError` unless `value` is something that a rewriter can remove."""
    if isinstance(value, EdgeRows | VertexRows):
        _check_graph("remove", "what", value, graph)
        return
    if isinstance(value, Layer | Link):
        return
    if isinstance(value, str):
        hint = f"rw.vertices({value!r}), or the layer rw.graph.layers[{value!r}]"
    elif isinstance(value, LayerRows | LinkRows):
        hint = "one layer or link at a time, as in `for layer in m.l`"
    elif isinstance(value, NewVertices | PairRows | LayerPairRows):
        hint = "what is not in the graph cannot be removed from it"
    else:
        hint = "m.e or m.v, or by id rw.edges(ids=...) or rw.vertices(ids=...)"
    raise RewriteError(f"remove() got {describe_value(value)}, and needs edges, vertices, a layer or a link: {hint}.")


def check_free(graph: Graph, rows: Array, *, whole: bool) -> None:
    """Raise `RewriteError` unless the vertices of these flat rows may be removed; `whole` is for all of a layer."""
    for layer_id in np.unique(graph.vertices.layer[rows]):
        layer = graph.layer(int(layer_id))
        if layer.role != "hidden" and not (layer.role == "position" and whole):
            raise RewriteError(f"Vertices of the {layer.role} layer {layer.name!r} cannot be removed.")


def _vertices_from(value: Any) -> str:
    if isinstance(value, str):
        return f"rw.vertices({value!r})"
    if isinstance(value, Layer):
        return f"rw.vertices({value.name!r})"
    if isinstance(value, LayerRows):
        return "rw.vertices(m.l), where l is bound to a layer"
    if isinstance(value, EdgeRows | PairRows):
        return "the ends of edges have names of their own, as in edge('e', src=vertex('p'), dst=vertex('c'))"
    if isinstance(value, np.ndarray | list | tuple | int | np.integer):
        return "rw.vertices(ids=...) for ids"
    return "m.v, where v is bound to a vertex, or rw.vertices(layer)"


def _check_graph(edit: str, name: str, value: EdgeRows | VertexRows, graph: Graph) -> None:
    if value.graph is not graph:
        raise RewriteError(
            f"{edit}() got {describe_value(value)} of another graph as {name}, whose rows differ; "
            "use the matches that rewrite() receives, or rw.vertices() and rw.edges()."
        )


def describe_value(value: Any) -> str:
    """Short description of a given value, for messages."""
    if isinstance(value, str | int | float | np.generic):
        return repr(value)
    if isinstance(value, Layer):
        return f"the layer {value.name!r}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    sized = isinstance(value, MatchedRows | NewVertices | Matches)
    return f"{len(value):,} {name}" if sized else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def missing_edges(
    present: Iterable[tuple[Array, Array, Array]], src: Array, dst: Array, taps: int
) -> tuple[Array, Array, Array]:
    """Source ids, target ids and taps of the missing edges between two sets of vertices, given by id.

    `present` has these columns of the edges that are there, in chunks. Costs `O(|src| * |dst| * taps)`.
    """
    absent = np.ones((len(dst), len(src), taps), dtype=bool)
    sources, targets = IdIndex(src), IdIndex(dst)
    for have_src, have_dst, have_tap in present:
        s, d = sources.find(have_src), targets.find(have_dst)
        inside = (s >= 0) & (d >= 0)
        absent[d[inside], s[inside], have_tap[inside]] = False
    d, s, t = np.nonzero(absent)
    return src[s], dst[d], t
