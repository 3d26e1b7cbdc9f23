"""Graphs as Python code that builds them, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import GraphError, OptionError
from netgraph.graph import DOMAIN_COLUMNS, Dense, Graph, Layer, Link, NextIds, Place
from netgraph.testing.merge_code import merge_call

MAX_VERTICES = 200
MAX_EDGES = 2_000
_CLASSES = ("Attend", "Conv2d", "GraphBuilder", "Identity", "Mix", "Place", "Pool", "Product")
_DEFAULTS = Layer(0, "", np.empty(0), np.empty(0))


def to_code(graph: Graph) -> str:
    """Write Python code that builds a graph and assigns it to the name `graph`.

    The built graph `equals` the given one. Ids, births and lineage are arguments of `with_ids` when they differ from
    those of a fresh graph. A graph with columns of both float32 and float64 becomes one of float64 only, with the same
    values; it does not `equals` the given one.

    Raises:
        OptionError: for a graph of more than 200 vertices or 2,000 edges; save it to a file instead.

    Example:
        >>> import netgraph as ng
        >>> print(to_code(ng.mlp([1, 1], bias=False).with_weights([0.5])))
        import numpy as np
        from netgraph import GraphBuilder
        <BLANKLINE>
        b = GraphBuilder(dtype=np.float32)
        b.input('input', 1)
        b.output('output', 1, bias=False)
        b.edges('input', 'output', [0], [0], weight=[0.5])
        graph = b.build()
        <BLANKLINE>
    """
    if graph.num_vertices > MAX_VERTICES or len(graph.edges) > MAX_EDGES:
        raise OptionError(
            f"{graph!r} is too large to be written as code (at most {MAX_VERTICES} vertices and {MAX_EDGES:,} edges); "
            "use netgraph.save(graph, path)."
        )
    dtype = _dtype(graph)
    body = [f"b = GraphBuilder(dtype=np.{dtype.name})", *_statements(graph, dtype)]
    columns = _columns(graph, dtype)
    if columns:
        body += ["graph = b.build().with_weights(vertices={", *(f"    {line}," for line in columns), "})"]
    else:
        body.append("graph = b.build()")
    history = _history(graph)
    if history:
        body += ["graph = with_ids(", "    graph,", *(f"    {word}," for word in history), ")"]
    text = "\n".join(body)
    names = [n for n in _CLASSES if f"{n}(" in text]
    imports = f"import numpy as np\nfrom netgraph import {', '.join(names)}\n"
    imports += "from netgraph.testing import with_ids\n" if history else ""
    return f"{imports}\n{text}\n"


def with_ids(
    graph: Graph,
    *,
    layers: Sequence[int] | None = None,
    vertices: Sequence[int] | None = None,
    edges: Sequence[int] | None = None,
    vertex_births: Sequence[int] | None = None,
    edge_births: Sequence[int] | None = None,
    next_ids: tuple[int, int, int] | None = None,
    rewrites: int = 0,
    lineage: str | None = None,
) -> Graph:
    """Return the graph with other ids, as after rewrites. Such a graph exposes rules that confuse ids with rows.

    Ids and births that are not given stay. All other values that are not given become those of a fresh graph.

    Args:
        graph: the graph.
        layers: ids of the layers in the order of `graph.layers_by_id`, ascending.
        vertices: ids of the vertices in the order of `graph.vertices`.
        edges: ids of the edges in the order of `graph.edges`.
        vertex_births, edge_births: number of the rewrite that made each vertex or edge, in the same order.
        next_ids: ids of the next new layer, vertex and edge; by default one more than the largest in use.
        rewrites: number of rewrites that led to the graph.
        lineage: hash of the history that gave out the ids; by default the hash of a fresh graph.

    Raises:
        GraphError: there are too few or too many ids, an id occurs twice, or ids of layers do not ascend.

    Example:
        >>> import netgraph as ng
        >>> with_ids(ng.mlp([2, 1]), vertices=[0, 5, 4]).vertices.id.tolist()
        [0, 5, 4]
    """
    old = list(graph.layers_by_id)
    new = _as_many("layers", layers, np.array(old))
    if (np.diff(new) <= 0).any():
        raise GraphError(f"layers={new.tolist()} are not ascending, so that layers and their rows would change places.")
    renamed = dict(zip(old, new.tolist(), strict=True))
    at, starts = graph.vertices.offsets[1:-1], graph.edges.offsets[1:-1]
    vertex_id = np.split(_as_many("vertices", vertices, graph.vertices.id), at)
    vertex_birth = np.split(_as_many("vertex_births", vertex_births, graph.vertices.birth), at)
    edge_id = np.split(_as_many("edges", edges, graph.edges.id), starts)
    edge_birth = np.split(_as_many("edge_births", edge_births, graph.edges.birth), starts)
    return Graph(
        [
            replace(layer, id=renamed[layer.id], vertex_ids=ids, birth=birth)
            for layer, ids, birth in zip(graph.layers_by_id.values(), vertex_id, vertex_birth, strict=True)
        ],
        [
            replace(link, source=renamed[link.source], target=renamed[link.target], id=ids, birth=birth)
            for link, ids, birth in zip(graph.links_by_key.values(), edge_id, edge_birth, strict=False)
        ],
        next_ids=None if next_ids is None else NextIds(*next_ids),
        rewrites=rewrites,
        lineage=lineage,
    )


def _as_many(name: str, given: Sequence[int] | None, own: Array) -> Array:
    values = own if given is None else np.asarray(given, dtype=np.int64)
    if values.shape != own.shape:
        raise GraphError(f"{name} has shape {values.shape}, expected {own.shape}, one value each.")
    return values


def compact(graph: Graph) -> Graph:
    """Return the graph with ids of a fresh one: counted from 0, edges link by link in the order of their first ids."""
    first = np.argsort(_by_first_id(graph))  # rank of each link in this order
    edges = np.argsort(np.argsort(first[graph.edges.link], kind="stable"), kind="stable")
    return with_ids(
        graph,
        layers=range(graph.num_layers),
        vertices=range(graph.num_vertices),
        edges=edges.tolist(),
        vertex_births=[0] * graph.num_vertices,
        edge_births=[0] * len(edges),
    )


def _by_first_id(graph: Graph) -> list[int]:
    """Sort positions of links in `graph.links_by_key` by first edge id, so that a fresh graph keeps its ids."""
    links = list(graph.links_by_key.values())
    return sorted(range(len(links)), key=lambda k: int(links[k].id.min()) if len(links[k]) else -1)


def _history(graph: Graph) -> list[str]:
    """Arguments of `with_ids` that turn a fresh graph into this one."""
    fresh = compact(graph)
    result = []
    for name, mine, theirs in (
        ("layers", np.array(list(graph.layers_by_id)), np.array(list(fresh.layers_by_id))),
        ("vertices", graph.vertices.id, fresh.vertices.id),
        ("edges", graph.edges.id, fresh.edges.id),
        ("vertex_births", graph.vertices.birth, fresh.vertices.birth),
        ("edge_births", graph.edges.birth, fresh.edges.birth),
    ):
        if not np.array_equal(mine, theirs):
            result.append(f"{name}={mine.tolist()}")
    usual = Graph(graph.layers_by_id.values(), graph.links_by_key.values())
    if graph.next_ids != usual.next_ids:
        result.append(f"next_ids={tuple(graph.next_ids)}")
    if graph.rewrites:
        result.append(f"rewrites={graph.rewrites}")
    if graph.lineage != usual.lineage:
        result.append(f"lineage={graph.lineage!r}")
    return result


def describe(graph: Graph) -> str:
    """Write the code of a graph, or its size when it is too large for code."""
    try:
        return to_code(graph)
    except OptionError:
        return f"{graph!r} (too large to be written as code)\n"


def _dtype(graph: Graph) -> np.dtype[Any]:
    used = {link.weight.dtype for link in graph.links_by_key.values() if len(link)}
    for layer in graph.layers_by_id.values():
        used |= {v.dtype for name, v in layer.values.items() if name not in DOMAIN_COLUMNS}
    if not used:
        used = {link.weight.dtype for link in graph.links_by_key.values()} or {np.dtype(np.float32)}
    return np.dtype(np.float32) if used == {np.dtype(np.float32)} else np.dtype(np.float64)


def _statements(graph: Graph, dtype: np.dtype[Any]) -> list[str]:
    """Statements that add layers and links: layers first, apart from merges that one call adds with their wires.

    A fresh graph has its layers, and its edges, in the order of the statements.
    """
    all_links = list(graph.links_by_key.values())
    links = [all_links[place] for place in _by_first_id(graph)]
    body: list[str] = []
    written = 0
    for layer in graph.layers_by_id.values():
        call = merge_call(graph, layer)
        mine = [place for place, k in enumerate(links) if k.target == layer.id]
        ready = all(max(k.source, k.target) < layer.id for k in links[written : mine[0]]) if call else False
        if call is None or not ready or mine != [mine[0], mine[0] + 1] or mine[0] < written:
            body.append(_layer(layer))
            continue
        body += [_link(graph, k, dtype) for k in links[written : mine[0]]]
        body.append(call)
        written = mine[1] + 1
    return body + [_link(graph, k, dtype) for k in links[written:]]


def _layer(layer: Layer) -> str:
    if layer.role == "position":
        return f"b.positions({layer.name!r}, {layer.grid!r})"
    words = [repr(layer.name), str(len(layer))]
    if layer.encoding != "values":
        words.append(f"encoding={layer.encoding!r}")
    elif layer.role == "input":
        low, high = (layer.values[name] for name in DOMAIN_COLUMNS)
        if not (np.isneginf(low).all() and np.isposinf(high).all()):
            words.append(f"domain=({_one_or_all(low)}, {_one_or_all(high)})")
    elif layer.role == "hidden" or layer.activation != "identity":
        words.append(f"activation={layer.activation!r}")
    if layer.role != "input" and layer.bias is None:
        words.append("bias=False")
    for name in ("grid", "slope", "norm", "norm_epsilon", "norm_momentum", "pool", "merge"):
        if (layer.role != "input" or name == "grid") and getattr(layer, name) != getattr(_DEFAULTS, name):
            words.append(f"{name}={getattr(layer, name)!r}")
    method = {"input": "input", "hidden": "layer", "output": "output"}[layer.role]
    return f"b.{method}({', '.join(words)})"


def _link(graph: Graph, link: Link, dtype: np.dtype[Any]) -> str:
    ends = f"{graph.layer(link.source).name!r}, {graph.layer(link.target).name!r}"
    if link.kind.wires and _is_full(graph, link):
        if isinstance(link.kind, Place):
            return f"b.place({ends}, {link.kind.offset})"
        words = [ends]
        if link.kind.stride != (1, 1):
            words.append(f"stride={link.kind.stride}")
        return f"b.identity({', '.join(words + _port(link))})"
    words = [ends, str(link.src.tolist()), str(link.dst.tolist())]
    words.append(f"weight={_all(link.weight, dtype)}")
    if link.tap.any():
        words.append(f"tap={link.tap.tolist()}")
    if link.kind != Dense():
        words.append(f"kind={link.kind!r}")
    if link.frozen.any():
        words.append("frozen=True" if link.frozen.all() else f"frozen={link.frozen.tolist()}")
    return f"b.edges({', '.join(words + _port(link))})"


def _port(link: Link) -> list[str]:
    return [f"port={link.port}"] if link.port else []


def _is_full(graph: Graph, link: Link) -> bool:
    n = min(len(graph.layer(link.source)), len(graph.layer(link.target)))
    rows = np.arange(n)
    return bool(np.array_equal(link.src, rows) and np.array_equal(link.dst, rows) and not link.tap.any())


def _columns(graph: Graph, dtype: np.dtype[Any]) -> list[str]:
    """Vertex columns, as code, whose values differ from the start values of the builder."""
    result = []
    names = {name for layer in graph.layers_by_id.values() for name in layer.values} - set(DOMAIN_COLUMNS)
    for name in sorted(names):
        flat = np.zeros(graph.num_vertices)
        start = True
        for i, layer in graph.layers_by_id.items():
            if name in layer.values:
                offset = graph.vertices.offset(i)
                flat[offset : offset + len(layer)] = layer.values[name]
                start = start and bool((layer.values[name] == layer.required_columns().get(name, 0.0)).all())
                start = start and not np.signbit(layer.values[name][layer.values[name] == 0]).any()
        if not start:
            result.append(f"{name!r}: {_all(flat, dtype)}")
    return result


def _one_or_all(values: Array) -> str:
    return _number(values[0], values.dtype) if (values == values[0]).all() else _all(values, values.dtype)


def _all(values: Array, dtype: np.dtype[Any]) -> str:
    if len(values) > 1 and (values == values[0]).all() and (values[0] != 0):
        return f"[{_number(values[0], dtype)}] * {len(values)}" if len(values) > 4 else _listed(values, dtype)
    return _listed(values, dtype)


def _listed(values: Array, dtype: np.dtype[Any]) -> str:
    return "[" + ", ".join(_number(v, dtype) for v in values) + "]"


def _number(value: Any, dtype: np.dtype[Any]) -> str:
    """Shortest text that gives the same number in a dtype."""
    number = float(value)
    if not np.isfinite(number):
        return "np.inf" if number > 0 else "-np.inf"
    short = str(dtype.type(number))
    return short if float(dtype.type(float(short))) == number else repr(number)
