"""Comparison of two graphs by structure and values, without regard to ids, names of hidden layers and order of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer

UNITS = 8.0
"""Roundings of the coarser precision by which two values may differ, relative to the larger of 1 and the value."""
MAX_CHOICES = 500
"""Largest number of choices between vertices that look alike; after them two graphs count as different."""


def isomorphic(one: Graph, two: Graph, *, tolerance: float | None = None) -> bool:
    """Whether two graphs are the same up to ids, births, names of hidden layers and the order of rows.

    Input and output layers correspond by name and keep their order of rows. Everything else must be equal: layers with
    all attributes and values, links, edges with weight, tap and port, and frozen flags. Slots of heads count by their
    numbers.

    Vertices are told apart by colours that are refined along the edges until nothing changes; where several still look
    alike, one after another is tried. A pairing that is found is checked edge by edge.

    Args:
        one, two: the graphs.
        tolerance: largest difference of two values, relative to the larger of 1 and their magnitude; 0 demands equal
            bits. By default 8 roundings of the coarser precision of both graphs, such as 1e-6 for float32.

    Costs a few sorts of all edges for each of the at most `vertices` refinements.

    Example:
        >>> import netgraph as ng
        >>> graph = ng.mlp([2, 3, 1], seed=0)
        >>> isomorphic(graph, graph.with_weights(graph.edges.weight)), isomorphic(graph, ng.mlp([2, 3, 1], seed=1))
        (True, False)
    """
    sizes = [(g.num_layers, g.num_vertices, len(g.edges), len(g.links_by_key)) for g in (one, two)]
    if sizes[0] != sizes[1]:
        return False
    allowed = max(map(rounding, (one, two))) if tolerance is None else tolerance
    return _Pair.of(one, two, allowed).agree()


def rounding(graph: Graph) -> float:
    """`UNITS` roundings of the coarsest dtype among the weights."""
    dtypes = {link.weight.dtype for link in graph.links_by_key.values()} or {np.dtype(np.float64)}
    return UNITS * max(float(np.finfo(dtype).eps) for dtype in dtypes)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two graphs of equal sizes as one: the rows of the second follow those of the first.

    Attributes:
        start: number of vertices of each graph.
        vertex: colour of each vertex by itself, `(2 vertices,)`.
        layer: position of the layer of each vertex, `(2 vertices,)`.
        source, target: ends of each edge, `(2 edges,)`.
        edge: colour of each edge by itself, `(2 edges,)`.
        links: (source position, target position, colour) of each link of the first graph and of the second.
    """

    start: int
    vertex: Array
    layer: Array
    source: Array
    target: Array
    edge: Array
    links: tuple[Array, Array]

    @classmethod
    def of(cls, one: Graph, two: Graph, tolerance: float) -> _Pair:
        graphs, n = (one, two), one.num_vertices
        layers = [x for g in graphs for x in g.layers_by_id.values()]
        size = np.array([len(x) for x in layers])
        layer = np.repeat(np.arange(len(layers)), size)
        kinds = _codes([_signature(x) for x in layers])
        fixed = np.repeat([x.role != "hidden" for x in layers], size)
        row = np.concatenate([g.vertices.row for g in graphs])
        columns = [kinds[layer], np.where(fixed, row, -1)]
        for name in sorted({name for x in layers for name in x.values}):
            columns.append(_classes(np.concatenate([g.vertices.column(name) for g in graphs]), tolerance))
        links = [k for g in graphs for k in g.links_by_key.values()]
        link_kind = _codes([(k.port, repr(k.kind)) for k in links])
        link = np.concatenate([one.edges.link, two.edges.link + len(one.links_by_key)])
        weight = _classes(np.concatenate([g.edges.weight.astype(np.float64) for g in graphs]), tolerance)
        flags = [np.concatenate([getattr(g.edges, name) for g in graphs]) for name in ("tap", "frozen")]
        place = [{i: p + k * one.num_layers for p, i in enumerate(g.layers_by_id)} for k, g in enumerate(graphs)]
        ends = [
            np.array([(place[k][x.source], place[k][x.target]) for x in g.links_by_key.values()], dtype=np.int64)
            for k, g in enumerate(graphs)
        ]
        m = len(one.links_by_key)
        return cls(
            n,
            _numbered(columns),
            layer,
            np.concatenate([one.edges.source_row, two.edges.source_row + n]),
            np.concatenate([one.edges.target_row, two.edges.target_row + n]),
            _numbered([link_kind[link], weight, *flags]) if len(link) else np.empty(0, np.int64),
            (
                np.column_stack([ends[0].reshape(-1, 2), link_kind[:m]]),
                np.column_stack([ends[1].reshape(-1, 2), link_kind[m:]]),
            ),
        )

    def agree(self) -> bool:
        """Search for a pairing of the vertices of both graphs under which everything is equal."""
        pending, choices = [self.vertex], 0
        while pending:
            colour = self._refined(pending.pop())
            if colour is None:
                continue
            again = list(self._individualised(colour))
            if not again:
                if self._holds(colour):
                    return True
                continue
            choices += 1
            if choices > MAX_CHOICES:
                return False
            pending += reversed(again)
        return False

    def _refined(self, colour: Array) -> Array | None:
        """Stable refinement of the colours, or None when the two graphs do not have the same ones."""
        while True:
            n = len(colour)
            total = _sums(self.layer, _mixed(colour), int(self.layer.max()) + 1)
            both = np.concatenate(self.links)
            layers = total.copy()
            for near, far, turn in ((0, 1, 1), (1, 0, 2)):
                np.add.at(layers, both[:, near], _mixed(total[both[:, far]], both[:, 2], np.full(len(both), turn)))
            around = [
                _sums(self.target, _mixed(colour[self.source], self.edge), n),
                _sums(self.source, _mixed(colour[self.target], self.edge, np.ones(len(self.edge))), n),
            ]
            finer = _numbered([colour, *around, layers[self.layer]])
            one, two = (np.bincount(part, minlength=n) for part in (finer[: self.start], finer[self.start :]))
            if not np.array_equal(one, two):
                return None
            if finer.max(initial=0) == colour.max(initial=0):
                return finer
            colour = finer

    def _individualised(self, colour: Array) -> Iterator[Array]:
        """Colours in which the first vertex that looks like others is paired with each of those of the second graph."""
        count = np.bincount(colour[: self.start])
        several = np.flatnonzero(count > 1)
        if not len(several):
            return
        chosen = several[np.argmin(count[several])]
        here = int(np.argmax(colour[: self.start] == chosen))
        for there in np.flatnonzero(colour[self.start :] == chosen).tolist():
            own = colour.copy()
            own[[here, self.start + there]] = colour.max() + 1
            yield own

    def _holds(self, colour: Array) -> bool:
        """Whether the pairing by equal colours, each of which occurs once per graph, keeps layers, links and edges."""
        n = self.start
        partner = np.empty(2 * n, dtype=np.int64)  # both graphs in the rows of the first
        partner[:n] = np.arange(n)
        partner[n + np.argsort(colour[n:])] = np.argsort(colour[:n])
        home = np.full(int(self.layer.max()) + 1, -1)
        home[self.layer[:n]] = self.layer[:n]
        home[self.layer[n:]] = self.layer[partner[n:]]
        if not np.array_equal(home[self.layer[n:]], self.layer[partner[n:]]):
            return False
        half = len(self.edge) // 2
        edges = np.stack([partner[self.source], partner[self.target], self.edge])
        links = [np.column_stack([home[k[:, 0]], home[k[:, 1]], k[:, 2]]) for k in self.links]
        return _same_rows(edges[:, :half].T, edges[:, half:].T) and _same_rows(*links)


