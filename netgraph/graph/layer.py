"""Layers: ordered sets of vertices with one common operation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from netgraph.checks import choice, number, whole
from netgraph.columns import WEIGHT_DTYPES, Array, FrozenDict, column, digest
from netgraph.errors import GraphError
from netgraph.graph.activations import get_activation
from netgraph.graph.grid import Grid, int_axes
from netgraph.graph.merges import Merge
from netgraph.graph.norms import get_norm

Role = Literal["input", "position", "hidden", "output"]
Encoding = Literal["values", "index"]

DOMAIN_COLUMNS = ("low", "high")
"""Vertex columns of input layers: the closed interval `[low, high]` that contains each input."""


@dataclass(frozen=True)
class Pool:
    """Pooling of maps or tokens after the activation, by maximum or by average.

    A window as large as the grid, without padding, gives a single number per vertex: the output grid is then `()`.

    Attributes:
        kind: "max" or "average".
        size: size of the window along each axis of the grid: height and width for maps, `(tokens,)` for tokens.
        stride: distances of neighbouring windows along each axis; None for `size`.
        padding: number of positions added at both ends of each axis, at most half the window; None for 0. They count as
            0 in an average, and never are a maximum, as in PyTorch.
    """

    kind: Literal["max", "average"]
    size: tuple[int, ...]
    stride: tuple[int, ...] | None = None
    padding: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        own = self.__dict__  # a frozen dataclass is filled through its dictionary
        own["size"] = int_axes("size", self.size)
        for name in ("stride", "padding"):
            if own[name] is not None:
                own[name] = int_axes(name, own[name])
                if len(own[name]) != len(self.size):
                    raise GraphError(f"Pool {name}={own[name]} and size={self.size} need one number per axis each.")
        if self.padding is not None and not any(self.padding):
            own["padding"] = None

    def __repr__(self) -> str:
        padding = f", padding={self.padding!r}" if self.padding else ""  # hashes of pools without padding contain none
        return f"Pool(kind={self.kind!r}, size={self.size!r}, stride={self.stride!r}{padding})"

    @property
    def strides(self) -> tuple[int, ...]:
        """Distances of neighbouring windows along each axis."""
        return self.stride or self.size

    @property
    def pads(self) -> tuple[int, ...]:
        """Number of positions added at both ends of each axis."""
        return self.padding or (0,) * len(self.size)

    def output_grid(self, grid: Grid) -> Grid:
        """Return the grid after pooling. Raises `GraphError` when the window does not fit on `grid`."""
        choice("pool kind", self.kind, ("max", "average"), error=GraphError)
        if len(grid) != len(self.size):
            needs = "maps (height, width)" if len(self.size) == 2 else "tokens (positions,)"
            raise GraphError(f"Pooling needs a grid of {needs}, not {grid}.")
        axes = list(zip(grid, self.size, self.strides, self.pads, strict=True))
        if any(min(k, s) < 1 or k > g + 2 * p for g, k, s, p in axes):
            raise GraphError(f"A pool of size {self.size} and stride {self.strides} does not fit on the grid {grid}.")
        if any(not 0 <= 2 * p <= k for _, k, _, p in axes):
            raise GraphError(f"A pool of size {self.size} takes at most half of it as padding, not {self.pads}.")
        if self.size == grid and self.padding is None:
            return ()
        return tuple((g + 2 * p - k) // s + 1 for g, k, s, p in axes)


@dataclass(frozen=True, eq=False)
class Layer:
    """An ordered set of vertices that share activation, norm, pool and grid.

    For each vertex a layer sums the inputs of all its links and the bias (`z`), normalises the sum, applies the
    activation, and pools. A layer with a merge computes `z` from its two ports instead of the sum. Attributes belong to
    the layer as a whole; `values` has one number per vertex.

    A layer of the role "position" is a constant: it has one vertex per position of its grid, in reading order, which is
    1 at this position and 0 elsewhere. The weights of its edges are a table over positions: learned positions, a class
    token.

    Attributes:
        id: stable id, unique among the layers of a history.
        name: name, unique among the layers of a graph.
        vertex_ids: stable ids in the order of rows, `(vertices,)` int64.
        birth: number of the rewrite that made each vertex, 0 at the start, `(vertices,)` int32.
        values: vertex columns by name, each `(vertices,)` float: `bias` (missing in a layer without biases), the
            columns of the norm, the parameters of the activation, and for input layers `low` and `high`.
        role: "input", "position", "hidden" or "output".
        grid: grid of `z`, before pooling: `()` for numbers, `(height, width)` for maps, `(tokens,)` for tokens.
        activation: name of the activation.
        slope: fixed slope of activations that have one, such as `leaky_relu` below 0.
        norm: name of the norm.
        norm_epsilon: number that the norm adds to a variance.
        norm_momentum: weight of the newest batch in running statistics.
        pool: pooling after the activation, or None.
        merge: operation that computes `z` from two ports; None for the sum of all that arrives at port 0.
        encoding: "values", or "index" for an input whose data are whole numbers `(batch, *grid)`: the row of the one
            vertex that is 1 at each position, all others being 0, such as tokens of a text.
    """

    id: int
    name: str
    vertex_ids: Array
    birth: Array
    values: Mapping[str, Array] = field(default_factory=dict)
    role: Role = "hidden"
    grid: Grid = ()
    activation: str = "identity"
    slope: float = 0.01
    norm: str = "none"
    norm_epsilon: float = 1e-5
    norm_momentum: float = 0.1
    pool: Pool | None = None
    merge: Merge | None = None
    encoding: Encoding = "values"

    ATTRIBUTES = ("name", "role", "grid", "activation", "slope", "norm", "norm_epsilon", "norm_momentum", "pool")
    """Names of the attributes that every layer has in hashes and files, in their order."""

    OPTIONAL = MappingProxyType({"merge": None, "encoding": "values"})
    """Further attributes with their defaults. Hashes and files contain them only where they differ from the default."""

    def __post_init__(self) -> None:
        # A frozen dataclass is filled through its dictionary. Plain numbers make hashes independent of NumPy types.
        own = self.__dict__
        where = f"Layer {self.name!r}: "
        own["id"] = whole(f"{where}id", self.id, error=GraphError)
        own["vertex_ids"] = column(self.vertex_ids, np.int64, f"{where}vertex_ids")
        own["birth"] = column(self.birth, np.int32, f"{where}birth")
        own["values"] = MappingProxyType({k: column(v, None) for k, v in self.values.items()})
        if self.pool is not None and not isinstance(self.pool, Pool):
            raise GraphError(
                f"Layer {self.name!r}: pool={self.pool!r} is no Pool; give one, such as Pool('max', (2, 2))."
            )
        if self.merge is not None and not isinstance(self.merge, Merge):
            raise GraphError(f"Layer {self.name!r}: merge={self.merge!r} is no Merge; give one, such as Product().")
        if self.grid:
            own["grid"] = tuple(whole(f"{where}grid[{i}]", g, error=GraphError) for i, g in enumerate(self.grid))
        for name in ("slope", "norm_epsilon", "norm_momentum"):
            value = own[name]  # `validate` checks the range
            own[name] = float(value) if isinstance(value, float) else number(f"{where}{name}", value, error=GraphError)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "values": dict(self.values)}  # a mapping proxy cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        values = MappingProxyType({name: column(values, None) for name, values in state["values"].items()})
        frozen = {name: column(state[name], None) for name in ("vertex_ids", "birth")}
        self.__dict__.update(state, values=values, **frozen)

    def __len__(self) -> int:
        return len(self.vertex_ids)

    def __repr__(self) -> str:
        parts = [f"{self.name!r}", f"{len(self)} vertices"]
        parts += [self.role] if self.role != "hidden" else []
        parts += [self.activation] if self.activation != "identity" else []
        parts += [f"{self.norm} norm"] if self.norm != "none" else []
        parts += [f"grid {self.grid}"] if self.grid else []
        parts += [f"{self.pool.kind} pool {self.pool.size}"] if self.pool else []
        parts += [" ".join(self.merge.words)] if self.merge else []
        parts += ["index"] if self.encoding == "index" else []
        return f"Layer({', '.join(parts)})"

    @property
    def bias(self) -> Array | None:
        """Biases, `(vertices,)`, or None for a layer without biases."""
        return self.values.get("bias")

    @property
    def attributes(self) -> FrozenDict[str, Any]:
        """Attributes of the whole layer by name; optional ones where they differ from their defaults."""
        found = {name: getattr(self, name) for name in self.ATTRIBUTES}
        for name, default in self.OPTIONAL.items():
            value = getattr(self, name)
            if value != default:
                found[name] = value
        return FrozenDict(found)

    @property
    def is_source(self) -> bool:
        """Whether no edges enter the layer: its role is "input" or "position"."""
        return self.role in ("input", "position")

    @property
    def is_table(self) -> bool:
        """Whether its outgoing edges are rows of a table: one vertex is 1 at each position, and all others are 0."""
        return self.role == "position" or self.encoding == "index"

    @cached_property
    def output_grid(self) -> Grid:
        """Grid of the values that other layers read: `grid` after pooling."""
        return self.pool.output_grid(self.grid) if self.pool else self.grid

    @property
    def domain(self) -> tuple[Any, Any] | None:
        """Domain `(low, high)` of an input layer: two floats when all vertices have the same, else two arrays.

        None for layers of other roles.
        """
        if self.role != "input":
            return None
        low, high = (self.values[name] for name in DOMAIN_COLUMNS)
        same = len(low) > 0 and bool((low == low[0]).all() and (high == high[0]).all())
        return (float(low[0]), float(high[0])) if same else (low, high)

    def required_columns(self) -> dict[str, float]:
        """Vertex columns that the operation of the layer needs, with their starting values; `bias` is optional."""
        return required_columns(self.role, self.norm, self.activation)

    @property
    def trainable(self) -> tuple[str, ...]:
        """Names of the vertex columns that gradients train, sorted."""
        if self.is_source:
            return ()
        buffers = get_norm(self.norm).buffers
        return tuple(sorted(name for name in self.values if name not in buffers))

    @cached_property
    def topology_digest(self) -> bytes:
        """Hash of everything but trained values and births; domains of inputs belong to the topology."""
        bounds = [self.values[n] for n in DOMAIN_COLUMNS] if self.role == "input" else []
        plain = (self.id, *self.attributes.values(), *sorted(self.values), len(self))
        return digest(plain, self.vertex_ids.data, *bounds)

    def with_values(self, values: Mapping[str, Array]) -> Layer:
        """Return the layer with some vertex columns replaced; the topology and its digest stay, except for inputs."""
        new = replace(self, values={**self.values, **values})
        if self.role != "input" and "topology_digest" in self.__dict__:
            new.__dict__["topology_digest"] = self.topology_digest
        return new

    def validate(self) -> None:
        """Check the layer on its own. Raises `GraphError` that names the layer and the wrong value."""
        where = f"Layer {self.name!r}"
        n = len(self)
        if n == 0:
            raise GraphError(f"{where} has no vertices; a layer needs at least one. Remove the layer instead.")
        choice(f"{where}: role", self.role, get_args(Role), error=GraphError)
        check_operation(self.name, self.norm, self.activation)
        if not (math.isfinite(self.slope) and 0 < self.norm_epsilon < math.inf and 0 <= self.norm_momentum <= 1):
            raise GraphError(
                f"{where}: slope {self.slope}, norm_epsilon {self.norm_epsilon} and norm_momentum {self.norm_momentum} "
                "must be finite, above 0, and in [0, 1]."
            )
        if len(self.grid) > 2 or any(g < 1 for g in self.grid):
            raise GraphError(f"{where}: the grid {self.grid} must have at most two axes, each at least 1.")
        self._validate_operation(where)
        self.output_grid  # noqa: B018 (raises when the pool does not fit)
        self._validate_columns(where, n)

    def _validate_operation(self, where: str) -> None:
        plain = self.activation == "identity" and get_norm(self.norm).identity and self.pool is None
        if self.is_source and not (plain and self.merge is None):
            what = "an input" if self.role == "input" else "a layer of positions"
            raise GraphError(
                f"{where} is {what}: it takes no activation, norm, pool or merge. Put them on a hidden layer."
            )
        if self.merge is not None and not self.merge.operates and not (plain and self.bias is None):
            raise GraphError(
                f"{where} merges by {self.merge.name}: it takes no bias, activation, norm or pool. "
                "Put them on the layers that it reads, or on those that read it."
            )
        choice(f"{where}: encoding", self.encoding, get_args(Encoding), error=GraphError)
        if self.encoding == "index" and self.role != "input":
            raise GraphError(f"{where} is no input; only inputs have encoding='index'.")
        if self.role == "position" and (not self.grid or len(self) != math.prod(self.grid)):
            raise GraphError(
                f"{where} has {len(self)} vertices on the grid {self.grid}; a layer of positions has one per position."
            )

    def _validate_columns(self, where: str, n: int) -> None:
        shared = get_norm(self.norm).columns.keys() & get_activation(self.activation).parameters.keys()
        if shared:
            raise GraphError(f"{where}: its norm and its activation both have the vertex columns {sorted(shared)}.")
        required = self.required_columns().keys()
        if missing := required - self.values.keys():
            raise GraphError(f"{where} lacks the vertex columns {sorted(missing)}.")
        if extra := self.values.keys() - required - (set() if self.is_source else {"bias"}):
            raise GraphError(f"{where} has vertex columns that its operation does not use: {sorted(extra)}.")
        for name, values in (("vertex_ids", self.vertex_ids), ("birth", self.birth), *self.values.items()):
            if values.shape != (n,):
                raise GraphError(f"{where}: column {name!r} has shape {values.shape}, expected ({n},).")
        for name, values in self.values.items():
            if values.dtype not in WEIGHT_DTYPES:
                raise GraphError(f"{where}: column {name!r} is {values.dtype}, expected float32 or float64.")
            if name not in DOMAIN_COLUMNS and not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values))[0])
                raise GraphError(f"{where}: column {name!r} is {values[row]} at vertex row {row}; it must be finite.")
        if n > 1 and len(np.unique(self.vertex_ids)) != n:
            raise GraphError(f"{where} has the same vertex id twice.")
        if self.role == "input":
            low, high = self.values["low"], self.values["high"]
            if not (low <= high).all():  # NaN fails as well
                row = int(np.flatnonzero(~(low <= high))[0])
                raise GraphError(f"{where}: the domain of vertex row {row} is empty, [{low[row]}, {high[row]}].")
            if self.encoding == "index" and not ((low == 0).all() and (high == 1).all()):
                raise GraphError(f"{where} has encoding='index': its vertices are 0 or 1, so its domain is (0, 1).")
        if any((self.values[name] < 0).any() for name in get_norm(self.norm).variances):
            raise GraphError(f"{where}: a running variance is negative.")


def check_operation(layer: str, norm: str, activation: str) -> None:
    """Raise `GraphError` that names the layer, when its norm or its activation is unknown."""
    try:
        get_norm(norm)
        get_activation(activation)
    except GraphError as error:
        raise GraphError(f"Layer {layer!r}: {error}") from None


def required_columns(role: str, norm: str, activation: str) -> dict[str, float]:
    """Vertex columns that a layer with this role, norm and activation needs, with their starting values."""
    if role == "input":
        return {"low": -np.inf, "high": np.inf}
    if role == "position":
        return {}
    return {**get_norm(norm).columns, **get_activation(activation).parameters}


def full_columns(required: Mapping[str, float], n: int, dtype: Any = np.float32) -> dict[str, Array]:
    """Make columns of `n` rows filled with the starting values; `low` and `high` of inputs are float64."""
    return {k: np.full(n, v, dtype=np.float64 if k in DOMAIN_COLUMNS else dtype) for k, v in required.items()}
