"""Graphs of NetworkX: written from graphs, read back without loss, and read from any plain DAG."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import real_numbers
from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.activations import get_activation
from netgraph.graph.dag import DAG_TEXTS, Dag, dag_values, graph_of_dag
from netgraph.graph.graph import Graph
from netgraph.graph.history import NextIds, stations
from netgraph.graph.kinds import kind_from_json
from netgraph.graph.layer import DOMAIN_COLUMNS, Layer
from netgraph.graph.link import Link, edge_columns
from netgraph.graph.plain import layer_attributes_from_json
from netgraph.graph.portable import FOLD, METADATA, columns_of, text_column, without_value
from netgraph.graph.validate import validate_graph

if TYPE_CHECKING:
    import networkx

_LARGEST = float(np.finfo(np.float32).max)
_ABSENT = object()
_Where = Callable[[int], str]
_LINK_COLUMNS = ("weight", "tap", "birth", "frozen")


def to_networkx(
    graph: Graph, edges: Mapping[str, Array] | None = None, vertices: Mapping[str, Array] | None = None
) -> networkx.MultiDiGraph:
    """Convert to NetworkX: one node per vertex and one arc per edge, keyed by id. `from_networkx` inverts it exactly.

    Nodes have the attributes `layer` (name), `role`, `activation`, `row`, `birth` and all columns of their layer
    (`bias`, `low`, ...); where their layer has them, `grid`, `norm`, `pool`, `merge`, `encoding` and `fixed_slope` too.
    Arcs have `id`, `weight`, `tap`, `birth`, `frozen`, `port` and `kind`. `g.graph["netgraph"]` is a JSON text with the
    attributes of layers, the kinds of links, and the history. The first node has the same text, because GEXF stores no
    attributes of a graph. All values are texts or numbers, so `networkx.write_gexf`, `write_graphml` and
    `node_link_data` accept the result.

    Args:
        graph: the graph.
        edges, vertices: further columns by name, such as statistics, in the order of `graph.edges` and
            `graph.vertices`; NaN gives no attribute.

    Cost: one Python object per vertex and edge. Use it for small graphs.
    """
    import networkx as nx

    columns = columns_of(graph, edges, vertices)
    g = nx.MultiDiGraph()
    g.graph[METADATA] = columns.metadata
    ids = columns.vertices["id"].tolist()
    g.add_nodes_from(zip(ids, _attributes(columns.vertices, len(ids), without=("id",)), strict=True))
    arcs = columns.edges
    ends = ([ids[row] for row in arcs[end].tolist()] for end in ("source", "target"))
    keys = arcs["id"].tolist()
    g.add_edges_from(zip(*ends, keys, _attributes(arcs, len(keys), without=("source", "target")), strict=True))
    g.nodes[ids[0]][METADATA] = columns.metadata
    return g


def _attributes(columns: Mapping[str, Array], rows: int, without: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the attributes of each row, those without a value left out."""
    names = [name for name in columns if name not in without]
    gaps = [without_value(columns[name]) for name in names]
    values = [
        columns[name].tolist()
        if not gap.any()
        else [None if m else v for v, m in zip(columns[name].tolist(), gap.tolist(), strict=True)]
        for name, gap in zip(names, gaps, strict=True)
    ]
    for row in zip(*values, strict=True) if values else repeat((), rows):
        yield {name: value for name, value in zip(names, row, strict=True) if value is not None}


def from_networkx(g: networkx.DiGraph) -> Graph:
    """Read a graph that `to_networkx` wrote, or any directed acyclic graph whose arcs have numbers as `weight`.

    A graph of `to_networkx` may have been stored in a GEXF or GraphML file, which turns node ids into texts.

    In a plain DAG, nodes without predecessors become one input layer with an unbounded domain, and nodes without
    successors become one output layer, both in the order of insertion. All other nodes with the same length of the
    longest path from an input and the same node attribute `activation` ("relu" by default) become one layer. The
    activation of outputs is "identity" by default and must be the same for all of them. The node attribute `bias` is
    used where present, `low` and `high` of inputs and the parameters of the activation too. The weight of an arc is 1
    by default. Where nodes have a `role` or the name of a `layer`, these decide in place of the arcs.

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
        values = json.loads(metadata) if isinstance(metadata, str) else metadata
        if FOLD in values:
            raise GraphError(
                f"The attribute {where} says that this is a picture of {values[FOLD]}, without "
                "vertices and edges; write the graph again without fold."
            )
        return _from_metadata(g, values, where)
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
        ids = [_number_of(g.nodes[node].get("id", node)) for node in nodes]
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
    """Make the graph of a plain DAG, with weights in float32."""
    names = list(g)
    nodes: list[Mapping[str, Any]] = [g.nodes[name] for name in names]
    arcs = list(g.edges(data=True))
    place = {name: row for row, name in enumerate(names)}
    there = {key for data in nodes for key in data}

    def node(row: int) -> str:
        return f"node {names[row]!r}"

    def arc(row: int) -> str:
        return f"arc {arcs[row][0]!r} -> {arcs[row][1]!r}"

    weights = _numbers((data.get("weight", 1.0) for _a, _b, data in arcs), "weight", arc)
    return graph_of_dag(
        Dag(
            names=names,
            src=np.array([place[a] for a, _b, _data in arcs], np.int64),
            dst=np.array([place[b] for _a, b, _data in arcs], np.int64),
            weight=weights.astype(np.float32),
            texts={name: text_column(_texts(nodes, name, node)) for name in DAG_TEXTS if name in there},
            values={
                name: _numbers((data.get(name, _ABSENT) for data in nodes), name, node) for name in dag_values() & there
            },
            nouns=("node", "arc"),
        )
    )


def _texts(nodes: Iterable[Mapping[str, Any]], name: str, where: _Where) -> Iterator[str]:
    """Yield an attribute of each node as a text; '' where it is absent."""
    for row, data in enumerate(nodes):
        value = data.get(name, "")
        if name == "activation" and name in data:
            try:
                value = get_activation(value).name
            except (GraphError, TypeError) as error:
                raise GraphError(f"N{where(row)[1:]}: {error}") from None
        yield str(value)


def _numbers(values: Iterable[Any], name: str, where: _Where) -> Array:
    """Convert values to a float64 column, with NaN where they are absent.

    Raises `GraphError` for a value that is not a finite number of float32; ends of domains may be infinite.
    """
    most = np.inf if name in DOMAIN_COLUMNS else _LARGEST
    found = []
    for row, value in enumerate(values):
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if value is not _ABSENT and not (number and abs(value) <= most):
            raise GraphError(f"The {name} of {where(row)} is {value!r}; it must be a finite float32 number.")
        found.append(np.nan if value is _ABSENT else value)
    return np.array(found, np.float64)
