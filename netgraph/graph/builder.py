"""Ways to make a first graph: `mlp` for the usual start, `GraphBuilder` for anything else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from netgraph.checks import Seed, checked, generator, real_numbers, share, whole, whole_numbers
from netgraph.columns import WEIGHT_DTYPES, Array, freeze
from netgraph.errors import GraphError, OptionError, unknown_name
from netgraph.graph.graph import Graph
from netgraph.graph.initialise import Init, check_init, draw_weights
from netgraph.graph.kinds import Conv2d, Dense, Identity, LinkKind
from netgraph.graph.layer import Grid, Layer, Pool, Role, full_columns, int_pair, required_columns
from netgraph.graph.link import LARGEST_PORT, Link, LinkKey, edge_columns
from netgraph.graph.norms import variance_columns

Domain = tuple[Any, Any]

_LARGEST_LAYER = 2**31 - 1
"""Rows of a layer are numbered in 32 bits."""


class GraphBuilder:
    """Collects layers and links, hands out ids, and builds a validated graph.

    Layers are referred to by their names. Biases and shifts start at 0, scales of norms at 1, unless values are given.

    Args:
        seed: seed of the initial weights.
        dtype: float32 (the default) or float64, of weights and trained vertex columns.
        init: how weights are drawn, with the fan-in counted over all edges drawn into the same vertex by one call.
            "uniform" (the default), as `torch.nn.Linear`: uniform in plus or minus 1/sqrt(fan-in).
            "kaiming", for deep networks of ReLU: normal with variance 2/fan-in, which keeps the size of the signal
            from layer to layer (He et al. 2015, arXiv:1502.01852, section 2.2, equation 10).

    Raises:
        OptionError: for another dtype, an unknown `init`, and a seed that is no whole number from 0.

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
        self._dtype = _weight_dtype(dtype)
        check_init(init)
        self._init: Init = init
        self._rng = generator("seed", seed)
        self._layers: dict[str, Layer] = {}
        self._links: dict[LinkKey, Link] = {}
        self._next_vertex = 0
        self._next_edge = 0

    # -- layers -----------------------------------------------------------------------------------

    def input(self, name: str, size: int, *, domain: Domain = (-np.inf, np.inf), grid: Grid = ()) -> str:
        """Add an input layer whose values lie in `domain`: (low, high), each a number or one per vertex."""
        size, values = _size(name, size), {}
        if isinstance(domain, str) or not isinstance(domain, Sequence | np.ndarray) or len(domain) != 2:
            raise GraphError(f"Input {name!r}: domain={domain!r} is no pair; give (low, high).")
        for key, bound in zip(("low", "high"), domain, strict=True):
            given = real_numbers(f"Input {name!r}: {key} of the domain", bound, infinite=True, error=GraphError)
            if given.shape not in ((), (1,), (size,)):
                raise GraphError(
                    f"Input {name!r}: the domain has {given.size} values for {size} vertices; give one or {size}."
                )
            values[key] = np.broadcast_to(given, (size,)).copy()
        return self._add(name, size, "input", values, grid=grid)

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
            name: its name.
            size: number of vertices.
            activation, norm, pool, grid, role: as in `Layer`.
            bias: whether it has biases, which start at 0; or the biases, one number or one per vertex.
            values: vertex columns that do not start at the usual values, each one number or one per vertex: `bias`,
                those of the norm (`scale`, `shift`, and of batch norm `mean` and `var`) and of the activation.
            attributes: further ones (`slope`, `norm_epsilon`, ...) as in `Layer`.

        Raises:
            GraphError: naming the layer, and the column and the value that are wrong.
        """
        size = _size(name, size)
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
        """A vertex column from one number, or from one per vertex."""
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
        """Add an output layer, without activation unless one is given; as `layer` otherwise. Returns its name."""
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
        """Link two layers by all edges, or by a random share `density` of them."""
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
        """Link two layers of maps by a convolution, every kernel entry an edge, or a random share of them."""
        kind = Conv2d(_pair("kernel", kernel), _pair("stride", stride), _pair("padding", padding))
        self._random_edges(source, target, kind, density, port)

    def identity(self, source: str, target: str, *, stride: int | tuple[int, int] = 1, port: int = 0) -> None:
        """Wire vertex row i of the source to row i of the target, for the smaller of the two widths."""
        rows = np.arange(min(len(self._get(source)), len(self._get(target))))
        self.edges(
            source, target, rows, rows, weight=1.0, kind=Identity(_pair("stride", stride)), frozen=True, port=port
        )

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
        """Link two layers by explicit edges from source rows `src` to target rows `dst`, in any order."""
        a, b, kind = self._get(source), self._get(target), kind or Dense()
        where = f"Link {source!r} -> {target!r}: "
        port = whole(f"{where}port", port, least=0, most=LARGEST_PORT, error=GraphError)
        key = (a.id, b.id, port)
        if key in self._links:
            raise GraphError(f"{source!r} and {target!r} are linked already at port {port}; give all edges at once.")
        given = [
            _rows(f"{where}{name}", values, count)
            for name, values, count in (("src", src, len(a)), ("dst", dst, len(b)), ("tap", tap, kind.taps))
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

    def _random_edges(self, source: str, target: str, kind: Dense | Conv2d, density: float, port: int) -> None:
        density = share("density", density)
        n, m = len(self._get(source)), len(self._get(target))
        shape = (m, n, max(kind.taps, 0))  # `build` refuses a kernel that makes no sense
        fan_in: Any = math.prod(shape[1:])
        if density == 1:
            dst, src, tap = (_counted(shape, axis) for axis in range(3))
        else:
            cells = math.prod(shape)
            cell = np.sort(self._rng.choice(cells, size=round(density * cells), replace=False))
            dst, src, tap = np.unravel_index(cell, shape)
            fan_in = np.bincount(dst, minlength=m)[dst]
        weight = draw_weights(self._rng, self._init, len(dst), fan_in)
        self.edges(source, target, src, dst, weight=weight, tap=tap, kind=kind, port=port)

    def _get(self, name: str) -> Layer:
        if name not in self._layers:
            raise GraphError(unknown_name("layer", name, self._layers))
        return self._layers[name]

    def build(self) -> Graph:
        """Validate and return the graph. Raises `GraphError` naming what is wrong."""
        return Graph(self._layers.values(), self._links.values())


@checked
def mlp(
    sizes: Sequence[int],
    *,
    domain: Domain = (-np.inf, np.inf),
    activation: str = "relu",
    norm: str = "none",
    bias: bool = True,
    density: float = 1.0,
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """A layered network, dense unless `density` is below 1; two sizes give the linear start of growth.

    Args:
        sizes: widths from inputs to outputs, at least two.
        domain: (low, high) of the inputs, numbers or one per input. Growth by exact splits needs to know it.
        activation: of the hidden layers.
        norm: of the hidden layers, such as "none", "batch" or "layer".
        bias: whether layers have biases.
        density: share of the edges of every link that exist, drawn at random.
        seed: of the initial weights, uniform in plus or minus 1/sqrt(fan-in).
        dtype: float32 or float64.

    Raises:
        GraphError: for fewer than two sizes, and a width that is no whole number of at least 1.
        OptionError: for a density outside 0..1, a seed that is no whole number from 0, and another dtype.
    """
    sizes = list(sizes)
    if len(sizes) < 2:
        raise GraphError(f"mlp({list(sizes)}) needs at least an input and an output size.")
    density = share("density", density)
    b = GraphBuilder(seed=seed, dtype=dtype)
    names = [b.input("input", sizes[0], domain=domain)]
    for i, size in enumerate(sizes[1:-1], start=1):
        names.append(b.layer(f"hidden{i}", size, activation=activation, norm=norm, bias=bias))
    names.append(b.output("output", sizes[-1], bias=bias))
    for source, target in pairwise(names):
        b.dense(source, target, density=density)
    return b.build()


def _pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    """One number for both axes, or one for each."""
    return int_pair(name, (value, value) if np.ndim(value) == 0 and not isinstance(value, str) else value)


def _size(name: str, size: int) -> int:
    size = whole(f"Layer {name!r}: size", size, most=_LARGEST_LAYER, error=GraphError)
    if size < 1:
        raise GraphError(f"Layer {name!r} has size {size}; a layer needs at least one vertex.")
    return size


def _rows(name: str, values: Any, count: int) -> Array:
    """Rows or taps in 32 bits; `build` refuses those that are outside 0..count - 1, as long as 32 bits hold them."""
    rows = whole_numbers(name, values, error=GraphError)
    fits = not rows.size or (rows.min() >= -_LARGEST_LAYER and rows.max() <= _LARGEST_LAYER)
    if not fits:
        whole_numbers(name, rows, least=0, most=count - 1, error=GraphError)
    return rows.astype(np.int32)


def _weight_dtype(dtype: Any) -> np.dtype[Any]:
    try:
        found: np.dtype[Any] = np.dtype(dtype)
        if found in WEIGHT_DTYPES:
            return found
    except TypeError:
        pass
    raise OptionError(f"dtype {dtype} is not float32 or float64.")


def _counted(shape: tuple[int, ...], axis: int) -> Array:
    """The index along one axis of every cell of a block, cells in C order."""
    index = np.empty(math.prod(shape), np.int32)
    index.reshape(shape)[...] = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return freeze(index)
