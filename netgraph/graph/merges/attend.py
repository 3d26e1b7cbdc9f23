"""Attention: heads as vertices."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from netgraph.checks import flag, number
from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.grid import Grid
from netgraph.graph.merges.change import ComputedRead, MergeChange, magnitude
from netgraph.graph.merges.merge import Merge, PortRead, starts_of
from netgraph.graph.outward import EPS, Pair, sum_bounds


@dataclass(frozen=True)
class Attend(Merge):
    """Attention weights of heads: each vertex is a head on the grid `(queries, keys)`.

    `z(t, s) = softmax over s of scale * sum_j R q_j(t) . R k_j(s)` (Vaswani et al. 2017, arXiv:1706.03762, equation
    1). The tap of a wire is its slot `j`: port 0 reads the queries, port 1 the keys, and each head multiplies the query
    and the key of one slot. Heads may have different numbers of slots, and may share sources.

    Attributes:
        scale: factor of the logits, often `1 / sqrt(slots)`. It is stored, so that a head with more slots can still
            compute the same function.
        causal: whether query `t` sees only the keys `s <= t`.
        frequencies: angles per position in radians, one per pair of slots `(2i, 2i + 1)`, by which rotary position
            embedding turns the pair at position `t`: `(a cos(t f) - b sin(t f), a sin(t f) + b cos(t f))` (Su et al.
            2021, arXiv:2104.09864, equation 34). Empty for no rotation.
    """

    scale: float
    causal: bool = False
    frequencies: tuple[float, ...] = ()

    name = "attend"
    slotted = True
    gives_heads = True
    operates = False
    constant = "vanishes"
    port_names = ("queries", "keys")

    def __post_init__(self) -> None:
        own = self.__dict__  # a frozen dataclass is filled through its dictionary
        own["scale"] = number("Attend: scale", self.scale, error=GraphError)
        own["causal"] = flag("Attend: causal", self.causal, error=GraphError)
        if isinstance(self.frequencies, str) or not np.iterable(self.frequencies):
            raise GraphError(f"Attend: frequencies={self.frequencies!r} is no sequence; give one angle per slot pair.")
        own["frequencies"] = tuple(
            number(f"Attend: frequencies[{i}]", f, error=GraphError) for i, f in enumerate(self.frequencies)
        )

    @property
    def words(self) -> tuple[str, ...]:
        """Texts for the heads, the causal mask and the rotation."""
        return ("attention", *(["causal"] if self.causal else []), *(["rotary"] if self.frequencies else []))

    def output_grid(self, ports: tuple[Grid, Grid]) -> Grid:
        """Grid `(queries, keys)`. Raises `GraphError` when a port does not read tokens."""
        for port, grid in enumerate(ports):
            if len(grid) != 1:
                raise GraphError(f"attention reads tokens, on a grid of one axis, and port {port} has the grid {grid}")
        return (*ports[0], *ports[1])

    def evaluate(self, reads: tuple[PortRead, PortRead], width: int) -> Array:
        """Compute the attention weights of each head."""
        starts = starts_of(reads[0].dst, width)
        heads = []
        for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            q, k = (self._turned(read.values[:, read.src[start:stop]], read.slot[start:stop]) for read in reads)
            logits = self.scale * (q.swapaxes(1, 2) @ k)
            if self.causal:
                logits[:, ~self.visible(logits.shape[1:])] = -np.inf
            logits -= logits.max(axis=-1, keepdims=True)
            weights = np.exp(logits, out=logits)
            heads.append(weights / weights.sum(axis=-1, keepdims=True))
        return np.stack(heads, axis=1)

    def visible(self, grid: Grid) -> Array:
        """Mask of the keys that each query sees, `(queries, keys)`."""
        queries, keys = grid
        return np.arange(keys) <= np.arange(queries)[:, None] if self.causal else np.ones(grid, bool)

    def flops(self, ports: tuple[Grid, Grid], wires: int) -> int:
        """Two per slot, query and key, also where the key is hidden: those of the logits."""
        return 2 * math.prod(self.output_grid(ports)) * wires

    def unit(self, slot: Array) -> Array:
        """Each slot is a unit; with frequencies, each pair of slots that are turned together."""
        return slot // 2 if self.frequencies else slot

    def _turned(self, values: Array, slot: Array) -> Array:
        """Turn the pairs of slots of one head, `(batch, slots, positions)`, by their angles."""
        if not self.frequencies:
            return values
        angle = np.array(self.frequencies)[slot[::2] // 2][:, None] * np.arange(values.shape[2])
        a, b = values[:, ::2], values[:, 1::2]
        turned = np.empty_like(values)
        turned[:, ::2], turned[:, 1::2] = a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
        return turned

    def interval(self, first: Pair, second: Pair, width: int) -> Pair:
        """Interval `[0, 1]`."""
        return np.zeros(width), np.ones(width)

    # -- bounds -----------------------------------------------------------------------------------

    def factor(self, port: int) -> float:
        """Factor of the reads: the scale, for the keys."""
        return self.scale if port == 1 else 1.0

    def frequency(self, slot: int) -> float:
        """Frequency of the pair of a slot."""
        return self.frequencies[slot // 2] if self.frequencies else 0.0

    @property
    def core(self) -> Attend:
        """The attention without scale and frequencies: whether it is causal."""
        return replace(self, scale=1.0, frequencies=())

    def change(self, change: MergeChange) -> Pair:
        """Bounds by the change of the logits: a head moves at most `tanh(range / 4)` of its weight.

        A number that is added to all logits of a query changes nothing, so only the range of their change counts. If it
        is `r`, the odds of any set of keys change by a factor of at most `exp(r)`, so that its weight changes by at
        most `tanh(r / 4)`.
        """
        parts = [self._straight(change, change.frequency == 0), self._turning(change, change.frequency != 0)]
        row, least, most = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        low, high = sum_bounds(row, least, most, change.width)
        used = np.zeros(change.width, dtype=bool)
        used[row[(least != 0) | (most != 0)]] = True
        with np.errstate(over="ignore"):
            moved = np.minimum(np.tanh((high - low) / 4) * (1 + 1e-12), 1.0)
        moved = np.where(used, moved, 0.0)
        return -moved, moved

    def _straight(self, change: MergeChange, chosen: Array) -> tuple[Array, Array, Array]:
        """Rows and bounds of the changes of the logits by slots that nothing turns."""
        low, high = change.of_products()
        return change.row[chosen], low[chosen], high[chosen]

    def _turning(self, change: MergeChange, chosen: Array) -> tuple[Array, Array, Array]:
        """Rows and bounds of the changes of the logits by pairs of slots, by the lengths of the pairs."""
        columns = (change.row[chosen], change.slot[chosen] // 2, change.frequency[chosen])
        pairs, which = np.unique(np.stack([c.astype(np.float64) for c in columns], axis=1), axis=0, return_inverse=True)

        def length(pair: Pair) -> Array:
            squares = np.bincount(which.ravel(), weights=magnitude(pair)[chosen] ** 2, minlength=len(pairs))
            return np.where(squares == 0, 0.0, np.sqrt(squares) * (1 + 1e-12) + 1e-145)

        def product(one: Array, two: Array) -> Array:
            return np.where((one == 0) | (two == 0), 0.0, one * two)

        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            (q, k), (q_new, k_new), (dq, dk) = (
                (length(a), length(b)) for a, b in (change.old, change.new, change.moved)
            )
            sizes = (
                product(q_new, dk) + product(dq, k),
                product(q, dk) + product(dq, k_new),
                product(q, k) + product(q_new, k_new),
            )
            most = np.minimum.reduce(sizes) * (1 + 1e-12)
        return pairs[:, 0].astype(np.int64), -most, most

    def rounding(self, first: ComputedRead, second: ComputedRead, width: int) -> tuple[Array, Array]:
        """Bound the error by that of the logits, which is an error of the odds of each key, and of the softmax."""
        keys = second.positions
        (q, q_error), (k, k_error) = self._turned_error(first), self._turned_error(second)
        with np.errstate(invalid="ignore", over="ignore"):
            slots = np.bincount(first.dst, minlength=width)
            size, error = (
                abs(self.scale) * np.bincount(first.dst, weights=part, minlength=width)
                for part in (q * k, q * k_error + k * q_error)
            )
            error = error + (slots + 4) * EPS * size
            # The exponent is a difference of logits; each exponential, their sum and the quotient are rounded again.
            odds = 2 * (error + 2 * EPS * (size + error) + 4 * EPS) + (keys + 8) * EPS
            spread = np.expm1(odds) * (1 + 1e-9) + keys * 1e-290
        known = np.isfinite(size) & np.isfinite(error)
        return np.where(known, np.minimum(spread, 1.01), np.inf), np.where(known, np.minimum(spread, 2.01), np.inf)

    def _turned_error(self, read: ComputedRead) -> tuple[Array, Array]:
        """Largest magnitudes of the computed reads after the rotation, and bounds on their errors, `(wires,)` each."""
        size, error = read.size, read.error
        if not self.frequencies:
            return size, error
        size, error = (np.repeat(part[::2] + part[1::2], 2) for part in (size, error))
        angle = np.abs(np.array(self.frequencies))[read.slot // 2] * read.positions
        error = error + (angle + 8) * EPS * (size + error)
        return size + error, error
