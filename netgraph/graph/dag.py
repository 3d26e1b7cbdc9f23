"""Graphs of plain weighted DAGs, which are given as columns: layers follow from depths, or from names of layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from netgraph.columns import Array, by_value
from netgraph.errors import GraphError
from netgraph.graph.activations import ACTIVATIONS, get_activation
from netgraph.graph.depth import longest_paths
from netgraph.graph.graph import Graph
from netgraph.graph.kinds import Dense
from netgraph.graph.layer import DOMAIN_COLUMNS, Layer, Role, full_columns
from netgraph.graph.link import Link, edge_columns
from netgraph.graph.portable import text_column

ROLES: tuple[Role, ...] = ("input", "hidden", "output")

WHOLE_TEXTS = ("grid", "norm", "pool", "merge", "encoding")
"""Columns of texts of layers that are no sums of numbers; '' stands for nothing of the kind."""

DAG_TEXTS = ("role", "layer", "activation", *WHOLE_TEXTS)
"""Columns of texts that a DAG may have."""

REMEDY_WHOLE = "Write it as GraphML or GEXF, or by `netgraph.save`, and read that."
"""Remedy for a graph that a plain DAG cannot hold."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dag:
    """A plain weighted DAG as columns.

    Attributes:
        names: names of the vertices, for messages; their number is the number of vertices.
        src, dst: rows of the ends of each edge in `names`.
        weight: weight of each edge; its dtype becomes that of the graph.
        texts: columns `DAG_TEXTS` that are given, as arrays of texts; '' for what follows from the edges.
        values: `bias`, `low`, `high`, `fixed_slope` and parameters of activations, NaN for the usual value.
        vertex_ids, edge_ids: ids; None to count up from 0, layer by layer.
        frozen: mask of the frozen edges; None for none.
        nouns: words for a vertex and an edge, for messages.
    """

    names: Sequence[Hashable]
    src: Array
    dst: Array
    weight: Array
    texts: Mapping[str, Array] = field(default_factory=dict)
    values: Mapping[str, Array] = field(default_factory=dict)
    vertex_ids: Array | None = None
    edge_ids: Array | None = None
    frozen: Array | None = None
    nouns: tuple[str, str] = ("vertex", "edge")

    def __post_init__(self) -> None:
        for name in WHOLE_TEXTS:
            for row in np.flatnonzero(self.text(name) != "").tolist():
                raise GraphError(
                    f"{_capital(self.vertex(row))} has the {name} {self.text(name)[row]!r}, which a plain DAG has not. "
                    f"{REMEDY_WHOLE}"
                )

    def text(self, name: str) -> Array:
        """Return a column of texts; '' where it is not given."""
        return self.texts[name] if name in self.texts else text_column([""] * len(self.names))

    def vertex(self, row: int) -> str:
        """Name a vertex in a message."""
        return f"{self.nouns[0]} {self.names[row]!r}"

    def edge(self, row: int) -> str:
        """Name an edge in a message."""
        return f"{self.nouns[1]} {self.names[self.src[row]]!r} -> {self.names[self.dst[row]]!r}"


def dag_values() -> set[str]:
    """Names of the columns of numbers that a DAG may have."""
    return {
        "bias",
        "fixed_slope",
        *DOMAIN_COLUMNS,
        *(name for kind in ACTIVATIONS.values() for name in kind.parameters),
    }


class _DagLayer(NamedTuple):
    """Vertices of one layer: role, smallest depth, activation, first row, name or '', and rows."""

    role: int
    depth: int
    activation: str
    first: int
    name: str
    rows: Array


def graph_of_dag(dag: Dag) -> Graph:
    """Make the graph of a DAG.

    Raises:
        GraphError: for a cycle, an isolated vertex without a role, and values that no graph has; the message names the
            vertex or the edge.

    Cost: O((vertices + edges) log(vertices + edges)).
    """
    _check_finite(dag.weight, "weight", dag.edge, dag.weight.dtype)
    depth, cycle = longest_paths(dag.src, dag.dst, len(dag.names))
    if cycle:
        shown = " -> ".join(
            [*(repr(dag.names[k]) for k in cycle[:8]), *["..."] * (len(cycle) > 8), repr(dag.names[cycle[0]])]
        )
        raise GraphError(f"The {dag.nouns[1]}s form a cycle, {shown}; remove one of them.")
    role = _roles(dag)
    groups = _groups(dag, depth, role, _activations(dag, role))
    layer_of, row_of = np.empty(len(depth), np.int64), np.empty(len(depth), np.int64)
    ids = dag.vertex_ids
    if ids is None:
        ids = np.empty(len(depth), np.int64)
        ids[np.concatenate([g.rows for g in groups] or [np.empty(0, np.int64)])] = np.arange(len(depth))
    layers = []
    for at, (group, name) in enumerate(zip(groups, _names(groups), strict=True)):
        layer_of[group.rows], row_of[group.rows] = at, np.arange(len(group.rows))
        layers.append(_layer(dag, group, at, name, ids[group.rows]))
    return Graph(layers, list(_links(dag, layer_of, row_of, len(groups))))


def _roles(dag: Dag) -> Array:
    """Role of each vertex as its index in `ROLES`: the given one, or the one that its edges give."""
    count, given = len(dag.names), dag.text("role")
    entered, left = (np.bincount(ends, minlength=count) > 0 for ends in (dag.dst, dag.src))
    role = np.where(~entered, 0, np.where(left, 1, 2))
    for row in np.flatnonzero(~entered & ~left & (given == "")).tolist():
        raise GraphError(
            f"{_capital(dag.vertex(row))} is isolated, an input and an output at once; remove it or join it."
        )
    for name in sorted({*given.tolist()} - {"", *ROLES}):
        row = int((given == name).argmax())
        raise GraphError(
            f"{_capital(dag.vertex(row))} has the role {name!r}, which a plain DAG has not. {REMEDY_WHOLE}"
        )
    for at, name in enumerate(ROLES):
        role[given == name] = at
    for row in np.flatnonzero(entered & (role == 0)).tolist():
        raise GraphError(
            f"{_capital(dag.vertex(row))} has the role 'input', but {dag.nouns[1]}s end there; remove them."
        )
    return role


