"""Graphs of edges that are given as arrays: source, target and weight, or a matrix."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from netgraph.checks import LARGEST, number, real_numbers, truth_values, whole_numbers
from netgraph.columns import Array
from netgraph.errors import GraphError, unknown_name
from netgraph.graph import DAG_TEXTS, DOMAIN_COLUMNS, Dag, Graph, dag_values, graph_of_dag, text_column, weight_dtype


def from_edges(
    source: Any,
    target: Any,
    weight: Any = 1.0,
    *,
    vertices: Mapping[str, Any] | None = None,
    ids: Any = None,
    frozen: Any = None,
    domain: tuple[float, float] | None = None,
    dtype: Any = np.float32,
) -> Graph:
    """Make the graph of a weighted DAG that is given as a list of edges.

    Vertices without edges into them become inputs and those without edges out of them outputs; the others become layers
    by the length of the longest path to them and by their activation, ReLU by default. `vertices` may say otherwise.

    Args:
        source, target: names of the ends of each edge, whole numbers or texts, `(edges,)`.
        weight: weight of each edge, or of all.
        vertices: columns with a row per vertex: `id`, their names in the order of rows, and, where known, `layer`,
            `role` ("input", "hidden", "output"), `activation`, `bias`, `low` and `high` (of inputs), and parameters of
            the activation. NaN, None and "" stand for the usual value. Without them, vertices with whole numbers as
            names follow each other by number, others as they appear.
        ids: ids of the edges; by default they count up from 0.
        frozen: mask of the edges that training leaves alone.
        domain: interval `(low, high)` of all inputs for which `vertices` has none.
        dtype: float32 or float64, for weights and biases.

    Raises:
        GraphError: for a cycle, whose vertices the message names, for an isolated vertex without a role, and for values
            that a graph cannot have.

    Cost: O((vertices + edges) log(vertices + edges)), and some 0.1 ms per layer and per link.

    Example:
        >>> from_edges(["a", "b", "h"], ["h", "h", "y"], [2.0, -1.0, 0.5])
        Graph(3 layers [input:2, hidden1:1, output:1], 4 vertices, 3 edges, density 1)
    """
    ends = [_names(name, values) for name, values in (("source", source), ("target", target))]
    if len(ends[0]) != len(ends[1]):
        raise GraphError(f"There are {len(ends[0])} sources and {len(ends[1])} targets; give one of each per edge.")
    given = dict(vertices or {})
    known = {"id", *DAG_TEXTS, *dag_values()}
    for name in given:
        if name not in known:
            raise GraphError(unknown_name("column of vertices", name, known))
    names = _names("vertices['id']", given["id"]) if "id" in given else _appearing(*ends)
    place = {name: row for row, name in enumerate(names)}
    if len(place) < len(names):
        twice = next(name for row, name in enumerate(names) if place[name] != row)
        raise GraphError(f"vertices['id'] has {twice!r} twice; give each vertex one row.")
    try:
        src, dst = (np.array([place[name] for name in end], np.int64) for end in ends)
    except KeyError as error:
        raise GraphError(f"An edge has the vertex {error.args[0]!r}, which vertices['id'] lacks; add it.") from None
    own = names if all(type(name) is int and 0 <= name <= LARGEST for name in names) else None
    count = len(src)
    weights = real_numbers("weight", weight, dtype=weight_dtype(dtype), nan=True, error=GraphError)
    if ids is not None:
        ids = _broadcast("ids", whole_numbers("ids", ids, least=0, error=GraphError), count)
    if frozen is not None:
        frozen = _broadcast("frozen", truth_values("frozen", frozen, error=GraphError), count)
    return graph_of_dag(
        Dag(
            names=names,
            src=src,
            dst=dst,
            weight=_broadcast("weight", weights, count),
            texts={name: _texts(name, given[name], len(names)) for name in DAG_TEXTS if name in given},
            values=_values(given, len(names), domain),
            vertex_ids=None if own is None else np.array(own, np.int64),
            edge_ids=ids,
            frozen=frozen,
        )
    )


def from_matrix(matrix: Any, **options: Any) -> Graph:
    """Make the graph of a weighted DAG that is given as a square matrix.

    Args:
        matrix: `matrix[i, j]` is the weight of the edge from vertex `i` to vertex `j`: an array of NumPy, in which 0
            stands for no edge, or a matrix of `scipy.sparse`, whose stored entries are edges, zeros too.
        options: arguments of `from_edges`; `vertices` has its rows in the order of the matrix.

    Raises:
        GraphError: as `from_edges`, and for a matrix that is not square.

    Cost: that of `from_edges`; a dense matrix has its squared number of vertices to read.

    Example:
        >>> from_matrix(np.array([[0, 0, 2.0], [0, 0, -1.0], [0, 0, 0]]))
        Graph(2 layers [input:2, output:1], 3 vertices, 2 edges, density 1)
    """
    if hasattr(matrix, "tocoo"):
        found = matrix.tocoo()
        shape, source, target, weight = found.shape, found.row, found.col, found.data
    else:
        dense = real_numbers("matrix", matrix, nan=True, error=GraphError)
        shape = dense.shape
        source, target = np.nonzero(dense) if dense.ndim == 2 else (np.empty(0, int), np.empty(0, int))
        weight = dense[source, target] if dense.ndim == 2 else dense
    if len(shape) != 2 or shape[0] != shape[1]:
        raise GraphError(f"The matrix has the shape {shape}; give a square one, with a row and a column per vertex.")
    vertices = dict(options.pop("vertices", None) or {})
    names = _names("vertices['id']", vertices.get("id", np.arange(shape[0])))
    if len(names) != shape[0]:
        raise GraphError(f"vertices['id'] has {len(names)} names for the {shape[0]} rows of the matrix.")
    keys = np.empty(len(names), object)
    keys[:] = names
    return from_edges(keys[source], keys[target], weight, vertices={**vertices, "id": names}, **options)


def _names(name: str, values: Any) -> list[Hashable]:
    """Convert names of vertices to a list of ints and texts."""
    found = np.asarray(values).tolist() if isinstance(values, np.ndarray) else list(values)
    for row, value in enumerate(found):
        if isinstance(value, np.integer):
            found[row] = int(value)
        elif isinstance(value, bool) or not isinstance(value, int | str):
            raise GraphError(f"{name}[{row}]={value!r} is no name of a vertex; give whole numbers or texts.")
    return found


def _appearing(source: Sequence[Hashable], target: Sequence[Hashable]) -> list[Any]:
    """Names of the vertices: by number where all are numbers, else as they appear, edge by edge."""
    found: list[Any] = list(dict.fromkeys(name for pair in zip(source, target, strict=True) for name in pair))
    return sorted(found) if all(isinstance(name, int) for name in found) else found


def _broadcast(name: str, values: Array, rows: int) -> Array:
    if values.shape not in ((), (rows,)):
        raise GraphError(f"{name} has the shape {values.shape}; give one value, or one for each of the {rows} edges.")
    return np.broadcast_to(values, rows)


def _texts(name: str, values: Any, rows: int) -> Array:
    found = [values] * rows if isinstance(values, str) else ["" if value is None else str(value) for value in values]
    if len(found) != rows:
        raise GraphError(f"vertices[{name!r}] has {len(found)} texts for {rows} vertices; give one for each.")
    return text_column(found)


def _values(given: Mapping[str, Any], rows: int, domain: tuple[float, float] | None) -> dict[str, Array]:
    """Columns of numbers by name, NaN for usual values."""
    values = {}
    for name in sorted(dag_values() & given.keys()):
        where = f"vertices[{name!r}]"
        found = real_numbers(where, given[name], nan=True, error=GraphError)
        if found.shape not in ((), (rows,)):
            raise GraphError(f"{where} has the shape {found.shape}; give one number for each of the {rows} vertices.")
        values[name] = np.broadcast_to(found, rows)
    if domain is None:
        return values
    if not isinstance(domain, tuple | list) or len(domain) != len(DOMAIN_COLUMNS):
        raise GraphError(f"domain={domain!r} is no interval; give (low, high).")
    for name, end in zip(DOMAIN_COLUMNS, domain, strict=True):
        usual = number(f"domain {name}", end, infinite=True, error=GraphError)
        own = values.get(name, np.full(rows, np.nan))
        values[name] = np.where(np.isnan(own), usual, own)
    return values
