"""State of one proof: the values of the new vertices, written over the values of the old ones, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netgraph.analysis import influential
from netgraph.columns import Array, FrozenDict
from netgraph.graph.bounds import Bounds, Mode, down, sum_bounds, up, widen
from netgraph.proof.forms import Rows, Terms, collect
from netgraph.proof.index import Index
from netgraph.proof.normal import Normal, shorter
from netgraph.proof.operators import UNKNOWN
from netgraph.proof.ports import canonical
from netgraph.proof.readings import Edges, Space, Values
from netgraph.proof.sums import Sums

if TYPE_CHECKING:
    from netgraph.graph import Graph, Grid, Layer, Link
    from netgraph.proof.folding import Fold
    from netgraph.proof.known import LayerOperation


class Walk:
    """State of one proof: the values of all new layers visited so far.

    Args:
        old, new: the graphs.
        bounds: intervals of the old graph, on the domain of the proof.
        mode: mode of batch norm, "train" or "eval".
        epsilon: relative spacing of the stored weights.
        folds: folded norms by layer, of both graphs; see `fold`.

    Attributes:
        positions: the old layers of positions by their grid.
        new_positions: first symbol of the new layers of positions by their grid, for grids without an old one.
    """

    def __init__(
        self,
        old: Graph,
        new: Graph,
        bounds: Bounds,
        mode: Mode,
        epsilon: float,
        folds: Mapping[Layer, Fold] = FrozenDict(),
    ) -> None:
        self.old, self.new, self.bounds, self.mode, self.epsilon = old, new, bounds, mode, epsilon
        self.folds = folds
        self.space = Space(old.num_vertices, new.num_vertices)
        self.normal, self.pointwise, self.rough = (Normal(self, how) for how in ("exact", "pointwise", "rough"))
        self._grids = any(layer.grid for layer in old.layers_by_id.values())
        self.index = Index(self)
        self.old_place = {layer_id: place for place, layer_id in enumerate(old.topological_order)}
        self.twin = old.vertices.find(new.vertices.id)
        s = self.space
        s.low[: s.one], s.high[: s.one] = bounds.low, bounds.high
        survives = np.flatnonzero(self.twin >= 0)
        s.low[s.own + survives] = bounds.low[self.twin[survives]]
        s.high[s.own + survives] = bounds.high[self.twin[survives]]
        for layers, vertices, first in ((old, old.vertices, 0), (new, new.vertices, s.own)):
            for layer in layers.layers_by_id.values():
                if layer.is_table:
                    s.add_table(first + vertices.offset(layer.id), len(layer))
        self.positions: dict[Grid, list[Layer]] = {}
        for layer in old.layers_by_id.values():
            if layer.role == "position":
                self.positions.setdefault(layer.grid, []).append(layer)
        self.new_positions: dict[Grid, int] = {}
        self._values: dict[int, Values] = {}
        self.tied_layers: dict[int, Values] = {}
        # For heads of attention of the new graph: bound of the weight that moves to other positions, against the twin.
        self.shifted = np.ones(new.num_vertices)
        self.output_change: dict[int, tuple[Array, Array, Array]] = {}
        self.stopped: list[str] = []
        self.moved: dict[str, float] = {}
        self.tally: Counter[str] = Counter()

    @cached_property
    def influential(self) -> Array:
        """Mask of the new vertices on which an output depends, `(vertices,)`."""
        return influential(self.new)

    # -- values -----------------------------------------------------------------------------------

    def values(self, layer_id: int, *, tied: bool = False) -> Values:
        """Values of a visited layer; the values of an unchanged layer are the old symbols.

        Args:
            layer_id: the layer.
            tied: whether vertices with a bounded difference from their twin are written as the twin plus an error,
                also where they were decided as another value.
        """
        known = self._values.get(layer_id)
        if tied:
            known = self.tied_layers.get(layer_id, known)
        return Values.known(self.own_twins(layer_id)) if known is None else known

    def own_twins(self, layer_id: int) -> Array:
        """Flat row in the old graph, in any layer, of each vertex of a new layer; -1 for new ones, `(vertices,)`."""
        start = self.new.vertices.offset(layer_id)
        return np.asarray(self.twin[start : start + len(self.new.layer(layer_id))])

    def settle(self, layer_id: int, values: Values, tied: Values | None = None) -> None:
        """Record the values of a layer, and with `tied` its values as twins plus errors: see `values`.

        Nothing is stored where every vertex has exactly the value of its twin, since `values` then returns the twins.
        """
        if not (values.certain.all() and np.array_equal(values.symbol, self.own_twins(layer_id))):
            self._values[layer_id] = values
        if tied is not None:
            self.tied_layers[layer_id] = tied

    def _unmoved(self, layer_id: int) -> bool:
        """Whether every vertex of a layer has exactly the value of its twin, in the same row."""
        new, old = self.new.layer(layer_id), self.old.layers_by_id.get(layer_id)
        if layer_id in self._values or old is None:
            return False
        return new is old or np.array_equal(new.vertex_ids, old.vertex_ids)

    def new_bounds(self, layer_id: int) -> tuple[Array, Array]:
        """Views of the lower and upper bounds of the values of a new layer, to be read or written."""
        start = self.space.own + self.new.vertices.offset(layer_id)
        stop = start + len(self.new.layer(layer_id))
        return self.space.low[start:stop], self.space.high[start:stop]

    # -- sums of a layer --------------------------------------------------------------------------

    def untouched(self, layer: Layer) -> bool:
        """Whether a layer and its links are the same objects in both graphs, and its sources have their old values."""
        if self.old.layers_by_id.get(layer.id) is not layer:
            return False
        links = self.new.incoming[layer.id]
        if len(links) != len(self.old.incoming[layer.id]):
            return False
        return all(self.old.link(k.key) is k and self._unmoved(k.source) for k in links)

    def changes(self, layer: Layer, twin: Array, *, tied: bool = False) -> tuple[Rows, Array, Array]:
        """Difference of each vertex's sum and its twin's sum.

        Args:
            layer: a new layer.
            twin: (vertices,) flat rows of the twins, or -1.
            tied: as in `values`.

        Returns:
            The differences as forms over known values; and lower and upper bounds of the error added to each.
        """
        n = len(layer)
        old_layer = self.old.layers_by_id.get(layer.id)
        row_of_old = np.full(0 if old_layer is None else len(old_layer), -1, dtype=np.int64)
        has = np.flatnonzero(twin >= 0)
        if old_layer is not None:
            row_of_old[twin[has] - self.old.vertices.offset(layer.id)] = has
        wanted = np.where(twin >= 0, np.arange(n), -1)
        parts: list[Terms] = []
        low, high = np.zeros(n), np.zeros(n)
        old_links = {} if old_layer is None else {k.key: k for k in self.old.incoming[layer.id]}
        for link in self.new.incoming[layer.id]:
            before = old_links.pop(link.key, None)
            differs, differed = self._differences(link, before, row_of_old, wanted, tied)
            if before is not None:
                parts.append(self.old_terms(before, row_of_old, differed).negated())
            new_parts, e_low, e_high, _ = self.new_terms(link, wanted, differs, tied)
            parts += new_parts
            low, high = low + e_low, high + e_high
        for before in old_links.values():
            parts.append(self.old_terms(before, row_of_old).negated())
        if old_layer is not None:
            rows = twin[has] - self.old.vertices.offset(layer.id)
            differ = ~self._same_folds(layer, old_layer, has, rows)
            parts += self.biases(old_layer, rows[differ], has[differ], -1.0)
            has = has[differ]
        parts += self.biases(layer, has, has, 1.0)
        return self.collect(n, parts), *widen(low, high)

    def _same_folds(self, layer: Layer, old_layer: Layer, rows: Array, old_rows: Array) -> Array:
        """Whether each vertex and its twin have folded norms with equal numbers, `(rows,)`."""
        fold, other = self.folds.get(layer), self.folds.get(old_layer)
        if fold is None or other is None:
            return np.zeros(len(rows), dtype=bool)
        return fold.same(rows, other, old_rows)

    def _differences(
        self, link: Link, before: Link | None, row_of_old: Array, wanted: Array, tied: bool
    ) -> tuple[Array | None, Array | None]:
        """Masks of the edges of the new and of the old link that may contribute to the difference of the sums.

        Two edges of the same id cancel if source value, target, tap and weight are equal; all other edges are in the
        masks. None stands for all edges.
        """
        if before is None or before.kind != link.kind:
            return None, None
        source, old_source = self.new.layer(link.source), self.old.layers_by_id.get(link.source)
        old_target, new_target = self.old.layer(link.target), self.new.layer(link.target)
        if old_source is None or source.output_grid != old_source.output_grid:
            return None, None
        if new_target.grid != old_target.grid:
            return None, None
        values = self.values(link.source, tied=tied)
        offset = self.old.vertices.offset(link.source)
        old_row = np.where(values.certain, values.symbol - offset, -1)  # of the source, in its old layer
        old_row[(old_row < 0) | (old_row >= len(old_source))] = -1
        if link is before:
            a = b = np.arange(len(link))
        else:
            a = np.flatnonzero(np.isin(link.id, before.id))
            b = np.flatnonzero(np.isin(before.id, link.id))
            if len(a) != len(b) or not np.array_equal(link.id[a], before.id[b]):
                return None, None
        same = (old_row[link.src[a]] == before.src[b]) & (wanted[link.dst[a]] == row_of_old[before.dst[b]])
        if link is not before:
            same &= (link.tap[a] == before.tap[b]) & (link.weight[a] == before.weight[b])
        if new_target in self.folds or old_target in self.folds:
            same &= self._same_folds(new_target, old_target, link.dst[a], before.dst[b])
        differs, differed = np.ones(len(link), dtype=bool), np.ones(len(before), dtype=bool)
        differs[a[same]] = False
        differed[b[same]] = False
        return differs, differed

    def old_terms(self, link: Link, rows: Array, chosen: Array | None = None) -> Terms:
        """Terms of an old link over the old values, in the rows r of the forms, `rows[target row] = r`.

        `chosen` is a mask of the edges, or None for all.
        """
        symbol = self.old.vertices.offset(link.source) + np.arange(len(self.old.layer(link.source)))
        return self._edges(self.old, link, rows, chosen).over(symbol, self.space)

    def _edges(self, graph: Graph, link: Link, rows: Array, chosen: Array | None = None) -> Edges:
        """Edges of a link of one of the graphs, with the factors of a folded norm of the target."""
        return Edges.of(graph, link, rows, self.space, chosen, self.folds.get(graph.layer(link.target)))

    def new_terms(
        self, link: Link, rows: Array, chosen: Array | None = None, tied: bool = False
    ) -> tuple[list[Terms], Array, Array, Array]:
        """Terms of a new link over known values, and bounds of their errors by row, with their softness."""
        edges = self._edges(self.new, link, rows, chosen)
        values = self.values(link.source, tied=tied)
        n = len(self.new.layer(link.target))
        parts, lost = edges.through(values, self.space)
        low, high, soft = edges.errors(values, self.space, n)
        if lost is not None:
            symbol = lost.column
            reach = np.abs(lost.value) + lost.error
            size = np.maximum(np.abs(self.space.low[symbol]), np.abs(self.space.high[symbol]))
            with np.errstate(invalid="ignore"):
                most = np.where(size == 0, 0.0, reach * size)
            least, most = sum_bounds(lost.row, -most, most, n)
            low, high = low + least, high + most
            soft[lost.row] = False
        return parts, low, high, soft

    def biases(self, layer: Layer, rows: Array, into: Array, sign: float) -> list[Terms]:
        """Terms of `sign` times the biases, or the constants of a folded norm, of some rows, in the rows `into`."""
        if (fold := self.folds.get(layer)) is not None and len(rows):
            return fold.added(rows, into, sign, self.space.one)
        if layer.bias is None or not len(rows):
            return []
        bias = layer.bias[rows].astype(np.float64)
        some = np.flatnonzero(bias)
        return [Terms.of(into[some], np.full(len(some), self.space.one), sign * bias[some])]

    def collect(self, rows: int, parts: list[Terms]) -> Rows:
        """Sum terms to forms, and leave out the values that are always 0."""
        forms = collect(rows, Terms.join(parts), self.epsilon, self.space.columns)
        low, high = self.space.interval(forms)
        zero = (low == 0) & (high == 0)
        return forms.filter(~zero) if zero.any() else forms

    def moved_by(self, layer: Layer, twin: Array, change: Rows, low: Array, high: Array) -> tuple[Array, Array]:
        """Bounds of the difference of each vertex's sum and its twin's sum, the tightest over tied and other values.

        Args:
            layer: a new layer.
            twin: (vertices,) flat rows of the twins, or -1.
            change, low, high: the difference, as `changes` returns it.
        """
        least, most = self.change_interval(change)
        least, most = widen(least + low, most + high)
        if any(link.source in self.tied_layers for link in self.new.incoming[layer.id]):
            change, low, high = self.changes(layer, twin, tied=True)
            other_least, other_most = self.change_interval(change)
            other_least, other_most = widen(other_least + low, other_most + high)
            least, most = np.fmax(least, other_least), np.fmin(most, other_most)
        return least, most

    def readers_compose(self, layer: Layer, *forms: Rows) -> bool:
        """Whether every operator that reads `layer` has a composition with every operator in the forms."""
        if layer.pool is not None or layer.merge is not None:
            return False
        space = self.space
        if len(space.operators) == 1:
            return True
        inner = np.unique(np.concatenate([rows.column // space.size for rows in forms]))
        if not inner.any():
            return True
        for link in self.new.outgoing[layer.id]:
            if self.new.layer(link.target).merge is not None:
                continue  # a wire into a merge reads every position by itself
            operators = space.operators.of_link(link.kind, layer.output_grid, self.new.layer(link.target).grid)
            outer = np.unique(operators[np.unique(link.tap)])
            pairs = np.meshgrid(outer[outer >= 0], inner)
            if (space.operators.compose_all(*(p.ravel() for p in pairs)) == UNKNOWN).any():
                return False
        return True

    def sums(self, layer: Layer, rows: Array, twin: Array, change: Rows, moved: tuple[Array, Array]) -> Sums:
        """Compute forms and bounds of the sums of some vertices of a layer.

        Args:
            layer: the new layer.
            rows: (k,) rows of the vertices in the layer.
            twin: (k,) flat rows of their twins, or -1.
            change: difference of each sum and its twin's sum.
            moved: lower and upper bounds of this difference.
        """
        place = np.full(len(layer), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        parts: list[Terms] = []
        direct: list[Terms] = []
        n = len(layer)
        low, high, soft = np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
        for link in self.new.incoming[layer.id]:
            new_parts, e_low, e_high, e_soft = self.new_terms(link, place)
            # Terms and errors are by position in `rows`, not by row of the layer.
            parts += new_parts
            low, high, soft = low + e_low, high + e_high, soft & e_soft
            start = self.space.own + self.new.vertices.offset(link.source)
            own = start + np.arange(len(self.new.layer(link.source)))
            direct.append(self._edges(self.new, link, place).over(own, self.space))
        biases = self.biases(layer, rows, np.arange(len(rows)), 1.0)
        k = len(rows)
        (low, high), soft = widen(low[:k], high[:k]), soft[:k]
        form = self.collect(k, parts + biases)
        at_least, at_most = self.space.bounds(form)
        own_form = self.collect(k, direct + biases)
        own_least, own_most = self.space.bounds(own_form)
        z_low = np.maximum(down(at_least + low), own_least)
        z_high = np.minimum(up(at_most + high), own_most)
        return Sums(rows, twin, form, low, high, soft, change, *moved, z_low, z_high)

    # -- known values -----------------------------------------------------------------------------

    def in_normal_form(self, what: LayerOperation, forms: Rows, normal: Normal | None = None) -> Rows:
        """Return forms of vertices with the operation `what` in normal form, by default the exact one."""
        found = (self.normal if normal is None else normal).of(forms)
        return found if what.merge is None or found is forms else canonical(what.merge, found, self.space)

    def old_layers(self, rows: Rows) -> list[int]:
        """Ids of the layers of the old values in some forms."""
        symbol = rows.column % self.space.size if len(self.space.operators) > 1 else rows.column
        if 8 * len(symbol) > self.space.size:  # with many values a mask is faster than sorting
            read = np.zeros(self.space.size, dtype=bool)
            read[symbol] = True
            symbol = np.flatnonzero(read)
        return [int(i) for i in np.unique(self.old.vertices.layer[symbol[symbol < self.space.one]])]

    def change_interval(self, change: Rows) -> tuple[Array, Array]:
        """Bounds of differences, the intersection of those of the form as it is and of its normal form.

        More terms may cancel in normal form, and both bounds hold.
        """
        low, high = self.space.bounds(change)
        other = self.normal.of(change)
        if other is not change:
            least, most = self.space.bounds(other)
            low, high = np.maximum(low, least), np.minimum(high, most)
        return low, high

    def reduced(self, change: Rows, of: Callable[[Normal, Rows], Rows] = Normal.of) -> Rows:
        """Return differences with every row in normal form where that has fewer terms; rows may become 0.

        `of` computes the differences in normal form.
        """
        if change.empty.all():
            return change
        self.normal.search(change)
        change = shorter(change, of(self.normal, change))
        for other, helps in ((self.pointwise, self._grids), (self.rough, self.normal.any_rough)):
            if helps and not change.empty.all():
                other.search(change)
                change = shorter(change, of(other, change))
        return change
