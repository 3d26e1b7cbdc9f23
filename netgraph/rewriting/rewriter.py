"""The rewriter: the only thing that changes a graph. It buffers edits and commits them all or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import flag, number, real_numbers, truth_values, whole, whole_numbers
from netgraph.columns import Array, IdIndex, by_value, column
from netgraph.errors import RewriteError
from netgraph.graph import (
    Dense,
    Grid,
    Layer,
    Link,
    LinkKey,
    LinkKind,
    full_columns,
    get_activation,
    required_columns,
)
from netgraph.rewriting.commit import apply_delta
from netgraph.rewriting.delta import Delta, LayerRecord
from netgraph.rewriting.edits import EditBuffer
from netgraph.rewriting.operands import (
    Draw,
    NewVertices,
    Vertices,
    check_edges,
    check_kind,
    check_layer,
    check_removable,
    check_vertices,
    edges_given,
    ids_by_layer,
    layers_of,
    one_or_per_row,
    port_given,
    vertices_given,
    vertices_in,
)
from netgraph.rewriting.patterns import EdgeRows, VertexRows
from netgraph.rewriting.splitting import check_split, share_edges
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph


class Rewriter:
    """Buffers edits of one graph. A rule receives it; `apply` commits it.

    Primitives: `add_layer`, `add_vertices`, `split_vertices`, `connect` and `connect_all` add; `remove` takes edges,
    vertices, a layer or a link away; `set_weight`, `set_values`, `set_bias`, `set_activation` and `freeze` change.
    They take what the pattern has bound, and `vertices` and `edges` choose others.
    Ids are given out at once, so what is new can be connected before it exists. Nothing is visible in the
    graph until the commit, and an error anywhere leaves the graph as it was.

    Of two calls that set the same value the later one counts. Within one call a row may be named twice only with the
    same value, and what a rewrite removes it may neither change nor connect, before or after: one of the two edits
    would be lost, so both are refused.

    Args:
        graph: the graph to rewrite.
        rng: source of random initial values, for a rule as `rw.rng`.
        stats: statistics of the graph, for a rule as `rw.stats`; without any these are empty, so that asking for a
            column of them raises `StatisticsError`.
    """

    def __init__(self, graph: Graph, rng: np.random.Generator, stats: Statistics | None = None) -> None:
        self.graph = graph
        self.rng = rng
        self.stats = Statistics(graph.topology_hash) if stats is None else stats
        self._buffer = EditBuffer(graph)

    # -- choosing ---------------------------------------------------------------------------------

    def vertices(self, layers: Any = None, *, ids: Any = None, rows: Any = None) -> VertexRows:
        """Vertices of the graph, in the match or not, to be connected, split, changed or removed.

        Give one of the three. What this rewrite has added is not among them.

        Args:
            layers: all vertices of a layer or of several, in this order: a name, a `Layer`, a list of these, or the
                layers that a pattern has bound.
            ids: vertices by id, as in `m.v.id` or `graph.edges.source`.
            rows: vertices by flat row in `graph.vertices`, as in `m.v.rows` or `graph.edges.source_row`, or one boolean
                per vertex of the graph.

        Raises:
            RewriteError: when there is no such row, or something else is given.
            GraphError: naming the layer or the id that is not in the graph.
        """
        return vertices_given(self.graph, layers, ids, rows)

    def edges(self, *, ids: Any = None, rows: Any = None) -> EdgeRows:
        """Edges of the graph, in the match or not, wires included, to be changed or removed.

        Args:
            ids: edges by id.
            rows: edges by row in `graph.edges`, or one boolean per edge of the graph.

        Raises:
            RewriteError: when an id or a row is not in the graph, or not exactly one of the two is given.
        """
        return edges_given(self.graph, ids, rows)

    # -- adding -----------------------------------------------------------------------------------

    def add_layer(
        self,
        size: int,
        *,
        activation: str = "relu",
        name: str = "layer",
        bias: bool = True,
        grid: Grid = (),
        norm: str = "none",
        dtype: Any = None,
        values: Mapping[str, Any] | None = None,
        **attributes: Any,
    ) -> NewVertices:
        """Add a hidden layer of `size` vertices, bias 0, norm and activation at their starting values.

        The layer's id is put behind `name`, and a number as well where that name is taken. Columns have the dtype of
        the graph's weights unless `dtype` says otherwise; `values` sets vertex columns, one value or one per vertex.
        Further attributes as in `Layer`.
        """
        size = whole(f"add_layer({name!r}): size", size, error=RewriteError)
        if size < 1:
            raise RewriteError(f"A new layer {name!r} of size {size} is refused; a layer needs at least one vertex.")
        layer_id = self._buffer.take_layer_id()
        unique = self._buffer.free_name(f"{name}-{layer_id}")
        layer = Layer(layer_id, unique, np.empty(0), np.empty(0), activation=activation, norm=norm,
                      grid=grid, **attributes)  # fmt: skip
        columns = full_columns(
            {**layer.required_columns(), **({"bias": 0.0} if bias else {})}, 0, dtype or self._buffer.weight_dtype()
        )
        record = LayerRecord(layer_id, layer.attributes, {k: v.dtype.str for k, v in columns.items()})
        self._buffer.add_layer(record)
        return self._new_vertices(record, size, layer.output_grid, values)

    def add_vertices(self, layer: Layer, count: int, **values: Any) -> NewVertices:
        """Append `count` vertices to a hidden layer; `values` set vertex columns, others start as usual."""
        check_layer("add_vertices", layer)
        if layer.role != "hidden":
            raise RewriteError(f"Layer {layer.name!r} is an {layer.role} layer; only hidden layers may be widened.")
        count = whole("add_vertices(): count", count, error=RewriteError)
        if count < 1:
            raise RewriteError(f"Adding {count} vertices to layer {layer.name!r} is refused; add at least one.")
        return self._new_vertices(self._buffer.layer(layer.id), count, layer.output_grid, values)

    def _copies(self, vertices: VertexRows, parts: Array) -> tuple[Array, dict[int, NewVertices]]:
        """(vertices of the graph,) id of the first copy of each, and the copies by layer id."""
        first_copy = np.full(len(self.graph.vertices), -1, dtype=np.int64)
        by_layer = {}
        for layer_id, mine in by_value(vertices.layer).items():
            layer, rows, extra = self.graph.layer(layer_id), vertices.rows[mine], parts[mine] - 1
            if not extra.any():
                continue
            origin = np.repeat(rows, extra) - self.graph.vertices.offset(layer_id)
            values = {name: column[origin] for name, column in layer.values.items()}
            new = self.add_vertices(layer, len(origin), **values)
            first_copy[rows] = new.id[0] + np.cumsum(extra) - extra
            by_layer[layer_id] = new
        return first_copy, by_layer

    def _new_vertices(
        self, record: LayerRecord, count: int, grid: Grid, values: Mapping[str, Any] | None = None
    ) -> NewVertices:
        kind = record.attributes
        start = required_columns(kind["role"], kind["norm"], kind["activation"])
        if "bias" in record.columns:
            start["bias"] = 0.0
        if unknown := set(values or {}) - set(start):
            raise RewriteError(
                f"Layer {kind['name']!r} has no vertex columns {sorted(unknown)}; it has {sorted(start)}."
            )
        columns = {name: self._draw(v, count) for name, v in {**start, **(values or {})}.items()}
        ids = self._buffer.add_vertices(record.id, count, columns)
        return NewVertices(ids, record.id, grid)

    def split_vertices(self, vertices: VertexRows, parts: Any = 2, *, noise: float = 0.0) -> dict[int, NewVertices]:
        """Split hidden vertices, each into itself and copies; the function stays (Net2Net, Chen et al. 2016, 3.1).

        A copy has the vertex columns and the incoming edges of its vertex, at every port and tap. The weight of every
        outgoing edge is divided among vertex and copies, equally where its quotient can be stored and otherwise to the
        last bit of the weight, so that the shares add up to it exactly. Edges are copied as the graph has them,
        without what this rewrite has set or added; edges that it has removed are left out. Vertices that edges join
        are split in one call.

        Args:
            vertices: hidden vertices, each once, neither under layer norm nor touched by identity wires.
            parts: into how many vertices, at least 1, one number or one per row.
            noise: copies get up to this part less than their share, at random and edge by edge, and the vertex
                itself gets it, so that training can tell them apart; from 0 to 1.

        Returns:
            The copies by layer id, of each layer in the order of `vertices`.
        """
        check_vertices("split_vertices", "vertices", vertices, self.graph, new=False)
        parts = one_or_per_row(
            "parts", whole_numbers("split_vertices(): parts", parts, error=RewriteError), len(vertices)
        )
        check_split(vertices, parts, noise)
        self._buffer.use_vertices("is split", vertices.rows)
        first_copy, by_layer = self._copies(vertices, parts)
        shares = share_edges(vertices, parts, self._buffer.edges_left(), Draw(0.0, noise, self.rng).sample)
        self._buffer.split_edges(np.unique(shares.edge))
        edges = self.graph.edges
        changed = shares.take(shares.kept & (shares.among > 1))
        self.set_weight(EdgeRows(self.graph, changed.edge), changed.weight)
        new = shares.take(~shares.kept)
        source, target = (
            np.where(which == 0, ids[new.edge], first_copy[rows[new.edge]] + which - 1)
            for which, ids, rows in (
                (new.source, edges.source, edges.source_row),
                (new.target, edges.target, edges.target_row),
            )
        )
        layer = self.graph.vertices.layer
        for port, mine in by_value(edges.port[new.edge]).items():
            e = new.edge[mine]
            self._buffer.add_edges(
                source=source[mine], source_layer=layer[edges.source_row[e]], target=target[mine],
                target_layer=layer[edges.target_row[e]], tap=edges.tap[e], weight=new.weight[mine], kind=None,
                port=port, frozen=edges.frozen[e],
            )  # fmt: skip
        return by_layer

    def connect(
        self,
        src: Vertices,
        dst: Vertices,
        *,
        weight: Any,
        tap: Any = 0,
        kind: LinkKind | None = None,
        port: int = 0,
        frozen: Any = False,
    ) -> None:
        """Add one edge per row of `src` and `dst`. Links that are missing are made, of `kind` (Dense by default).

        Args:
            src, dst: vertices, equally many.
            weight, tap, frozen: one value, or one per row; a weight may be a `Draw`.
            kind: kind of the links; of one that exists it must be the same.
        """
        self._check_ends("connect", src, dst, kind)
        if len(src) != len(dst):
            raise RewriteError(f"connect() joins row by row: {len(src)} sources and {len(dst)} targets do not pair up.")
        n = len(src)
        taps = one_or_per_row("tap", whole_numbers("connect(): tap", tap, dtype=np.int32, error=RewriteError), n)
        self._buffer.add_edges(
            source=src.id, source_layer=layers_of(src), target=dst.id, target_layer=layers_of(dst),
            tap=taps, weight=self._draw(weight, n), kind=kind, port=port_given("connect", port),
            frozen=one_or_per_row("frozen", truth_values("connect(): frozen", frozen, error=RewriteError), n),
        )  # fmt: skip

    def connect_all(
        self,
        src: Vertices,
        dst: Vertices,
        *,
        weight: Any,
        kind: LinkKind | None = None,
        port: int = 0,
    ) -> int:
        """Add every missing edge from `src` to `dst`, at every tap, and return how many. O(|src| * |dst| * taps)."""
        self._check_ends("connect_all", src, dst, kind)
        count, port = 0, port_given("connect_all", port)
        for s_ids, s_layer in ids_by_layer(src):
            for d_ids, d_layer in ids_by_layer(dst):
                link = self.graph.link((s_layer, d_layer, port))
                taps = (kind or (link.kind if link else Dense())).taps
                s, d, t = self._missing(s_ids, d_ids, (s_layer, d_layer, port), taps)
                self._buffer.add_edges(
                    source=s, source_layer=np.full(len(s), s_layer), target=d, target_layer=np.full(len(s), d_layer),
                    tap=t, weight=self._draw(weight, len(s)), kind=kind, port=port, frozen=False,
                )  # fmt: skip
                count += len(s)
        return count

    def _check_ends(self, edit: str, src: Any, dst: Any, kind: Any) -> None:
        check_kind(edit, kind)
        for name, value in (("src", src), ("dst", dst)):
            check_vertices(edit, name, value, self.graph)

    def _missing(self, src: Array, dst: Array, key: LinkKey, taps: int) -> tuple[Array, Array, Array]:
        """Source id, target id and tap of the absent edges between two sets of vertices of one link."""
        absent = np.ones((len(dst), len(src), taps), dtype=bool)
        sources, targets = IdIndex(src), IdIndex(dst)
        for have_src, have_dst, have_tap in self._buffer.edges_between(key):
            s, d = sources.find(have_src), targets.find(have_dst)
            inside = (s >= 0) & (d >= 0)
            absent[d[inside], s[inside], have_tap[inside]] = False
        d, s, t = np.nonzero(absent)
        return src[s], dst[d], t

    # -- removing ---------------------------------------------------------------------------------

    def remove(self, what: EdgeRows | VertexRows | Layer | Link) -> None:
        """Remove edges; vertices, or a layer, together with all their edges; or a link, empty or not.

        A link that loses its last edge and a layer that loses its last vertex go as well.
        """
        check_removable(what, self.graph)
        if isinstance(what, EdgeRows):
            self._buffer.remove_edges(what.rows)
            return
        if isinstance(what, Link):
            if self.graph.link(what.key) is not what:
                raise RewriteError(f"{what!r} is not a link of this graph; take it from graph.links.")
            self._buffer.remove_link(what.key)
            return
        rows = (vertices_in(self.graph, what) if isinstance(what, Layer) else what).rows
        if isinstance(what, Layer):
            self._buffer.remove_layer(what.id)
        for layer_id in np.unique(self.graph.vertices.layer[rows]):
            layer = self.graph.layer(int(layer_id))
            if layer.role != "hidden":
                raise RewriteError(f"Vertices of the {layer.role} layer {layer.name!r} cannot be removed.")
        gone = np.zeros(len(self.graph.vertices), dtype=bool)
        gone[rows] = True
        edges = self.graph.edges
        self._buffer.remove_edges(np.flatnonzero(gone[edges.source_row] | gone[edges.target_row]))
        self._buffer.remove_vertices(rows)

    # -- changing ---------------------------------------------------------------------------------

    def set_weight(self, edges: EdgeRows, weight: Any) -> None:
        """Give edges other weights, one value or one per row."""
        check_edges("set_weight", "edges", edges, self.graph)
        if self.graph.edges.wired[edges.rows].any():
            raise RewriteError("Wires of an Identity link have weight 1; their weight cannot be set.")
        self._buffer.change_edges("weight", edges, self._draw(weight, len(edges)))

    def freeze(self, edges: EdgeRows, frozen: bool = True) -> None:
        """Freeze edges, so that training leaves them alone, or thaw them."""
        check_edges("freeze", "edges", edges, self.graph)
        self._buffer.change_edges(
            "frozen", edges, np.full(len(edges), float(flag("freeze(): frozen", frozen, error=RewriteError)))
        )

    def set_values(self, vertices: VertexRows, column: str, values: Any) -> None:
        """Set a vertex column such as `bias` or `scale`, one value or one per row."""
        check_vertices("set_values", "vertices", vertices, self.graph, new=False)
        for layer_id in np.unique(vertices.layer):
            layer = self.graph.layer(int(layer_id))
            if column not in self._buffer.layer(layer.id).columns or layer.role == "input":
                raise RewriteError(f"Layer {layer.name!r} has no vertex column {column!r} that could be set.")
        self._buffer.change_vertices(column, vertices, self._draw(values, len(vertices)))

    def set_bias(self, vertices: VertexRows, bias: Any) -> None:
        """Set biases, one value or one per row."""
        check_vertices("set_bias", "vertices", vertices, self.graph, new=False)
        self.set_values(vertices, "bias", bias)

    def set_activation(self, layer: Layer, activation: str, **attributes: Any) -> None:
        """Give a layer another activation; its vertex parameters start at their usual values."""
        check_layer("set_activation", layer)
        old = get_activation(self._buffer.layer(layer.id).attributes["activation"])
        new = get_activation(activation)
        self._buffer.change_layer(layer, {"activation": activation, **attributes}, old.parameters, new.parameters)

    def uniform(self, low: float, high: float) -> Draw:
        """A weight drawn uniformly from [low, high), one value per edge that it is used for."""
        low, high = (
            number(f"uniform(): {name}", end, error=RewriteError) for name, end in (("low", low), ("high", high))
        )
        if not 0 <= high - low < np.inf:
            raise RewriteError(f"uniform(): low={low} and high={high} are no interval that can be drawn from.")
        return Draw(low, high, self.rng)

    def _draw(self, value: Any, n: int) -> Array:
        if isinstance(value, Draw):
            return one_or_per_row("value", value.sample(n), n)
        # A caller may reuse its own array.
        values = column(real_numbers("value", value, nan=True, error=RewriteError), None)
        return one_or_per_row("value", values, n)

    # -- the end ----------------------------------------------------------------------------------

    def delta(self) -> Delta:
        """The buffered edits as a delta whose `after` topology is still to be filled in."""
        return self._buffer.to_delta()

    def commit(self) -> tuple[Graph, Delta]:
        """Make the new graph, or raise `RewriteError` and leave the old one as it was.

        Edits that change nothing give the old graph itself and an empty delta: no rewrite took place.
        """
        delta = self.delta()
        return (self.graph, Delta.nothing(self.graph)) if delta.is_empty else apply_delta(self.graph, delta)
