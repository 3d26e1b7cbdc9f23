"""Conversion of graphs to NetworkX and back, and of plain weighted DAGs to graphs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import real_numbers
from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.activations import get_activation
from netgraph.graph.graph import Graph
from netgraph.graph.history import NextIds, kept_rows, stations
from netgraph.graph.kinds import Dense, kind_from_json, kind_to_json
from netgraph.graph.layer import Layer, Role, full_columns
from netgraph.graph.link import Link, edge_columns
from netgraph.graph.plain import layer_attributes_from_json, layer_attributes_to_json
from netgraph.graph.validate import validate_graph

if TYPE_CHECKING:
    import networkx

METADATA = "netgraph"
"""Attribute with the JSON text of all data that belongs to no single vertex or edge."""

_LARGEST = float(np.finfo(np.float32).max)
_LINK_COLUMNS = ("weight", "tap", "birth", "frozen")


def to_networkx(graph: Graph) -> networkx.MultiDiGraph:
    """Convert to NetworkX: one node per vertex and one arc per edge, keyed by id. `from_networkx` inverts it exactly.

    Nodes have the attributes `layer` (name), `role`, `activation`, `row`, `birth` and all columns of their layer
    (`bias`, `low`, ...). Arcs have `id`, `weight`, `tap`, `birth`, `frozen` and `port`. `g.graph["netgraph"]` is a JSON
    text with the attributes of layers, the kinds of links, and the history. The first node has the same text, because
    GEXF stores no attributes of a graph. All values are texts or numbers, so `networkx.write_gexf`, `write_graphml`
    and `node_link_data` accept the result.

    Cost: one Python object per vertex and edge. Use it for small graphs.
    """
    import networkx as nx

    g = nx.MultiDiGraph()
    layers, links = graph.layers_by_id.values(), graph.links_by_key.values()
    metadata = {
        "next_ids": list(graph.next_ids),
        "lineage": graph.lineage,
        "rewrites": graph.rewrites,
        "past": kept_rows(graph.past),
        "layers": [
            {
                "id": x.id,
                "columns": {name: values.dtype.str for name, values in x.values.items()},
                **layer_attributes_to_json(x.attributes),
            }
            for x in layers
        ],
        "links": [{"key": list(k.key), "dtype": k.weight.dtype.str, "kind": kind_to_json(k.kind)} for k in links],
    }
    g.graph[METADATA] = json.dumps(metadata)
    for x in layers:
        of_layer = {"layer": x.name, "role": x.role, "activation": x.activation}
        columns = {"birth": x.birth.tolist(), **{name: values.tolist() for name, values in x.values.items()}}
        for row, vertex in enumerate(x.vertex_ids.tolist()):
            g.add_node(vertex, **of_layer, row=row, **{name: values[row] for name, values in columns.items()})
    for k in links:
        source, target = (graph.layer(i).vertex_ids for i in (k.source, k.target))
        ends = zip(source[k.src].tolist(), target[k.dst].tolist(), k.id.tolist(), strict=True)
        values = zip(*(getattr(k, name).tolist() for name in _LINK_COLUMNS), strict=True)
        for (a, b, edge), row_values in zip(ends, values, strict=True):
            g.add_edge(a, b, key=edge, id=edge, port=k.port, **dict(zip(_LINK_COLUMNS, row_values, strict=True)))
    g.nodes[next(iter(g))][METADATA] = g.graph[METADATA]
    return g


def from_networkx(g: networkx.DiGraph) -> Graph:
    """Read a graph that `to_networkx` wrote, or any directed acyclic graph whose arcs have numbers as `weight`.

    A graph of `to_networkx` may have been stored in a GEXF or GraphML file, which turns node ids into texts.

    In a plain DAG, nodes without predecessors become one input layer with an unbounded domain, and nodes without
    successors become one output layer, both in the order of insertion. All other nodes with the same length of the
    longest path from an input and the same node attribute `activation` ("relu" by default) become one layer. The
    activation of outputs is "identity" by default and must be the same for all of them. The node attribute `bias` is
    used where present. The weight of an arc is 1 by default.

    Raises:
        GraphError: when a node or arc is wrong, and for a cycle or an isolated node; the message names it.
    """
    if not g.is_directed():
        raise GraphError(f"{type(g).__name__} has no directions; give a DiGraph or a MultiDiGraph.")
    where, metadata = _metadata(g)
    if metadata is None:
        return _from_plain(g)
    try:
        # Pickled exports of version 0.1.0 hold the metadata as values, not as a JSON text.
        return _from_metadata(g, json.loads(metadata) if isinstance(metadata, str) else metadata, where)
    except GraphError:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise GraphError(
            f"The attribute {where} does not fit the nodes and arcs ({error!r}); "
            f"delete {METADATA!r} from the graph and from its nodes to read it as a plain DAG."
        ) from error


# -- graphs that to_networkx wrote ----------------------------------------------------------------


def _metadata(g: networkx.DiGraph) -> tuple[str, Any]:
    """Find the metadata; return its location, for messages, and its value. The value is None in a plain DAG."""
    if METADATA in g.graph:
        return f"g.graph[{METADATA!r}]", g.graph[METADATA]
    held = (
        (f"g.nodes[{node!r}][{METADATA!r}]", data[METADATA]) for node, data in g.nodes(data=True) if METADATA in data
    )
    return next(held, ("", None))


def _from_metadata(g: networkx.DiGraph, meta: Mapping[str, Any], where: str) -> Graph:
    members: dict[str, list[tuple[int, Hashable]]] = defaultdict(list)
    for node, data in g.nodes(data=True):
        members[data["layer"]].append((data["row"], node))
    layers, place = [], {}
    for entry in meta["layers"]:
        nodes = [node for _row, node in sorted(members.pop(entry["name"], []))]
        place.update({node: (entry["id"], row) for row, node in enumerate(nodes)})
        columns = {
            name: real_numbers(
                f"nodes of layer {entry['name']!r}: {name}",
                [g.nodes[node][name] for node in nodes],
                dtype=dtype,
                infinite=True,
                error=GraphError,
            )
            for name, dtype in entry["columns"].items()
        }
        birth = [g.nodes[node]["birth"] for node in nodes]
        ids = [_number_of(node) for node in nodes]
        layers.append(
            Layer(entry["id"], vertex_ids=ids, birth=birth, values=columns,  # type: ignore[arg-type]
                  **layer_attributes_from_json(entry))
        )  # fmt: skip
    if members:
        raise GraphError(f"Nodes name the layers {sorted(members)}, which {where} does not list.")
    rows: dict[tuple[int, int, int], list[tuple[Any, ...]]] = defaultdict(list)
    for a, b, key, data in g.edges(keys=True, data=True) if g.is_multigraph() else _keyed(g):
        (source, src), (target, dst) = place[a], place[b]
        edge = _number_of(data.get("id", key))
        rows[source, target, data["port"]].append((edge, src, dst, *(data[name] for name in _LINK_COLUMNS)))
    links = []
    for entry in meta["links"]:
        source, target, port = entry["key"]
        found = rows.pop((source, target, port), [])
        names = ("id", "src", "dst", *_LINK_COLUMNS)
        given: dict[str, Any] = {name: [row[i] for row in found] for i, name in enumerate(names)}
        given["weight"] = real_numbers("weight", given["weight"], dtype=entry["dtype"], error=GraphError)
        links.append(Link.sorted(source, target, kind_from_json(entry["kind"]), edge_columns(**given), port))
    if rows:
        raise GraphError(f"Arcs belong to the links {sorted(rows)}, which {where} does not list.")
    next_ids = NextIds(*meta["next_ids"])
    graph = Graph(layers, links, next_ids=next_ids, lineage=meta["lineage"], rewrites=meta["rewrites"],
                  past=stations(meta.get("past", ())), validate=False)  # fmt: skip
    validate_graph(graph, layers, links)
    return graph


def _keyed(g: networkx.DiGraph) -> Iterator[tuple[Hashable, Hashable, None, dict[str, Any]]]:
    """Yield arcs of a graph without keys, with None as key.

    NetworkX reads a file as such a graph when no two arcs have the same ends.
    """
    for a, b, data in g.edges(data=True):
        yield a, b, None, data


def _number_of(name: Any) -> Any:
    """Convert a node or an arc id that a file turned into a text back to a number."""
    return int(name) if isinstance(name, str) else name


# -- a plain DAG ----------------------------------------------------------------------------------


def _from_plain(g: networkx.DiGraph) -> Graph:
    depth = _depths(g)
    members: dict[tuple[Role, int, str], list[Hashable]] = {}
    for node in g:
        has_in, has_out = g.in_degree(node) > 0, g.out_degree(node) > 0
        if not has_in and not has_out:
            raise GraphError(f"Node {node!r} is isolated, an input and an output at once; remove it or join it.")
        role: Role = "input" if not has_in else "hidden" if has_out else "output"
        activation = _activation(g, node, role)
        key = (role, depth[node] if role == "hidden" else 0, activation)
        members.setdefault(key, []).append(node)
    if activations := sorted(a for role, _depth, a in members if role == "output")[1:]:
        raise GraphError(f"Output nodes have different activations, {activations[0]!r} among them; give all the same.")
    order = {"input": 0, "hidden": 1, "output": 2}
    layers: list[Layer] = []
    place: dict[Hashable, tuple[int, int]] = {}
    for role, level, activation in sorted(members, key=lambda key: (order[key[0]], key[1], key[2])):
        nodes = members[role, level, activation]
        place.update({node: (len(layers), row) for row, node in enumerate(nodes)})
        layers.append(_plain_layer(g, nodes, len(layers), len(place) - len(nodes), role, level, activation, members))
    return Graph(layers, _plain_links(g, place))


def _plain_layer(
    g: networkx.DiGraph,
    nodes: list[Hashable],
    layer_id: int,
    first_vertex: int,
    role: Role,
    level: int,
    activation: str,
    members: Mapping[tuple[Role, int, str], Any],
) -> Layer:
    alone = sum((r, lv) == (role, level) for r, lv, _a in members) == 1
    name = role if role != "hidden" else f"hidden{level}" if alone else f"hidden{level}-{activation}"
    ids = np.arange(first_vertex, first_vertex + len(nodes))
    layer = Layer(layer_id, name, ids, np.zeros(len(nodes), np.int32), role=role, activation=activation)
    values = full_columns(layer.required_columns(), len(nodes))
    if role != "input":
        values["bias"] = _numbers([(f"node {n!r}", "bias", g.nodes[n].get("bias", 0.0)) for n in nodes])
    return Layer(layer_id, name, ids, np.zeros(len(nodes), np.int32), values, role, activation=activation)


def _plain_links(g: networkx.DiGraph, place: Mapping[Hashable, tuple[int, int]]) -> list[Link]:
    rows: dict[tuple[int, int], list[tuple[int, int, Any]]] = defaultdict(list)
    for a, b, data in g.edges(data=True):
        (source, src), (target, dst) = place[a], place[b]
        rows[source, target].append((src, dst, (f"arc {a!r} -> {b!r}", "weight", data.get("weight", 1.0))))
    links, next_edge = [], 0
    for (source, target), found in sorted(rows.items(), key=lambda item: item[0]):
        ids = np.arange(next_edge, next_edge + len(found))
        next_edge += len(found)
        rows_from, rows_to = (np.array([row[i] for row in found]) for i in (0, 1))
        columns = edge_columns(id=ids, src=rows_from, dst=rows_to, weight=_numbers([row[2] for row in found]))
        links.append(Link.sorted(source, target, Dense(), columns))
    return links


def _depths(g: networkx.DiGraph) -> dict[Hashable, int]:
    """Compute the length of the longest path from an input to each node. Raises `GraphError` that shows a cycle."""
    import networkx as nx

    depth: dict[Hashable, int] = {}
    try:
        for node in nx.topological_sort(g):
            depth[node] = max((depth[before] + 1 for before in g.predecessors(node)), default=0)
    except nx.NetworkXUnfeasible:
        cycle = [arc[0] for arc in nx.find_cycle(g)]
        shown = " -> ".join(repr(node) for node in [*cycle[:8], cycle[0]])
        raise GraphError(f"The arcs form a cycle, {shown}; remove one of them.") from None
    return depth


def _activation(g: networkx.DiGraph, node: Hashable, role: Role) -> str:
    name = g.nodes[node].get("activation", "relu" if role == "hidden" else "identity")
    if role == "input" and name != "identity":
        raise GraphError(f"Node {node!r} is an input, which takes no activation, but asks for {name!r}.")
    try:
        return get_activation(name).name
    except (GraphError, TypeError) as error:
        raise GraphError(f"Node {node!r}: {error}") from None


def _numbers(values: list[tuple[str, str, Any]]) -> Array:
    """Convert the values of `(place, name, value)` rows to a float32 column.

    Raises `GraphError` for a value that is not a finite number; the message has its place and its name.
    """
    for where, name, value in values:
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if not (number and abs(value) <= _LARGEST):
            raise GraphError(f"The {name} of {where} is {value!r}; it must be a finite float32 number.")
    return np.array([value for _where, _name, value in values], dtype=np.float32)
