"""The rewriter: buffers edits of a graph and commits all or none of them. Rules change a graph only through it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import flag, number, real_numbers, truth_values, whole, whole_numbers
from netgraph.columns import Array, column
from netgraph.errors import RewriteError
from netgraph.graph import (
    Dense,
    Grid,
    Layer,
    Link,
    LinkKind,
    Merge,
    full_columns,
    get_activation,
    get_norm,
    required_columns,
)
from netgraph.rewriting.commit import apply_delta, refuse_summed_ports
from netgraph.rewriting.delta import Delta, LayerRecord
from netgraph.rewriting.edits import EditBuffer
from netgraph.rewriting.operands import (
    Draw,
    NewVertices,
    Vertices,
    check_edges,
    check_free,
    check_kind,
    check_layer,
    check_removable,
    check_vertices,
    edges_given,
    ids_by_layer,
    layers_of,
    missing_edges,
    one_or_per_row,
    port_given,
    vertices_given,
    vertices_in,
)
from netgraph.rewriting.patterns import EdgeRows, VertexRows
from netgraph.rewriting.splitting import check_split, split
from netgraph.rewriting.sums import Addends, WeightSums
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph


class Rewriter:
    """Buffer of the edits of one graph. A rule receives it; `apply` commits it.

    `add_layer`, `add_vertices`, `split_vertices`, `connect`, `connect_all` and `add_weight` add parts. `remove` removes
    edges, vertices, a layer or a link. `set_weight`, `set_values`, `set_bias`, `set_activation`, `set_norm`,
    `set_merge` and `freeze` change values. These methods take the parts that the pattern has bound; `vertices` and
    `edges` select other parts. New parts get their ids at once, so a rule can connect new vertices before the commit.
    The graph does not change: the commit makes a new one, and after an error there is none.

    Of two calls that set the same value the later one counts. Within one call a row may occur twice only with the
    same value. A rewrite must not change or connect a part that it also removes, before or after the removal: one of
    the two edits would be lost, so the rewrite is refused.

    Args:
        graph: the graph to rewrite.
        rng: generator of random initial values; a rule reads it as `rw.rng`.
        stats: statistics of the graph; a rule reads them as `rw.stats`. With None these are empty, so that reading a
            column raises `StatisticsError`.
    """

    def __init__(self, graph: Graph, rng: np.random.Generator, stats: Statistics | None = None) -> None:
        self.graph = graph
        self.rng = rng
        self.stats = Statistics(graph.topology_hash) if stats is None else stats
        self._buffer = EditBuffer(graph)
        self._sums = WeightSums()

    # -- choosing ---------------------------------------------------------------------------------

    def vertices(self, layers: Any = None, *, ids: Any = None, rows: Any = None) -> VertexRows:
        """Select vertices of the graph, in the match or not, to be connected, split, changed or removed.

        Give exactly one of the arguments. Vertices that this rewrite adds cannot be selected.

        Args:
            layers: layers of which all vertices are selected, in the given order: a name, a `Layer`, a list of these,
                or the layers that a pattern has bound.
            ids: vertex ids, such as `m.v.id` or `graph.edges.source`.
            rows: flat rows in `graph.vertices`, such as `m.v.rows` or `graph.edges.source_row`, or one boolean per
                vertex of the graph.

        Raises:
            RewriteError: when a row does not exist, or the arguments are none, several or of another type.
            GraphError: when a layer or an id is not in the graph.
        """
        return vertices_given(self.graph, layers, ids, rows)

    def edges(self, *, ids: Any = None, rows: Any = None) -> EdgeRows:
        """Select edges of the graph, in the match or not, wires included, to be changed or removed.

        Args:
            ids: edge ids.
            rows: rows in `graph.edges`, or one boolean per edge of the graph.

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
        """Add a hidden layer of `size` vertices and return these. Biases are 0, norm and activation as initialised.

        Its name is `name`, the layer id and, where that is taken, a further number. Vertex columns have the `dtype`,
        or with None the widest dtype of the graph's weights. `values` sets vertex columns by name, one value or one
        per vertex. Further `attributes` as in `Layer`, such as `merge`: an `Attend` layer takes `bias=False` and
        `activation="identity"`.
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
        """Append `count` vertices to a hidden layer; `values` set vertex columns, others get their initial values."""
        check_layer("add_vertices", layer)
        if layer.role != "hidden":
            article = "a" if layer.role == "position" else "an"
            raise RewriteError(
                f"Layer {layer.name!r} is {article} {layer.role} layer; only hidden layers may be widened."
            )
        count = whole("add_vertices(): count", count, error=RewriteError)
        if count < 1:
            raise RewriteError(f"Adding {count} vertices to layer {layer.name!r} is refused; add at least one.")
        return self._new_vertices(self._buffer.layer(layer.id), count, layer.output_grid, values)

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
        """Split hidden vertices into themselves and copies; no output changes (Net2Net, Chen et al. 2016, 3.1).

        A copy has the vertex columns and the incoming edges of its vertex, at every port and tap. The weight of every
        outgoing edge is divided among the vertex and its copies: equally where the quotient can be stored, otherwise
        in multiples of the last bit of the weight. In both cases the shares add up to the weight exactly. Edges are
        copied as they are in the graph: values set and edges added by this rewrite are not copied, nor are edges that
        it has removed. Split vertices that edges join in one call.

        Args:
            vertices: hidden vertices, each once, without layer norm and without identity wires.
            parts: number of vertices into which each vertex is split, at least 1; one number or one per row.
            noise: largest fraction, from 0 to 1, that the share of a copy loses at random, edge by edge. The vertex
                itself gets it, so that training moves vertex and copies apart.

        Returns:
            The copies by layer id, in each layer in the order of `vertices`.
        """
        check_vertices("split_vertices", "vertices", vertices, self.graph, new=False)
        parts = one_or_per_row(
            "parts", whole_numbers("split_vertices(): parts", parts, error=RewriteError), len(vertices)
        )
        check_split(vertices, parts, noise)
        return split(self, self._buffer, vertices, parts, Draw(0.0, noise, self.rng).sample)

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
        """Add one edge per row of `src` and `dst`, and the links that are missing.

        Args:
            src, dst: source and target vertices, row by row.
            weight, tap, frozen: one value, or one per row; a weight may be a `Draw`.
            kind: kind of the links; None for the kind of an existing link, and `Dense` for a new one. The kind of an
                existing link must be the same.
            port: port of the target layers.
        """
        columns = self._rows("connect", src, dst, weight, tap, kind, frozen)
        self._buffer.add_edges(
            source_layer=layers_of(src), target_layer=layers_of(dst), kind=kind, port=port_given("connect", port),
            **columns,
        )  # fmt: skip

    def add_weight(
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
        """Add weights row by row: to the edge of the graph that is there, and where there is none to a new one.

        Rows at one place are summed, those of several calls too, and each sum is rounded once. A weight that this
        rewrite sets counts as the old one. Arguments as for `connect`; `frozen` is for new edges.
        """
        columns = self._rows("add_weight", src, dst, weight, tap, kind, frozen)
        self._sums.add(layers_of(src), layers_of(dst), port_given("add_weight", port), kind, Addends(**columns))

    def connect_all(
        self,
        src: Vertices,
        dst: Vertices,
        *,
        weight: Any,
        kind: LinkKind | None = None,
        port: int = 0,
    ) -> int:
        """Add all missing edges from `src` to `dst`, at every tap; return their number. O(|src| * |dst| * taps)."""
        self._check_ends("connect_all", src, dst, kind)
        if kind is not None and kind.wires:
            raise RewriteError(
                f"connect_all() adds trainable edges, and {kind} has wires; add these row by row: "
                "connect(src, dst, weight=1.0, kind=..., frozen=True)."
            )
        count, port = 0, port_given("connect_all", port)
        for s_ids, s_layer in ids_by_layer(src):
            for d_ids, d_layer in ids_by_layer(dst):
                link = self.graph.link((s_layer, d_layer, port))
                taps = (kind or (link.kind if link else Dense())).taps
                s, d, t = missing_edges(self._buffer.edges_between((s_layer, d_layer, port)), s_ids, d_ids, taps)
                self._buffer.add_edges(
                    source=s, source_layer=np.full(len(s), s_layer), target=d, target_layer=np.full(len(s), d_layer),
                    tap=t, weight=self._draw(weight, len(s)), kind=kind, port=port, frozen=False,
                )  # fmt: skip
                count += len(s)
        return count

    def _rows(
        self, edit: str, src: Vertices, dst: Vertices, weight: Any, tap: Any, kind: LinkKind | None, frozen: Any
    ) -> dict[str, Array]:
        """Columns of edges that are joined row by row."""
        self._check_ends(edit, src, dst, kind)
        if (n := len(src)) != len(dst):
            raise RewriteError(f"{edit}() joins row by row: {n} sources and {len(dst)} targets do not pair up.")
        taps = whole_numbers(f"{edit}(): tap", tap, dtype=np.int32, error=RewriteError)
        flags = truth_values(f"{edit}(): frozen", frozen, error=RewriteError)
        return {"source": src.id, "target": dst.id, "tap": one_or_per_row("tap", taps, n),
                "weight": self._draw(weight, n), "frozen": one_or_per_row("frozen", flags, n)}  # fmt: skip

    def _check_ends(self, edit: str, src: Any, dst: Any, kind: Any) -> None:
        check_kind(edit, kind)
        for name, value in (("src", src), ("dst", dst)):
            check_vertices(edit, name, value, self.graph)

    # -- removing ---------------------------------------------------------------------------------

    def remove(self, what: EdgeRows | VertexRows | Layer | Link) -> None:
        """Remove edges; vertices or a layer, with all their edges; or a link, empty or not.

        Vertices can be hidden ones, and positions as a whole layer. A link that loses its last edge and a layer that
        loses its last vertex are removed too.
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
        check_free(self.graph, rows, whole=isinstance(what, Layer))
        gone = np.zeros(len(self.graph.vertices), dtype=bool)
        gone[rows] = True
        edges = self.graph.edges
        self._buffer.remove_edges(np.flatnonzero(gone[edges.source_row] | gone[edges.target_row]))
        self._buffer.remove_vertices(rows)

    # -- changing ---------------------------------------------------------------------------------

    def set_weight(self, edges: EdgeRows, weight: Any) -> None:
        """Set the weights of edges, one value or one per row."""
        check_edges("set_weight", "edges", edges, self.graph)
        if self.graph.edges.wired[edges.rows].any():
            raise RewriteError("Wires of an Identity link have weight 1; their weight cannot be set.")
        self._buffer.change_edges("weight", edges, self._draw(weight, len(edges)))

    def freeze(self, edges: EdgeRows, frozen: bool = True) -> None:
        """Freeze edges, so that training does not change them; with `frozen=False`, make them trainable again."""
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
                raise RewriteError(
                    f"Layer {layer.name!r} has no vertex column {column!r} that could be set; leave out its vertices, "
                    f"where v.column({column!r}) is NaN."
                )
        self._buffer.change_vertices(column, vertices, self._draw(values, len(vertices)))

    def set_bias(self, vertices: VertexRows, bias: Any) -> None:
        """Set the biases of vertices, one value or one per row."""
        check_vertices("set_bias", "vertices", vertices, self.graph, new=False)
        self.set_values(vertices, "bias", bias)

    def set_activation(self, layer: Layer, activation: str, **attributes: Any) -> None:
        """Set the activation of a layer; its vertex parameters get their initial values."""
        check_layer("set_activation", layer)
        old = get_activation(self._buffer.layer(layer.id).attributes["activation"])
        new = get_activation(activation)
        self._buffer.change_layer(layer, {"activation": activation, **attributes}, old.parameters, new.parameters)

    def set_norm(self, layer: Layer, norm: str, *, bias: bool | None = None, **attributes: Any) -> None:
        """Set the norm of a layer; its vertex parameters get their initial values.

        With `bias=True` a layer without biases gets some, of 0; with None it stays without them.
        """
        check_layer("set_norm", layer)
        record = self._buffer.layer(layer.id)
        old, new = get_norm(record.attributes["norm"]), get_norm(norm)
        start = {**new.columns, **({"bias": 0.0} if bias and "bias" not in record.columns else {})}
        self._buffer.change_layer(layer, {"norm": norm, **attributes}, old.columns, start)

    def set_merge(self, layer: Layer, merge: Merge | None) -> None:
        """Set the merge of a layer, such as one with more rotary frequencies; with None the layer sums port 0."""
        check_layer("set_merge", layer)
        if merge is not None and not isinstance(merge, Merge):
            raise RewriteError(
                f"set_merge({layer.name!r}) got {merge!r}, and needs Product(), Attend(scale), Mix() or None."
            )
        self._buffer.change_layer(layer, {"merge": merge}, {}, {})

    def uniform(self, low: float, high: float) -> Draw:
        """Random weights for `connect` and others: every edge gets its own value, uniform in [low, high)."""
        low, high = (
            number(f"uniform(): {name}", end, error=RewriteError) for name, end in (("low", low), ("high", high))
        )
        if not 0 <= high - low < np.inf:
            raise RewriteError(f"uniform(): low={low} and high={high} are no interval that can be drawn from.")
        return Draw(low, high, self.rng)

    def _draw(self, value: Any, n: int) -> Array:
        if isinstance(value, Draw):
            return one_or_per_row("value", value.sample(n), n)
        # A copy, since the caller may write to its array later.
        values = column(real_numbers("value", value, nan=True, error=RewriteError), None)
        return one_or_per_row("value", values, n)

    # -- the end ----------------------------------------------------------------------------------

    def delta(self) -> Delta:
        """Delta of the buffered edits; the topology hash of its `after` stamp is empty until the commit."""
        self._sums.settle(self._buffer)
        return self._buffer.to_delta()

    def commit(self) -> tuple[Graph, Delta]:
        """Return the new graph and its delta, or raise `RewriteError`; the old graph does not change.

        When the edits change nothing, return the old graph itself and an empty delta; this is no rewrite.
        """
        delta = self.delta()
        if delta.is_empty:
            return self.graph, Delta.nothing(self.graph)
        new, delta = apply_delta(self.graph, delta)
        refuse_summed_ports(self.graph, new, delta)
        return new, delta