def _signature(layer: Layer) -> tuple[str, ...]:
    """Attributes of a layer that must be equal; the name counts for inputs and outputs only."""
    own = {k: v for k, v in layer.attributes.items() if k != "name" or layer.role in ("input", "output")}
    return (*(f"{name}={own[name]!r}" for name in sorted(own)), *sorted(layer.values))


def _codes(items: Sequence[object]) -> Array:
    """Number of each item, equal for equal items."""
    known: dict[object, int] = {}
    return np.array([known.setdefault(item, len(known)) for item in items], dtype=np.int64)


def _classes(values: Array, tolerance: float) -> Array:
    """Number of each value, equal for values whose neighbours in order differ by at most a tolerance; NaN is one."""
    order = np.argsort(values, kind="stable")
    a, b = values[order][:-1], values[order][1:]
    with np.errstate(invalid="ignore"):
        close = np.abs(b - a) <= tolerance * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    steps = (a != b) & ~close & ~(np.isnan(a) & np.isnan(b))
    result = np.zeros(len(values), dtype=np.int64)
    result[order[1:]] = np.cumsum(steps)
    return result


def _numbered(columns: Sequence[Array]) -> Array:
    """Number of each row of several columns, equal for equal rows."""
    coded = [np.unique(c, return_inverse=True)[1].reshape(-1) for c in columns]
    number = coded[0]
    for other in coded[1:]:
        number = np.unique(number * (int(other.max(initial=0)) + 1) + other, return_inverse=True)[1].reshape(-1)
    return np.asarray(number, dtype=np.int64)


def _mixed(*columns: Array) -> Array:
    """A 64-bit hash of every row, by the finaliser of MurmurHash3."""
    h = np.zeros(len(columns[0]), dtype=np.uint64)
    for values in columns:
        h = (h ^ values.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        for _ in range(2):
            h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(33)
    return h


def _sums(group: Array, values: Array, size: int) -> Array:
    """Sum of the values of each group, modulo 2**64: it does not depend on their order."""
    result = np.zeros(size, dtype=np.uint64)
    np.add.at(result, group, values)
    return result


def _same_rows(one: Array, two: Array) -> bool:
    """Whether two tables have the same rows, whatever their order."""
    return one.shape == two.shape and np.array_equal(one[np.lexsort(one.T)], two[np.lexsort(two.T)])
