"""Rule that inserts a layer on a link."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netgraph.checks import choice
from netgraph.columns import Array, FrozenDict
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import ACTIVATIONS, Activation, Layer, Link, get_activation
from netgraph.proof import Level
from netgraph.rewriting import LinkRows, Matches, NewVertices, Rewriter, Rule, Variant, VertexRows, layer, link
from netgraph.rules.merges import tables
from netgraph.rules.registry import register_rule
from netgraph.rules.split_edges import MAX_CROSSING
from netgraph.statistics import Statistics

FLOOR_DOUBLE, FLOOR_SINGLE = 1e-3, 1e-1
"""Smallest singular value of a given matrix, as a fraction of their mean, for weights in float64 and float32."""


def insertable() -> list[str]:
    """Return the activations with `f(t) = t` for every `t`, or at least for every `t >= 0`."""
    return [name for name, activation in ACTIVATIONS.items() if _can_insert(activation)]


def _can_insert(activation: Activation) -> bool:
    return activation.identity_at is not None or activation.keeps(Layer.slope) != "nothing"


_MATRIX = np.array([[0.5, -1.0, 0.25], [1.0, 0.75, 0.0], [-0.25, 0.5, 1.0]])
_SHIFT = np.array([0.25, -0.5, 1.0])


@register_rule("insert-layer")
@dataclass(frozen=True, kw_only=True)
class InsertLayer(Rule):
    """Put a new layer on every matched link (the depth proposal of SENN, section 3; Net2DeeperNet with ReLU).

    The new layer has the output grid of the source, and one vertex for every vertex of the source that feeds the link,
    joined to it by one edge of weight 1. It takes over the edges of the link, with their kind, port, taps and weights.
    ReLU keeps values that are never negative; prelu of slope 1 and the identity keep all values. So the function stays
    the same: **exact**. With a mix, for outputs `p` of the source and weights `W` of the link, the new layer holds
    `p K` for an invertible `K`, and its outgoing weights are `K^-1 W` at every tap: **exact up to rounding** of
    `K^-1 W`. SENN's rational activation at `v = c = 0`, `l = 1` is `t / sqrt(1 + 1e-8)`, which differs from `t` by
    `5e-9 t`: **exact up to rounding** of float32 weights, **bounded** in float64.

    `K` and a shift `s` can be given. The new layer then has a vertex for every vertex of the source and holds
    `p K + s`. Its outgoing weights are `K^-1 W`, and the bias `b` of the target becomes `b - s K^-1 W`: **exact up to
    rounding**. This is the depth proposal of SENN, whose search finds `K` and `s`. Singular values of `K` that are too
    small for an inverse are raised first.

    Links of wires, links without edges and, with `K`, links with frozen edges are left alone, and so are links from
    positions or from inputs of ids, whose edges are rows of a table. `K` applies to links
    whose source has as many vertices as `K` has rows. A shift needs a target with a bias and a link without padding,
    because padding is 0 and not `s`.

    Attributes:
        activation: "identity", "prelu" or "rational"; for sources that are never negative also "relu" or "leaky_relu";
            or a registered activation of your own whose record says that it keeps such values.
        mix: "none" for `K = 1`; "orthogonal" for a random rotation; "random" for normal entries, whose singular values
            are raised to at least a tenth of their mean.
        matrix: `K`, `(vertices of the source, vertices of the new layer)`, instead of a mix.
        shift: `s`, `(vertices of the new layer,)`, only with a matrix; 0 by default.
        floor: smallest singular value of `matrix`, as a fraction of their mean; smaller ones are raised. By default
            0.001 as in SENN where weights are stored in float64, and 0.1 in float32, because `K^-1 W` is rounded. With
            0.001 outputs of networks of width 100 move by up to 2e-6 of their range, with 0.1 by 1e-7 (measured on
            random `K`).
        full: whether to add the missing edges between source and new layer, at weight 0. A mix has all edges anyway.
        max_edges: largest number of edges that a rewrite may make; above it the rewrite is refused.
    """

    activation: str = "identity"
    mix: Literal["none", "orthogonal", "random"] = "none"
    matrix: Array | None = field(default=None, compare=False)
    shift: Array | None = field(default=None, compare=False)
    floor: float | None = None
    full: bool = False
    max_edges: int = MAX_CROSSING

    pattern = link("k", src=layer("p"), dst=layer("c"))
    promise = "exact; a mix up to rounding; rational see below"
    variants = (
        *(
            Variant(f"insert {name} layers", {"activation": name}, bitwise=get_activation(name).exact)
            for name in insertable()
        ),
        Variant("insert layers of K and its inverse", {"mix": "orthogonal"}),
        Variant("insert layers of a given K, with a shift", {"matrix": _MATRIX, "shift": _SHIFT}),
    )

    choices = FrozenDict({"activation": insertable})

    def __post_init__(self) -> None:
        super().__post_init__()
        own = ACTIVATIONS.get(self.activation) if isinstance(self.activation, str) else None
        if own is None or not _can_insert(own):
            choice("activation", self.activation, insertable())
        if self._mixes and self._needs_nonnegative:
            option = f"mix={self.mix!r}" if self.matrix is None else "A matrix"
            raise OptionError(
                f"{option} makes negative values, which {self.activation} does not keep; use another activation."
            )
        if self.max_edges < 0:
            raise OptionError(f"max_edges={self.max_edges} is negative.")
        self._check_given()

    def _check_given(self) -> None:
        """Check the given ones of `matrix`, `shift` and `floor`."""
        if self.matrix is None:
            if self.shift is not None or self.floor is not None:
                raise OptionError("A shift or floor is given without a matrix; give the matrix K as well.")
            return
        if self.mix != "none":
            raise OptionError(f"matrix and mix={self.mix!r} are both given; give one of them.")
        n = len(self.matrix) if np.ndim(self.matrix) else 0
        if np.shape(self.matrix) != (n, n) or not n or not np.isfinite(self.matrix).all() or not np.any(self.matrix):
            raise OptionError(
                f"matrix has shape {np.shape(self.matrix)}; it is square, with finite values, not all of them 0."
            )
        if self.shift is not None and (np.shape(self.shift) != (n,) or not np.isfinite(self.shift).all()):
            raise OptionError(f"shift has shape {np.shape(self.shift)}, expected ({n},) with finite values.")
        if self.floor is not None and not 0 < self.floor <= 1:
            raise OptionError(f"floor={self.floor} is refused; it is above 0 and at most 1.")

    @property
    def _mixes(self) -> bool:
        return self.mix != "none" or self.matrix is not None

    @property
    def _needs_nonnegative(self) -> bool:
        return get_activation(self.activation).keeps(Layer.slope) == "nonnegative values"

    @property
    def _shifts(self) -> bool:
        return self.shift is not None and bool(np.any(self.shift))

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Conditions: the link has trainable edges to take over, the new layer keeps its sources, and K and s fit."""
        graph, edges = m.graph, m.graph.edges
        named = {
            "link is not of wires": np.array([not k.kind.wires for k in m.k], dtype=bool),
            "link has edges": m.k.size > 0,
        }
        if (rows := tables(graph, m.p.id)).any():
            named["link is no table"] = ~rows
        if self._needs_nonnegative:
            signed = np.bincount(edges.link[~graph.vertices.nonnegative[edges.source_row]], minlength=len(graph.links))
            named["sources are never negative"] = signed[m.k.rows] == 0
        if self.matrix is not None:
            named["source has as many vertices as the matrix has rows"] = np.array(
                [len(x) == len(self.matrix) for x in m.p], dtype=bool
            )
        if self._shifts:
            named["target of a shift has a bias"] = np.array(["bias" in x.values for x in m.c], dtype=bool)
            named["link of a shift has no padding"] = np.array([not k.kind.padded for k in m.k], dtype=bool)
        if self._mixes:
            frozen = np.bincount(edges.link[edges.frozen], minlength=len(graph.links))
            named["link has no frozen edges"] = frozen[m.k.rows] == 0
        return named

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Insert one layer per link. The loop is over links, not over edges."""
        if (edges := self.count_edges(m)) > self.max_edges:
            raise RewriteError(
                f"Inserting {len(m):,} layers would make {edges:,} edges, more than max_edges={self.max_edges:,}; "
                "select fewer links or raise the cap."
            )
        moved: dict[int, Array] = {}
        start = get_activation(self.activation).identity_at or {}
        for row, k, source in zip(m.k.rows, m.k, m.p, strict=True):
            old = LinkRows(m.graph, np.array([row])).edges
            offset = m.graph.vertices.offset(k.source)
            used, which = self._used(k, source)
            parents = rw.vertices(rows=offset + used)
            values = dict(start) | ({} if self.shift is None else {"bias": self.shift})
            n = rw.add_layer(
                len(used),
                activation=self.activation,
                name="insert",
                grid=source.output_grid,
                dtype=old.weight.dtype,
                values=values,
            )
            children = rw.vertices(rows=m.graph.vertices.offset(k.target) + k.dst)
            if not self._mixes:
                rw.connect(parents, n, weight=1.0)
                rw.connect(
                    n.take(which), children, weight=k.weight, tap=k.tap, kind=k.kind, port=k.port, frozen=k.frozen
                )
            else:
                shifted = self._mix(rw, k, parents, n, which)
                moved[k.target] = moved.get(k.target, 0.0) + shifted
            if self.full and not self._mixes:
                rw.connect_all(parents, n, weight=0.0)
            rw.remove(old)
        if self._shifts:
            for i, shifted in moved.items():
                rw.set_bias(rw.vertices(m.graph.layer(i)), m.graph.layer(i).bias - shifted)

    def _used(self, k: Link, source: Layer) -> tuple[Array, Array]:
        """Rows of the source that the new layer reads, and the index among them of the source of each edge."""
        if self.matrix is not None:
            return np.arange(len(source)), k.src
        used, which = np.unique(k.src, return_inverse=True)
        return used, which

    def count_edges(self, m: Matches) -> int:
        """Number of edges that inserting layers on these links would make."""
        total = 0
        for k, source in zip(m.k, m.p, strict=True):
            size = len(self._used(k, source)[0])
            total += size * size if self._mixes or self.full else size
            total += size * len(np.unique(_cells(k))) if self._mixes else len(k)
        return total

    def _mix(self, rw: Rewriter, k: Link, parents: VertexRows, n: NewVertices, which: Array) -> Array:
        """Add the edges of `K` from the source, and those of `K^-1 W` to every target and tap that the link reaches.

        Returns:
            Amount by which the new layer's shift raises the sums of the target: `s K^-1 W` summed over taps,
            `(vertices of the target,)`.
        """
        size = len(n)
        dtype = rw.graph.edges.weight.dtype
        matrix: Array = self._matrix(rw, size).astype(dtype).astype(np.float64)  # invert K as stored
        cells, column = np.unique(_cells(k), return_inverse=True)
        weight: Array = np.zeros((size, len(cells)))
        weight[which, column] = k.weight
        weight = np.linalg.solve(matrix, weight)
        source, target = np.repeat(np.arange(size), size), np.tile(np.arange(size), size)
        rw.connect(parents.take(source), n.take(target), weight=matrix.ravel())
        dst, tap = np.divmod(np.tile(cells, size), k.kind.taps)
        children = rw.vertices(rows=rw.graph.vertices.offset(k.target) + dst)
        from_new = n.take(np.repeat(np.arange(size), len(cells)))
        rw.connect(from_new, children, weight=weight.ravel(), tap=tap, kind=k.kind, port=k.port)
        shift = np.zeros(size) if self.shift is None else np.asarray(self.shift).astype(dtype).astype(np.float64)
        stored = weight.astype(dtype).astype(np.float64)
        return np.bincount(cells // k.kind.taps, shift @ stored, minlength=len(rw.graph.layer(k.target)))

    def _matrix(self, rw: Rewriter, size: int) -> Array:
        """Return `K` with its singular values raised, before it is rounded for storage."""
        given = self.matrix
        drawn = rw.rng.normal(0.0, 1.0 / np.sqrt(size), (size, size)) if given is None else given
        matrix: Array = np.asarray(drawn, np.float64)
        left, values, right = np.linalg.svd(matrix)
        floor = 0.1
        if given is not None:
            double = rw.graph.edges.weight.dtype == np.float64
            floor = self.floor or (FLOOR_DOUBLE if double else FLOOR_SINGLE)
        clipped = np.maximum(values, floor * values.mean()) if self.mix != "orthogonal" else np.ones(size)
        return np.asarray((left * clipped) @ right)

    def claim(self, m: Matches) -> Level | None:
        """Exact, unless a mix is rounded or the activation only approximates the identity."""
        if get_activation(self.activation).keeps(Layer.slope) == "nothing":
            double = any(k.weight.dtype == np.float64 for k in m.graph.links)
            return "bounded" if double else "exact up to rounding"
        # The rotation of a single vertex is 1 or -1, which no rounding changes.
        signs = self.mix == "orthogonal" and all(len(np.unique(k.src)) == 1 for k in m.k)
        return "exact" if not self._mixes or signs else "exact up to rounding"


def _cells(k: Link) -> Array:
    """Return the number of the cell of every edge, `target row * taps + tap`, `(edges,)`."""
    return np.asarray(k.dst.astype(np.int64) * k.kind.taps + k.tap)
