"""Attention: heads as vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.checks import flag, number
from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.grid import Grid
from netgraph.graph.merges.merge import Merge, PortRead, starts_of
from netgraph.graph.outward import Pair


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
            logits = self.scale * np.einsum("bjt,bjs->bts", q, k)
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
