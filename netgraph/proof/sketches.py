"""Sketches of vertices: short rows of numbers that are close where two vertices have close values.

The sketch of a sum is the sum of the sketches that it reads, each times its weight, so it does not depend on the order
of rows, and shares of one value add up. Sketches only suggest which vertices correspond; no proof rests on them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array, digest, freeze
from netgraph.graph import get_activation, get_norm, port_wires
from netgraph.graph.bounds import normalise_interval
from netgraph.proof.known import operation, plain
from netgraph.proof.operators import POINTWISE, ZERO, Operators

if TYPE_CHECKING:
    from netgraph.graph import Graph, Layer, Link

WIDTH = 16
"""Numbers of a sketch."""

EQUAL = 1e-6
"""Largest distance of the keys of vertices that count as equal: room for weights that were rounded to float32."""

CLOSE = 0.1
"""Largest distance of the keys of vertices that count as versions of one vertex."""

LIGHT = 0.01
"""Weight of the parameters of a vertex in its key: equal sums differ by them, but they count less than a sum."""

NOTHING = -30.0
"""Logarithm that stands for the length of a sum of nothing, far from that of any other sum."""


def noise(*key: object, rows: int) -> Array:
    """Pseudo-random rows of length near 1 that depend on the key alone, `(rows, WIDTH)`."""
    seed = int.from_bytes(digest(repr(key))[:8], "little")
    return np.asarray(np.random.default_rng(seed).normal(size=(rows, WIDTH)) / math.sqrt(WIDTH))


@functools.cache
def noise_of(*key: object) -> Array:
    """Return one such row, `(1, WIDTH)`, the same array each time: one that nobody writes to."""
    return freeze(noise(*key, rows=1))


SIDE = np.linspace(1.0, 2.0, WIDTH)
"""Direction by which one of two opposite sums is chosen."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """Sums of the vertices of one layer, before the activation.

    Attributes:
        sum: sketches of the sums, behind a batch norm in eval mode, `(vertices, WIDTH)`.
        key: coordinates of the vertices, `(vertices, WIDTH + 1)`: vertices of one operation with close keys have close
            sums, up to `sign` and `scale`, and close parameters.
        likeness: coordinates by which rows of one layer are compared with rows of another: the keys, but without the
            parameters under a norm of the whole layer.
        scale: length of the sum where `f(k t) = k f(t)`, else 1, `(vertices,)`.
        sign: -1 where the key is that of the opposite sum, because there is a rule `f(-t) = a f(t) + b t + c`; else 1.
        linear: factor from sum to value where the activation is linear on all possible sums, else NaN, `(vertices,)`.
        mirror: a, b and c of the rule.
        constant: whether the sum has the same value for all inputs, `(vertices,)`.
        fixed: value of constant vertices, NaN where it is not known, `(vertices,)`.
    """

    sum: Array
    key: Array
    likeness: Array
    scale: Array
    sign: Array
    linear: Array
    mirror: tuple[Any, Any, Any]
    constant: Array
    fixed: Array

    @property
    def direct(self) -> Array:
        """Keys by which changed vertices are compared, each of its own sum, not the opposite one."""
        result = self.likeness.copy()
        result[:, :WIDTH] *= self.sign[:, None]
        return result

    def values(self, own: Array) -> Array:
        """Sketches of the values of the vertices, `(vertices, WIDTH)`.

        Args:
            own: numbers that stand for the value at the sum of the key and a scale of 1, `(vertices, WIDTH)`.
        """
        a, b, c = (np.broadcast_to(part, len(own))[:, None] for part in self.mirror)
        value = self.scale[:, None] * own
        value = np.where(self.sign[:, None] > 0, value, a * value - b * self.sum + c * noise_of("one"))
        linear = np.isfinite(self.linear)[:, None]
        with np.errstate(invalid="ignore"):
            value = np.where(linear, self.linear[:, None] * self.sum, value)
            return np.where(
                (self.constant & np.isfinite(self.fixed))[:, None], self.fixed[:, None] * noise_of("one"), value
            )


class Sketches:
    """Sketches of the vertices of a graph, layer by layer in topological order.

    Args:
        graph: the graph.
        operators: numbers of the maps of positions, shared by the graphs that are compared.

    Attributes:
        values: sketches of the values of all vertices, in the order of `graph.vertices`.
        layers: sketches of the sums by layer id.
    """

    def __init__(self, graph: Graph, operators: Operators) -> None:
        self.graph, self._operators = graph, operators
        self.values = np.zeros((graph.num_vertices, WIDTH))
        self.layers: dict[int, Sketch] = {}
        self._bounds = graph.bounds()

    def rows(self, layer: Layer) -> slice:
        """Flat rows of a layer."""
        start = self.graph.vertices.offset(layer.id)
        return slice(start, start + len(layer))

    def look(self, layer: Layer) -> Sketch:
        """Sketch the sums of a layer, whose sources have their values. O(edges into the layer)."""
        if layer.id not in self.layers:
            self.layers[layer.id] = self._sketch(layer)
        return self.layers[layer.id]

    def _sketch(self, layer: Layer) -> Sketch:
        total = self._sum(layer) if layer.merge is None else self._merged(layer)
        if layer.bias is not None:
            total = total + layer.bias[:, None].astype(np.float64) * noise_of("one")
        columns = {name: np.asarray(values, np.float64) for name, values in layer.values.items()}
        norm = get_norm(layer.norm)
        if norm.affine is not None:
            factor, _, centre, shift = norm.affine(columns, layer.norm_epsilon)
            total = factor[:, None] * total + (shift - factor * centre)[:, None] * noise_of("one")
        activation = get_activation(layer.activation)
        length = np.linalg.norm(total, axis=1)
        scale, sign, linear = np.ones(len(layer)), np.ones(len(layer)), np.full(len(layer), np.nan)
        mirror: tuple[Any, Any, Any] = (1.0, 0.0, 0.0)
        if plain(layer) or (norm.affine is not None and layer.pool is None and layer.merge is None):
            at = self.rows(layer)
            z = normalise_interval(layer, self._bounds.z_low[at], self._bounds.z_high[at], "eval")
            linear = activation.affine(*z, columns, layer.slope)[0]
            if activation.homogeneous:
                scale = np.where(length > 0, length, 1.0)
            if activation.mirror is not None:
                sign = np.where(total @ SIDE < 0, -1.0, 1.0)
                mirror = activation.mirror(columns, layer.slope)[:3]
        bare = _coordinates(total, length, scale, sign)
        key = bare + _parameters(layer)
        one = noise_of("one")
        level = (total @ one.T)[:, 0] / float((one * one).sum())
        constant = np.linalg.norm(total - level[:, None] * one, axis=1) <= 1e-9 * length
        fixed = np.full(len(layer), np.nan)
        if norm.identity or norm.affine is not None:
            fixed = activation.function(level[None], columns, layer.slope)[0]
        elif norm.standard == "uncentred":
            of_zero = activation.function(columns.get("shift", np.zeros(len(layer)))[None], columns, layer.slope)[0]
            fixed = np.where(length == 0, of_zero, np.nan)
        likeness = bare if norm.couples_vertices else key
        return Sketch(total, key, likeness, scale, sign, linear, mirror, constant, fixed)

    def _sum(self, layer: Layer) -> Array:
        total = np.zeros((len(layer), WIDTH))
        for link in self.graph.incoming[layer.id]:
            total += self._arriving(link, layer)
        return total

    def _arriving(self, link: Link, layer: Layer) -> Array:
        """Sum over the edges of one link, `(targets, WIDTH)`."""
        from scipy import sparse

        source = self.graph.layer(link.source)
        factor = self._tap_factors(self._operators.of_link(link.kind, source.output_grid, layer.grid))
        taps = len(factor)
        read = self.values[self.rows(source)]
        if taps > 1 or not (factor == 1).all():
            read = (read[:, None, :] * factor).reshape(-1, WIDTH)
        column = link.src.astype(np.int64) * taps + link.tap if taps > 1 else link.src
        first = np.searchsorted(link.dst, np.arange(len(layer) + 1))
        shape = (len(layer), len(read))
        weights = sparse.csr_matrix((link.weight.astype(np.float64), column, first), shape=shape)
        return np.asarray(weights @ read)

    @staticmethod
    def _tap_factors(operators: Array) -> Array:
        """Factors of what each tap reads, `(taps, WIDTH)`: 1 at the same position, 0 where only zeros are read."""
        fixed = {POINTWISE: np.ones((1, WIDTH)), ZERO: np.zeros((1, WIDTH))}
        parts = [fixed[n] if n in fixed else noise_of("operator", n) * math.sqrt(WIDTH) for n in operators.tolist()]
        return np.concatenate(parts)

    def _merged(self, layer: Layer) -> Array:
        """Sketches of merges: sums of products, which do not depend on the order of slots."""
        merge = layer.merge
        assert merge is not None
        reads = []
        for port, wires in enumerate(port_wires(self.graph, layer.id)):
            starts = np.array([self.graph.vertices.offset(i) for i in wires.sources], dtype=np.int64)
            reads.append(self.values[starts[wires.source] + wires.src] * merge.factor(port))
        first, second = reads
        product = (first if merge.commutes else np.roll(first, 1, axis=1)) * second * math.sqrt(WIDTH)
        slots, place = np.unique(wires.slot, return_inverse=True)
        turns = [merge.frequency(slot) for slot in slots.tolist()]
        if any(turns):
            factor = [noise_of("turn", turn) * math.sqrt(WIDTH) if turn else np.ones((1, WIDTH)) for turn in turns]
            product = product * np.concatenate(factor)[place]
        total = np.zeros((len(layer), WIDTH))
        np.add.at(total, wires.dst, product)
        return total


def _coordinates(total: Array, length: Array, scale: Array, sign: Array) -> Array:
    """Directions of sums, and logarithms of their lengths over their scales, `(vertices, WIDTH + 1)`."""
    some = length > 0
    result = np.zeros((len(total), WIDTH + 1))
    result[some, :WIDTH] = total[some] / length[some, None] * sign[some, None]
    with np.errstate(divide="ignore"):
        result[:, WIDTH] = np.where(some, np.log(length / scale), NOTHING)
    return result


def _parameters(layer: Layer) -> Array:
    """Part of the keys for the parameters of the vertices and the epsilon of the norm, `(vertices, WIDTH + 1)`."""
    result = np.zeros((len(layer), WIDTH + 1))
    norm = get_norm(layer.norm)
    folded = set() if norm.affine is None else set(norm.columns)
    for name in sorted(set(layer.values) - {"bias", "low", "high"} - folded):
        result[:, :WIDTH] += layer.values[name][:, None].astype(np.float64) * noise_of("parameter", name)
    if not norm.identity and norm.affine is None:
        result[:, :WIDTH] += math.log(layer.norm_epsilon) * noise_of("epsilon")
    return LIGHT * result


def kind_of(layer: Layer) -> tuple[Any, ...]:
    """Operation of a layer in eval mode, without parameters and epsilon; norms that fold count as none."""
    what = operation(layer)._replace(epsilon=None)
    return tuple(what if get_norm(layer.norm).affine is None else what._replace(norm="none"))


class Neighbours:
    """Rows of numbers among which the nearest ones are found. Building it costs O(rows log rows)."""

    def __init__(self, rows: Array) -> None:
        from scipy.spatial import cKDTree

        self._tree = cKDTree(rows) if len(rows) else None

    def near(self, asked: Array, most: float) -> tuple[Array, Array]:
        """Nearest row to each row of `asked`, -1 where none is within `most`; and the distances, infinite there.

        Costs about O(asked log rows) for small `most`.
        """
        if self._tree is None or not len(asked):
            return np.full(len(asked), -1, dtype=np.int64), np.full(len(asked), np.inf)
        distance, place = self._tree.query(asked, distance_upper_bound=most)
        return np.where(np.isfinite(distance), place, -1).astype(np.int64), distance


def groups(key: Array) -> Array:
    """First row with the same key, for each row of `(rows, columns)`: `(rows,)`. O(rows log rows)."""
    at = np.round(key @ np.linspace(1.0, 2.0, key.shape[1]), 7)
    _, first, place = np.unique(at, return_index=True, return_inverse=True)
    return np.asarray(first[place])
