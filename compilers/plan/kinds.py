"""Kinds of kernels as data: reads, layout of weights, and cost of each. The code that runs is elsewhere.

`compilers.kernels` has a builder for every kind, and `register_kernel`, which adds both at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import Any, Literal

from compilers.plan.costs import CostTable
from compilers.plan.fan_in import MapFanIn, RowFanIn, TableFanIn
from netgraph.checks import Checked
from netgraph.errors import OptionError
from netgraph.registry import Registry

Cost = Callable[[Any, CostTable], float]
"""Predicted nanoseconds of a training step; called with a `RowFanIn`, `MapFanIn` or `TableFanIn`, as the kind reads."""


@dataclass(frozen=True, kw_only=True)
class KernelKind(Checked):
    """A kernel as plans know it.

    Attributes:
        name: the name that plans and checkpoints use.
        reads: "rows" of the buffer, "maps", or rows of a table that an "index" or "positions" pick.
        layout: "cells", one weight per cell of the matrix; "edges", one per edge; "none", no weights.
        cost: predicted nanoseconds of a training step, from `RowFanIn`, `MapFanIn` or `TableFanIn` and the table of
            costs. The cheapest kernel is taken.
        padded: the kernel of the layout "cells" that takes over where a cell has no edge; "" for a kernel that runs
            without it.
        in_place: whether it reads an input layer from `Ports.given`, where the caller left it; others get a copy.
        core_density: share of its possible edges above which a parent costs less as part of a dense block beside this
            kernel, from the table of costs; None for a kernel that always runs alone.
        by_column: whether weights of the layout "cells" lie column by column, instead of target by target.
        fits: whether it runs edges, given what `cost` is given. It is never picked for others.
        available: whether its package is installed. It is never picked while it is not.
    """

    name: str
    reads: Literal["rows", "maps", "index", "positions"]
    layout: Literal["cells", "edges", "none"]
    cost: Cost
    padded: str = ""
    in_place: bool = False
    core_density: Callable[[CostTable], float] | None = None
    by_column: bool = False
    fits: Callable[[Any], bool] = lambda fan: True
    available: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name:
            raise OptionError("A kernel needs a name, by which plans and checkpoints find it.")
        if self.core_density is not None and (self.reads, self.layout) != ("rows", "edges"):
            raise OptionError(
                f"The kernel {self.name!r} reads {self.reads} and has one weight for each of its {self.layout}; only "
                "one that reads rows with a weight per edge can run beside a dense block. Leave core_density out."
            )


def _dense(fan: RowFanIn, costs: CostTable) -> float:
    return costs.dense(fan.edges, fan.targets, fan.columns, fan.trained, gathered=fan.gathered)


def _sparse(fan: RowFanIn, costs: CostTable, edge: float) -> float:
    return costs.sparse(fan.edges, fan.targets, fan.trained, fan.trained_edges, scattered=fan.scattered, edge=edge)


def _csr(fan: RowFanIn, costs: CostTable) -> float:
    return _sparse(fan, costs, costs.sparse_edge)


def _torch_sparse(fan: RowFanIn, costs: CostTable) -> float:
    return _sparse(fan, costs, costs.torch_sparse_edge)


def _csr_core_density(costs: CostTable) -> float:
    """Return the density at which three dense products per cell cost as much as three sparse products per edge."""
    return costs.dense_cell * 3 / max(2 * costs.sparse_edge + costs.sampled_edge, 1e-9)


def _convolution(fan: MapFanIn, costs: CostTable) -> float:
    if fan.geometry.whole:  # run as one matrix product
        trained = fan.source_values if fan.trained else 0
        return costs.dense(fan.edges, fan.targets, fan.source_values, trained, gathered=False)
    rows = fan.source_values + fan.target_values
    positions, pointwise = fan.geometry.positions, fan.geometry.pointwise
    return costs.convolution(fan.edges, fan.cells, rows, positions, trained=fan.trained, pointwise=pointwise)


def _sparse_convolution(fan: MapFanIn, costs: CostTable) -> float:
    reads = fan.edges * fan.geometry.reads / fan.geometry.taps
    return costs.sparse_convolution(fan.edges, reads, fan.source_values, fan.target_values, trained=fan.trained)


def _token_csr(fan: MapFanIn, costs: CostTable) -> float:
    sources, targets = fan.source_values, fan.target_values
    return costs.token_sparse(fan.edges, fan.geometry.positions, sources, targets, trained=fan.trained)


def _pointwise(fan: MapFanIn) -> bool:
    return fan.geometry.pointwise


def _table(fan: TableFanIn, costs: CostTable) -> float:
    return costs.table(fan.cells - fan.edges, fan.targets * fan.positions)


def _sparse_lookup(fan: TableFanIn, costs: CostTable) -> float:
    return costs.sparse_lookup(fan.edges / fan.sources * fan.positions)


def _sparse_table(fan: TableFanIn, costs: CostTable) -> float:
    return costs.sparse_table(fan.edges, fan.targets * fan.positions)


def _nothing(fan: object, costs: CostTable) -> float:
    return 0.0


@cache
def torch_sparse_library() -> str:
    """Path of the library of torch-sparse that has the product, "" when the package is not installed."""
    package = find_spec("torch_sparse")
    if package is None or package.submodule_search_locations is None:
        return ""
    places = list(package.submodule_search_locations)
    found = [PathFinder().find_spec(f"_spmm_{device}", places) for device in ("cuda", "cpu")]
    return next((spec.origin for spec in found if spec is not None and spec.origin is not None), "")


def _torch_sparse_is_installed() -> bool:
    return bool(torch_sparse_library())


_BUILT_IN = (
    KernelKind(name="dense", reads="rows", layout="cells", cost=_dense, padded="padded-dense", in_place=True),
    KernelKind(name="padded-dense", reads="rows", layout="cells", cost=_dense, in_place=True),
    KernelKind(name="csr", reads="rows", layout="edges", cost=_csr, core_density=_csr_core_density),
    KernelKind(
        name="torch-sparse", reads="rows", layout="edges", cost=_torch_sparse, available=_torch_sparse_is_installed
    ),
    KernelKind(name="wires", reads="rows", layout="none", cost=_nothing),
    KernelKind(name="convolution", reads="maps", layout="cells", cost=_convolution, padded="padded-convolution"),
    KernelKind(name="padded-convolution", reads="maps", layout="cells", cost=_convolution),
    KernelKind(name="sparse-convolution", reads="maps", layout="edges", cost=_sparse_convolution),
    KernelKind(name="token-csr", reads="maps", layout="edges", cost=_token_csr, fits=_pointwise),
    KernelKind(name="map-wires", reads="maps", layout="none", cost=_nothing),
    KernelKind(name="place-wires", reads="maps", layout="none", cost=_nothing),
    KernelKind(name="lookup", reads="index", layout="cells", cost=_table, padded="padded-lookup", by_column=True),
    KernelKind(name="padded-lookup", reads="index", layout="cells", cost=_table, by_column=True),
    KernelKind(name="sparse-lookup", reads="index", layout="edges", cost=_sparse_lookup),
    KernelKind(name="table", reads="positions", layout="cells", cost=_table, padded="padded-table", by_column=True),
    KernelKind(name="padded-table", reads="positions", layout="cells", cost=_table, by_column=True),
    KernelKind(name="sparse-table", reads="positions", layout="edges", cost=_sparse_table),
)

KINDS: Registry[KernelKind] = Registry("kernel", {kind.name: kind for kind in _BUILT_IN})
"""Kinds of kernels by name. Of several that cost the same, the first is taken."""

DENSE = KINDS["dense"]
"""The kind of the dense block beside a kernel with a `core_density`: it runs the parents with the most edges."""


def register_kind(kind: KernelKind, *, replace: bool = False) -> None:
    """Add a kind of kernels.

    Raises:
        OptionError: for a name that is taken, a padded kernel that cannot take over, and a replacement that does not
            fit into plans that were made before.
    """
    KINDS.check(kind.name, replace=replace)
    old = KINDS.get(kind.name, kind)
    if any(getattr(old, name) != getattr(kind, name) for name in ("reads", "layout", "in_place", "by_column")):
        raise OptionError(
            f"The kernel {kind.name!r} is in plans by reads={old.reads!r}, layout={old.layout!r}, "
            f"in_place={old.in_place}, by_column={old.by_column}; give one that differs in these another name."
        )
    fitting = [k.name for k in KINDS.values() if (k.reads, k.layout, k.padded) == (kind.reads, "cells", "")]
    if kind.padded and (kind.layout != "cells" or kind.padded not in fitting):
        raise OptionError(
            f"The kernel {kind.name!r} with one weight for each of its {kind.layout} names {kind.padded!r} for where "
            f"edges are missing; only one with a weight for each of its cells can, and names one of {fitting}."
        )
    KINDS.add(kind.name, kind, replace=replace)