def _activations(dag: Dag, role: Array) -> Array:
    """Name of the activation of each vertex."""
    names = np.where(
        dag.text("activation") == "", np.where(role == 1, "relu", "identity").astype(object), dag.text("activation")
    )
    for row in np.flatnonzero((role == 0) & (names != "identity")).tolist():
        raise GraphError(
            f"{_capital(dag.vertex(row))} is an input, which takes no activation, but asks for {names[row]!r}."
        )
    for name in dict.fromkeys(names.tolist()):
        try:
            get_activation(name)
        except GraphError as error:
            row = int((names == name).argmax())
            raise GraphError(f"{_capital(dag.vertex(row))}: {error}") from None
    return names


def _groups(dag: Dag, depth: Array, role: Array, activation: Array) -> list[_DagLayer]:
    """Vertices of each layer, in the order of layers."""
    layer = dag.text("layer")
    level = np.where((role == 1) & (layer == ""), depth, 0)
    codes = [role, level, *(np.unique(column, return_inverse=True)[1] for column in (layer, activation))]
    _found, of = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    groups = []
    for rows in by_value(of.reshape(-1)).values():
        first = int(rows[0])
        nearest = int(depth[rows].min()) if role[first] == 1 else 0
        groups.append(_DagLayer(int(role[first]), nearest, activation[first], first, layer[first], rows))
    groups.sort(key=lambda group: group[:4])
    if others := sorted(group.activation for group in groups if group.role == 2 and not group.name)[1:]:
        raise GraphError(
            f"Output {dag.nouns[0]}s have different activations, {others[0]!r} among them; give all the same, or name "
            "their layers."
        )
    for name, times in Counter(group.name for group in groups if group.name).items():
        if times > 1:
            raise GraphError(
                f"Layer {name!r} has vertices of several roles or activations; name a layer for each, or leave `layer` "
                "out, and layers follow from the paths."
            )
    return groups


def _names(groups: Sequence[_DagLayer]) -> Iterator[str]:
    alike = Counter((group.role, group.depth) for group in groups if not group.name)
    for group in groups:
        role = ROLES[group.role]
        usual = role if role != "hidden" else f"hidden{group.depth}"
        alone = role != "hidden" or alike[group.role, group.depth] == 1
        yield group.name or (usual if alone else f"{usual}-{group.activation}")


def _layer(dag: Dag, group: _DagLayer, layer_id: int, name: str, ids: Array) -> Layer:
    role, count = ROLES[group.role], len(ids)
    slopes = dag.values["fixed_slope"][group.rows] if "fixed_slope" in dag.values else np.full(count, np.nan)
    slope = {float(x) for x in np.where(np.isnan(slopes), Layer.slope, slopes)}
    if len(slope) > 1:
        raise GraphError(f"Layer {name!r} has the slopes {sorted(slope)}; give all vertices of a layer the same one.")
    layer = Layer(
        layer_id, name, ids, np.zeros(count, np.int32), role=role, activation=group.activation, slope=slope.pop()
    )
    values = full_columns(layer.required_columns(), count, dag.weight.dtype)
    if role != "input":
        values["bias"] = np.zeros(count, dag.weight.dtype)
    for key in values.keys() & dag.values.keys():
        given = dag.values[key][group.rows]
        if key not in DOMAIN_COLUMNS:
            _check_finite(given, key, lambda row: dag.vertex(int(group.rows[row])), dag.weight.dtype, gaps=True)
        values[key] = np.where(np.isnan(given), values[key], given).astype(values[key].dtype)
    return Layer(layer_id, name, ids, layer.birth, values, role, activation=group.activation, slope=layer.slope)


def _links(dag: Dag, layer_of: Array, row_of: Array, layers: int) -> Iterator[Link]:
    source, target = layer_of[dag.src], layer_of[dag.dst]
    for row in np.flatnonzero(source == target).tolist():
        raise GraphError(
            f"The {dag.edge(row)} joins vertices of one layer; name other layers, or leave `layer` out, and layers "
            "follow from the paths."
        )
    ids, first = dag.edge_ids, 0
    for pair, rows in by_value(source * layers + target).items():
        own = np.arange(first, first + len(rows)) if ids is None else ids[rows]
        first += len(rows)
        columns: dict[str, Any] = {
            "id": own,
            "src": row_of[dag.src[rows]],
            "dst": row_of[dag.dst[rows]],
            "weight": dag.weight[rows],
        }
        if dag.frozen is not None:
            columns["frozen"] = dag.frozen[rows]
        yield Link.sorted(*divmod(pair, layers), Dense(), edge_columns(**columns))


def _check_finite(values: Array, name: str, where: Callable[[int], str], dtype: Any, *, gaps: bool = False) -> None:
    """Refuse values that are no finite numbers of a dtype; NaN stands for a usual value where there may be `gaps`."""
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~(np.abs(values) <= np.finfo(dtype).max) & ~(np.isnan(values) if gaps else np.zeros(len(values), bool))
    for row in np.flatnonzero(wrong).tolist():
        raise GraphError(
            f"The {name} of {where(row)} is {values[row].item()!r}; it must be a finite {np.dtype(dtype).name} number."
        )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
