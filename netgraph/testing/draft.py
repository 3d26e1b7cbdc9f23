"""Drafts of random graphs: a builder with the functions that draw its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from hypothesis import strategies as st

from netgraph.checks import Checked, Extended
from netgraph.columns import Array
from netgraph.graph import (
    DOMAIN_COLUMNS,
    Attend,
    Conv2d,
    Dense,
    Graph,
    GraphBuilder,
    Grid,
    Identity,
    Pool,
    get_activation,
    get_norm,
)
from netgraph.testing.values import (
    TAPE,
    Weights,
    column_values,
    off_grid,
    pick,
    some_of,
    weights_of,
)

T = TypeVar("T")


class DrawFunction(Protocol):
    """Function that Hypothesis passes to a composite strategy, to draw values."""

    def __call__(self, strategy: st.SearchStrategy[T], label: object = None) -> T:
        """Draw a value of a strategy."""


@dataclass(frozen=True, kw_only=True)
class GraphOptions(Checked):
    """Limits and choices for the parts of a drawn graph, see `graphs`."""

    activations: tuple[str, ...]
    norms: tuple[str, ...]
    pools: tuple[str, ...]
    min_layers: int
    max_layers: int
    max_width: int
    max_inputs: int
    max_outputs: int
    max_side: int
    max_positions: int
    max_heads: int
    domains: tuple[tuple[Extended, Extended], ...]
    weights: tuple[Weights, ...]
    dtypes: tuple[Any, ...]
    bias: bool | None


class GraphDraft:
    """A random graph under construction.

    Attributes:
        draw: function that draws values.
        options: limits and choices.
        weights: kind of weights, drawn once for the whole graph.
        builder: builder of the graph.
        grids: output grid of each layer, by name, in the order of addition.
        sizes: number of vertices of each layer, by name.
    """

    def __init__(self, draw: DrawFunction, options: GraphOptions) -> None:
        self.draw = draw
        self.options = options
        self.weights = self.one_of(options.weights)
        dtypes = (np.float32,) if self.weights == "float32" else options.dtypes
        self.builder = GraphBuilder(dtype=self.one_of(dtypes))
        self.grids: dict[str, Grid] = {}
        self.sizes: dict[str, int] = {}

    # -- drawing ----------------------------------------------------------------------------------

    def one_of(self, values: tuple[T, ...]) -> T:
        """Draw one of the values. The first is the simplest."""
        return values[0] if len(values) == 1 else self.draw(st.sampled_from(values))

    def number(self, low: int, high: int) -> int:
        """Draw a whole number from `low` to `high`. The lowest is the simplest."""
        return low if high <= low else self.draw(st.integers(low, high))

    def coin(self) -> bool:
        """Draw a truth value. False is the simplest."""
        return self.draw(st.booleans())

    def width(self) -> int:
        """Draw the number of vertices of a layer."""
        return self.number(1, self.options.max_width)

    def tape(self) -> bytes:
        """Draw the bytes of a column."""
        return self.draw(TAPE)

    def fine(self) -> bytes:
        """Draw bytes that move values off the multiples of 1/8; b"" when all values are dyadic."""
        return self.draw(TAPE) if self.weights in ("float32", "float64") else b""

    def pool(self, grid: Grid) -> Pool | None:
        """Draw a pool that fits on a grid, or None."""
        return self.some_pool(grid) if grid and self.options.pools and self.coin() else None

    def some_pool(self, grid: Grid) -> Pool:
        """Draw a pool that fits on a grid. Its area is a power of two, so that averages are dyadic."""
        size = tuple(self.number(1, min(2, g)) for g in grid)
        stride = (1,) * len(grid) if self.coin() else None
        padding = tuple(k // 2 for k in size) if self.coin() else None
        return Pool(self.one_of(self.options.pools), size, stride, padding)  # type: ignore[arg-type]

    def group(self, action: Callable[[], T]) -> T:
        """Call an action whose draws form one span, which Hypothesis can leave out as a whole."""
        return self.draw(st.builds(action))

    # -- layers -----------------------------------------------------------------------------------

    def input(self, domain: tuple[float, float], grid: Grid = ()) -> str:
        """Add an input layer, and return its name."""
        name = self._name("x")
        self.builder.input(name, self.width(), domain=domain, grid=grid)
        return self._record(name, grid)

    def ids(self, grid: Grid) -> str:
        """Add an input layer of ids, and return its name."""
        name = self._name("x")
        self.builder.input(name, self.width(), encoding="index", grid=grid)
        return self._record(name, grid)

    def positions(self, grid: Grid) -> str:
        """Add a layer that is 1 at one position per vertex, and return its name."""
        name = self._name("p")
        self.builder.positions(name, grid)
        return self._record(name, grid)

    def hidden(
        self,
        grid: Grid = (),
        *,
        size: int | None = None,
        activation: str | None = None,
        norm: str | None = None,
        pool: Pool | None = None,
    ) -> str:
        """Add a hidden layer, and return its name. Size, activation and norm are drawn if they are not given."""
        name = self._name("h")
        activation = activation or self.one_of(self.options.activations)
        slope = {"slope": 0.25} if get_activation(activation).uses_slope else {}  # the default slope is not dyadic
        self.builder.layer(
            name,
            size or self.width(),
            grid=grid,
            pool=pool,
            bias=self._bias(),
            activation=activation,
            norm=norm or self.one_of(self.options.norms),
            **slope,  # type: ignore[arg-type]
        )
        return self._record(name, pool.output_grid(grid) if pool else grid)

    def product(self, gate: str, up: str) -> str:
        """Add the product of two layers, and return its name."""
        name = self._name("m")
        self.builder.product(name, gate, up)
        return self._record(name, self.grids[gate])

    def attend(self, queries: str, keys: str, heads: int, merge: Attend) -> str:
        """Add the heads that read these queries and keys, and return the name of their layer.

        Queries are split evenly among heads, keys among groups of heads. At times some heads have fewer slots.
        """
        name, grid = self._name("a"), (*self.grids[queries], *self.grids[keys])
        slots = self.sizes[queries] // heads
        groups = self.sizes[keys] // slots
        together = 2 if merge.frequencies else 1  # slots that are there both or not at all
        if slots == together or not self.coin():
            self.builder.attend(
                name, queries, keys, heads=heads, scale=merge.scale, causal=merge.causal, frequencies=merge.frequencies
            )
            return self._record(name, grid)
        kept = np.repeat(some_of(self.tape(), heads * slots // together).reshape(heads, -1), together, axis=1)
        kept[:, :together] |= ~kept.any(axis=1, keepdims=True)
        head, slot = np.nonzero(kept)
        self.builder.layer(name, heads, activation="identity", bias=False, grid=grid, merge=merge)
        for port, source, row in ((0, queries, head), (1, keys, head // (heads // groups))):
            self.builder.edges(
                source, name, row * slots + slot, head, weight=1.0, tap=slot, kind=Identity(), frozen=True, port=port
            )
        return self._record(name, grid)

    def mix(self, attention: str, values: str, groups: int) -> str:
        """Add the mix of these values by heads, which share them in groups, and return its name."""
        name = self._name("m")
        self.builder.mix(name, attention, values, groups=groups)
        return self._record(name, self.grids[attention][:1])

    def output(self, grid: Grid = (), *, size: int | None = None) -> str:
        """Add an output layer, and return its name."""
        name = self._name("y")
        self.builder.output(name, size or self.width(), grid=grid, bias=self._bias())
        return self._record(name, grid)

    def _name(self, letter: str) -> str:
        count = sum(name.startswith(letter) for name in self.grids)
        return f"{letter}{count}" if count else letter

    def _bias(self) -> bool:
        return not (self.coin() and self.coin()) if self.options.bias is None else self.options.bias

    def _record(self, name: str, grid: Grid) -> str:
        self.grids[name] = grid
        self.sizes[name] = len(self.builder._get(name))
        return name

    # -- links ------------------------------------------------------------------------------------

    def join(self, source: str, target: str, kind: Dense | Conv2d | None = None) -> None:
        """Link two layers by all or some of the admissible edges of the kind."""
        kind = kind or Dense()
        n, m = self.sizes[source], self.sizes[target]
        dst, src, tap = np.unravel_index(np.arange(n * m * kind.taps), (m, n, kind.taps))
        if self.coin():
            chosen = some_of(self.tape(), len(dst))
            dst, src, tap = dst[chosen], src[chosen], tap[chosen]
        weight = weights_of(self.tape(), self.fine(), len(dst), self.weights)
        self.builder.edges(source, target, src, dst, weight=weight, tap=tap, kind=kind)

    def wire(self, source: str, target: str, stride: tuple[int, int] = (1, 1)) -> None:
        """Link two layers by wires."""
        self.builder.identity(source, target, stride=stride)

    def place(self, source: str, target: str, offset: int) -> None:
        """Link two layers by wires that read the position earlier by an offset."""
        self.builder.place(source, target, offset)

    def finish(self) -> Graph:
        """Build the graph, with drawn biases, norms and activation parameters."""
        graph = self.builder.build()
        fill = {name for layer in graph.layers_by_id.values() for name in layer.values} - set(DOMAIN_COLUMNS)
        columns: dict[str, Array] = {name: np.zeros(graph.num_vertices) for name in sorted(fill)}
        for i, layer in graph.layers_by_id.items():
            start, norm = graph.vertices.offset(i), get_norm(layer.norm)
            for name in sorted(layer.values.keys() & columns.keys()):
                values = pick(self.tape(), column_values(name), len(layer))
                exact = name in norm.buffers  # a variance must stay positive
                columns[name][start : start + len(layer)] = (
                    values if exact else off_grid(values, self.fine(), self.weights)
                )
        return graph.with_weights(vertices=columns)


Recipe = Callable[[GraphDraft], None]
