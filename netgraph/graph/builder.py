"""Construction of graphs, layer by layer and link by link."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netgraph.checks import Seed, generator, real_numbers, share, whole
from netgraph.columns import Array, freeze
from netgraph.errors import GraphError, unknown_name
from netgraph.graph.given import axis_pair, cells_along, edge_rows, layer_size, weight_dtype
from netgraph.graph.graph import Graph
from netgraph.graph.grid import Grid
from netgraph.graph.initialise import Init, check_init, draw_weights
from netgraph.graph.kinds import Conv2d, Dense, Identity, LinkKind, Place
from netgraph.graph.layer import Encoding, Layer, Pool, Role, check_operation, full_columns, required_columns
from netgraph.graph.link import LARGEST_PORT, Link, LinkKey, edge_columns
from netgraph.graph.merges import Attend, Merge, Mix, Product
from netgraph.graph.norms import variance_columns
from netgraph.graph.wires import LARGEST_SLOT

Domain = tuple[Any, Any]


class GraphBuilder:
    """Builder of a graph from layers and links: it gives out ids, draws weights, and validates the result.

    Methods refer to layers by name. Biases and shifts of norms start at 0, and scales of norms at 1, by default.

    Args:
        seed: seed of the initial weights.
        dtype: precision of weights and trained vertex columns, float32 or float64.
        init: distribution of the weights. The fan-in of a vertex counts its edges from one link, that is, from one
            call of `dense` or `conv2d`; it is 1 for rows of a table, of which one acts at a time: from positions, and
            from inputs with the encoding "index". "uniform": uniform in `[-1/sqrt(fan_in), 1/sqrt(fan_in)]`, as in
            `torch.nn.Linear`. "kaiming": normal with variance `2/fan_in`, which keeps the variance of activations
            constant across layers of ReLU (He et al. 2015, arXiv:1502.01852, section 2.2, equation 10).

    Raises:
        OptionError: for another dtype, an unknown `init`, and a seed that is not a whole number of at least 0.

    Example:
        >>> b = GraphBuilder(seed=1)
        >>> b.input("x", 2, domain=(0, 1))
        'x'
        >>> b.output("y", 1)
        'y'
        >>> b.dense("x", "y")
        >>> b.build()
        Graph(2 layers [x:2, y:1], 3 vertices, 2 edges, density 1)
    """

    def __init__(self, *, seed: Seed | None = 0, dtype: Any = np.float32, init: Init = "uniform") -> None:
        self._dtype = weight_dtype(dtype)
        check_init(init)
        self._init: Init = init
        self._rng = generator("seed", seed)
        self._layers: dict[str, Layer] = {}
        self._links: dict[LinkKey, Link] = {}
        self._next_vertex = 0
        self._next_edge = 0

    # -- layers -----------------------------------------------------------------------------------

    def input(
        self,
        name: str,
        size: int,
        *,
        domain: Domain | None = None,
        grid: Grid = (),
        encoding: Encoding = "values",
    ) -> str:
        """Add an input layer and return its name.

        `domain` is the interval `(low, high)` of its values; each end is a number, or one number per vertex. None
        leaves it unbounded. With the encoding "index" the data are whole numbers, `(batch, *grid)`: the row of the
        vertex that is 1, out of `size`; the domain then is `(0, 1)`.
        """
        size, values = layer_size(name, size), {}
        if domain is None:
            domain = (0, 1) if encoding == "index" else (-np.inf, np.inf)
        if isinstance(domain, str) or not isinstance(domain, Sequence | np.ndarray) or len(domain) != 2:
            raise GraphError(f"Input {name!r}: domain={domain!r} is no pair; give (low, high).")
        for key, bound in zip(("low", "high"), domain, strict=True):
            given = real_numbers(f"Input {name!r}: {key} of the domain", bound, infinite=True, error=GraphError)
            if given.shape not in ((), (1,), (size,)):
                raise GraphError(
                    f"Input {name!r}: the domain has {given.size} values for {size} vertices; give one or {size}."
                )
            values[key] = np.broadcast_to(given, (size,)).copy()
        return self._add(name, size, "input", values, grid=grid, encoding=encoding)

    def positions(self, name: str, grid: Grid) -> str:
        """Add a layer with one vertex per position of `grid`, which is 1 there and 0 elsewhere; return its name.

        A dense link from it is a table of learned positions; one from a single vertex of it is a class token.
        """
        if not grid:
            raise GraphError(f"Layer {name!r}: the grid () has no positions; give the grid of the layer that reads it.")
        return self._add(name, layer_size(name, math.prod(grid)), "position", {}, grid=grid)

    def layer(
        self,
        name: str,
        size: int,
        *,
        activation: str = "relu",
        bias: Any = True,
        values: Mapping[str, Any] | None = None,
        grid: Grid = (),
        norm: str = "none",
        pool: Pool | None = None,
        role: Role = "hidden",
        **attributes: Any,
    ) -> str:
        """Add a layer and return its name.

        Args:
            name: name of the layer.
            size: number of vertices.
            activation, norm, pool, grid, role: see `Layer`.
            bias: True for biases of 0, False for no biases, or the biases: one number, or one number per vertex.
            values: vertex columns with other than the default starting values, by name, each one number or one number
                per vertex: `bias`, columns of the norm (`scale`, `shift`, and of batch norm `mean` and `var`), and
                parameters of the activation.
            attributes: further attributes of `Layer` (`slope`, `norm_epsilon`, `norm_momentum`, `merge`).

        Raises:
            GraphError: when a value is wrong; the message names the layer, the column and the value.
        """
        size = layer_size(name, size)
        check_operation(name, norm, activation)
        columns = full_columns(required_columns(role, norm, activation), size, self._dtype)
        if isinstance(bias, bool | np.bool_):
            given = dict(values or {})
        elif np.ndim(bias) == 0 and not isinstance(bias, float | np.floating):
            raise GraphError(
                f"Layer {name!r}: bias={bias!r} is neither True nor False nor biases; give floats for biases, "
                f"such as bias={float(bias) if isinstance(bias, int) else 0.0}."
            )
        else:
            given = {"bias": bias, **(values or {})}
            if "bias" in (values or {}):
                raise GraphError(f"Layer {name!r} gets biases twice, by bias= and by values=; leave out one of them.")
        if not isinstance(bias, bool | np.bool_) or bias:
            columns["bias"] = np.zeros(size, self._dtype)
        for key, value in given.items():
            columns[key] = self._column(name, key, value, columns)
        return self._add(
            name, size, role, columns, grid=grid, activation=activation, norm=norm, pool=pool, **attributes
        )

    def _column(self, layer: str, name: str, value: Any, columns: Mapping[str, Array]) -> Array:
        """Make a vertex column from one number, or from one number per vertex."""
        if name not in columns:
            raise GraphError(
                f"Layer {layer!r} has no vertex column {name!r}; with this norm, activation and bias it has "
                f"{sorted(columns)}."
            )
        size = len(columns[name])
        where = f"Layer {layer!r}: {name}"
        numbers = real_numbers(where, value, dtype=self._dtype, error=GraphError)
        if numbers.shape not in ((), (size,)):
            raise GraphError(f"{where} has shape {numbers.shape}, expected one number, or ({size},): one per vertex.")
        numbers = np.array(np.broadcast_to(numbers, (size,)))
        if name in variance_columns() and (numbers < 0).any():
            row = int(np.flatnonzero(numbers < 0)[0])
            raise GraphError(f"{where} is {numbers[row]} at vertex row {row}; a variance is at least 0.")
        return numbers

    def output(self, name: str, size: int, *, bias: Any = True, grid: Grid = (), **attributes: Any) -> str:
        """Add an output layer and return its name; as `layer`, with the activation "identity" by default."""
        attributes.setdefault("activation", "identity")
        return self.layer(name, size, bias=bias, grid=grid, role="output", **attributes)

    def _add(self, name: str, size: int, role: Role, values: dict[str, Array], **attributes: Any) -> str:
        if name in self._layers:
            raise GraphError(f"A layer called {name!r} is there already; give this one another name.")
        ids = np.arange(self._next_vertex, self._next_vertex + size)
        self._next_vertex += size
        layer = Layer(len(self._layers), name, ids, np.zeros(size, np.int32), values, role, **attributes)
        self._layers[name] = layer
        return name

    # -- links ------------------------------------------------------------------------------------

    def dense(self, source: str, target: str, *, density: float = 1.0, port: int = 0) -> None:
        """Link two layers by all edges, or by a random fraction `density` of them."""
        self._random_edges(source, target, Dense(), density, port)

    def conv2d(
        self,
        source: str,
        target: str,
        *,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        density: float = 1.0,
        port: int = 0,
    ) -> None:
        """Link two layers of maps by a convolution with all edges, or with a random fraction `density` of them.

        Each entry of the kernel between two maps is one edge. One number for kernel, stride or padding stands for both
        height and width.
        """
        kind = Conv2d(axis_pair("kernel", kernel), axis_pair("stride", stride), axis_pair("padding", padding))
        self._random_edges(source, target, kind, density, port)

    def identity(self, source: str, target: str, *, stride: int | tuple[int, int] = 1, port: int = 0) -> None:
        """Link two layers by frozen wires of weight 1, from row `i` to row `i` for `i < min(sources, targets)`."""
        rows = np.arange(min(len(self._get(source)), len(self._get(target))))
        self.edges(
            source, target, rows, rows, weight=1.0, kind=Identity(axis_pair("stride", stride)), frozen=True, port=port
        )

    def place(self, source: str, target: str, offset: int = 0) -> None:
        """Link row `i` to row `i` by wires that move position `p` of the source to `p + offset`; see `Place`."""
        rows = np.arange(min(len(self._get(source)), len(self._get(target))))
        self.edges(source, target, rows, rows, weight=1.0, kind=Place(offset), frozen=True)

    # -- merges -----------------------------------------------------------------------------------

    def product(self, name: str, gate: str, value: str, **attributes: Any) -> str:
        """Add a layer that multiplies two layers of one width, vertex by vertex, and return its name; see `Product`."""
        first, second = self._get(gate), self._get(value)
        if len(first) != len(second):
            raise GraphError(f"Product {name!r}: {gate!r} has {len(first)} vertices and {value!r} {len(second)}.")
        self._merged(name, len(first), Product(), first.output_grid, attributes)
        for port, source in enumerate((gate, value)):
            self.identity(source, name, port=port)
        return name

    def attend(
        self,
        name: str,
        queries: str,
        keys: str,
        *,
        heads: int,
        scale: float | None = None,
        causal: bool = False,
        frequencies: Sequence[float] = (),
    ) -> str:
        """Add a layer of attention heads and return its name; see `Attend`.

        Args:
            name: name of the layer.
            queries: layer of `heads * slots` vertices on the grid `(queries,)`; head `h` reads `slots` rows from
                `h * slots` on.
            keys: layer of `groups * slots` vertices on the grid `(keys,)`, where `groups` divides `heads`. Head `h`
                reads the keys of group `h // (heads // groups)`: with fewer groups than heads, heads share keys.
            heads: number of heads.
            scale: factor of the logits; None for `1 / sqrt(slots)`.
            causal, frequencies: see `Attend`.

        Raises:
            GraphError: when the widths do not divide.
        """
        q, k = self._get(queries), self._get(keys)
        heads = layer_size(name, heads)
        slots = self._parts(name, queries, heads)
        groups = self._groups(name, heads, self._parts(name, keys, slots))
        merge = Attend(slots**-0.5 if scale is None else scale, causal, tuple(frequencies))
        self._add(name, heads, "hidden", {}, grid=merge.output_grid((q.output_grid, k.output_grid)), merge=merge)
        head, slot = np.divmod(np.arange(heads * slots), slots)
        self._wires(queries, name, head * slots + slot, head, slot, 0)
        self._wires(keys, name, head // (heads // groups) * slots + slot, head, slot, 1)
        return name

    def mix(self, name: str, attention: str, values: str, *, groups: int | None = None, **attributes: Any) -> str:
        """Add a layer of values weighted by attention and return its name; see `Mix`.

        Args:
            name: name of the layer.
            attention: layer of heads.
            values: layer of `groups * channels` vertices. The new layer has `channels` vertices for each head, one head
                after the other; head `h` weights the values of group `h // (heads // groups)`.
            groups: number of groups of heads that share values, a divisor of the number of heads; None for one group
                per head.
            attributes: further arguments of `layer`; by default there is no bias.

        Raises:
            GraphError: when the widths do not divide.
        """
        heads, source = self._get(attention), self._get(values)
        groups = self._groups(name, len(heads), len(heads) if groups is None else groups)
        channels = self._parts(name, values, groups)
        grid = Mix().output_grid((heads.output_grid, source.output_grid))
        self._merged(name, len(heads) * channels, Mix(), grid, attributes)
        head, channel = np.divmod(np.arange(len(heads) * channels), channels)
        rows = np.arange(len(head))
        self._wires(attention, name, head, rows, 0, 0)
        self._wires(values, name, head // (len(heads) // groups) * channels + channel, rows, 0, 1)
        return name

    def _merged(self, name: str, size: int, merge: Merge, grid: Grid, attributes: Mapping[str, Any]) -> None:
        self.layer(name, size, **{"activation": "identity", "bias": False, **attributes}, grid=grid, merge=merge)

    def _wires(self, source: str, target: str, src: Any, dst: Any, slot: Any, port: int) -> None:
        self.edges(source, target, src, dst, weight=1.0, tap=slot, kind=Identity(), frozen=True, port=port)

    def _parts(self, name: str, source: str, count: int) -> int:
        """Size of each of `count` equal parts of a layer."""
        width = len(self._get(source))
        if width % count:
            raise GraphError(
                f"Layer {name!r}: the {width} vertices of {source!r} do not divide into {count} equal parts."
            )
        return width // count

    def _groups(self, name: str, heads: int, groups: int) -> int:
        """Check that heads divide into groups of one size; return the number of groups."""
        groups = whole(f"Layer {name!r}: groups", groups, least=1, error=GraphError)
        if heads % groups:
            raise GraphError(f"Layer {name!r}: {heads} heads do not divide into {groups} equal groups.")
        return groups

    def edges(
        self,
        source: str,
        target: str,
        src: Any,
        dst: Any,
        *,
        weight: Any,
        tap: Any = 0,
        kind: LinkKind | None = None,
        frozen: bool = False,
        port: int = 0,
    ) -> None:
        """Link two layers by given edges, in any order.

        `src` and `dst` are the rows of the ends of each edge within their layers. `kind` is `Dense()` by default.
        """
        a, b, kind = self._get(source), self._get(target), kind or Dense()
        where = f"Link {source!r} -> {target!r}: "
        port = whole(f"{where}port", port, least=0, most=LARGEST_PORT, error=GraphError)
        key = (a.id, b.id, port)
        if key in self._links:
            raise GraphError(f"{source!r} and {target!r} are linked already at port {port}; give all edges at once.")
        given = [
            edge_rows(f"{where}{name}", values, count)
            for name, values, count in (("src", src, len(a)), ("dst", dst, len(b)), ("tap", tap, self._taps(kind, b)))
        ]
        given.append(real_numbers(f"{where}weight", weight, dtype=self._dtype, error=GraphError))
        if len({values.shape for values in given}) > 1:
            try:
                given = [np.array(values) for values in np.broadcast_arrays(*given)]
            except ValueError:
                shapes = ", ".join(str(values.shape) for values in given)
                raise GraphError(
                    f"{where}src, dst, tap and weight have the shapes {shapes}; give one per edge."
                ) from None
        src, dst, tap, weight = given
        ids = freeze(np.arange(self._next_edge, self._next_edge + src.size))
        self._next_edge += src.size
        columns = edge_columns(
            id=ids, src=src.ravel(), dst=dst.ravel(), tap=tap.ravel(), frozen=frozen,
            weight=weight.ravel(),
        )  # fmt: skip
        self._links[key] = Link.sorted(a.id, b.id, kind, columns, port)

    def _taps(self, kind: LinkKind, target: Layer) -> int:
        return LARGEST_SLOT + 1 if target.merge is not None and target.merge.slotted else kind.taps

    def _random_edges(self, source: str, target: str, kind: Dense | Conv2d, density: float, port: int) -> None:
        density = share("density", density)
        n, m = len(self._get(source)), len(self._get(target))
        shape = (m, n, max(kind.taps, 0))  # negative kernels are refused later, by `build`
        fan_in: Any = math.prod(shape[1:])
        if density == 1:
            dst, src, tap = (cells_along(shape, axis) for axis in range(3))
        else:
            cells = math.prod(shape)
            cell = np.sort(self._rng.choice(cells, size=round(density * cells), replace=False))
            dst, src, tap = np.unravel_index(cell, shape)
            fan_in = np.bincount(dst, minlength=m)[dst]
        fan_in = 1 if self._get(source).is_table else fan_in
        weight = draw_weights(self._rng, self._init, len(dst), fan_in)
        self.edges(source, target, src, dst, weight=weight, tap=tap, kind=kind, port=port)

    def _get(self, name: str) -> Layer:
        if name not in self._layers:
            raise GraphError(unknown_name("layer", name, self._layers))
        return self._layers[name]

    def build(self) -> Graph:
        """Validate and return the graph. Raises `GraphError` that names the wrong layer or link."""
        return Graph(self._layers.values(), self._links.values())
