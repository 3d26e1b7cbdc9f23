"""Drafts of layers and links, which an import makes one by one and `finish` turns into a graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from netgraph.columns import Array
from netgraph.graph import Encoding, Grid, LinkKind, Merge, Pool, Role


@dataclass(eq=False)
class DraftLink:
    """Edges from a draft to one port of another.

    Attributes:
        source: the draft that they read.
        kind: kind of the link.
        src, dst, tap: rows of both ends, and tap or slot, `(edges,)` int64.
        weight: weights, `(edges,)` float64.
        parameter: code of the element of a parameter that each weight is, -1 for none, `(edges,)` int64.
        frozen: whether training leaves each weight as it is, `(edges,)` bool.
        port: port of the reading draft.
    """

    source: DraftLayer
    kind: LinkKind
    src: Array
    dst: Array
    tap: Array
    weight: Array
    parameter: Array
    frozen: Array
    port: int = 0


@dataclass(eq=False)
class DraftLayer:
    """A layer to be.

    Attributes:
        name: wished name; `finish` makes names unique.
        width: number of vertices.
        grid: grid of the sums.
        role: role of the layer.
        links: links into it.
        columns: vertex columns by name, `(width,)` float64 each.
        parameters: code of the element of a parameter that each entry of a column is, -1 for none, `(width,)` int64.
        norm, norm_epsilon, norm_momentum, activation, slope, pool, merge, encoding: attributes of the layer.
        domain: interval of the values of an input, None for no limits.
    """

    name: str
    width: int
    grid: Grid
    role: Role = "hidden"
    links: list[DraftLink] = field(default_factory=list)
    columns: dict[str, Array] = field(default_factory=dict)
    parameters: dict[str, Array] = field(default_factory=dict)
    norm: str = "none"
    norm_epsilon: float = 1e-5
    norm_momentum: float = 0.1
    activation: str = "identity"
    slope: float = 0.01
    pool: Pool | None = None
    merge: Merge | None = None
    encoding: Encoding = "values"
    domain: tuple[float, float] | None = None

    @property
    def output_grid(self) -> Grid:
        """Grid of the values that others read: `grid` after pooling."""
        return self.pool.output_grid(self.grid) if self.pool else self.grid
