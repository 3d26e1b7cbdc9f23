"""Pick the kernels of a layer by what they are predicted to cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compilers.kernels import KERNELS
from compilers.kernels import available as torch_sparse_is_available
from compilers.plan.costs import CostTable
from compilers.plan.geometry import Geometry
from compilers.plan.plan import Choice
from netgraph.columns import Array
from netgraph.errors import CompileError


@dataclass(frozen=True, eq=False)
class RowFan:
    """What a choice for edges that read rows depends on.

    Attributes:
        targets: width of the layer.
        parents: (parents,) sorted buffer rows that have an edge.
        counts: (parents,) edges of each.
        first_trained: buffer rows below it are inputs, which need no gradient.
    """

    targets: int
    parents: Array
    counts: Array
    first_trained: int

    @property
    def hull(self) -> int:
        """Rows from the first parent to the last."""
        return int(self.parents[-1]) - int(self.parents[0]) + 1

    @property
    def edges(self) -> int:
        """Number of edges."""
        return int(self.counts.sum())


def choose_rows(fan: RowFan, costs: CostTable) -> tuple[float, Choice]:
    """The cheapest way to run edges that read rows, and its cost."""
    return min(_row_choices(fan, costs), key=lambda found: found[0])


def row_cost(fan: RowFan, choice: Choice, costs: CostTable) -> float:
    """Predicted cost of a choice."""
    if KERNELS[choice.kernel].layout == "cells":
        return _dense_cost(fan, costs, hull=choice.hull)
    if not choice.core:
        return _sparse_cost(fan, costs, choice.kernel)
    return _split_cost(fan, costs, choice.core)


def _row_choices(fan: RowFan, costs: CostTable) -> Iterator[tuple[float, Choice]]:
    whole = fan.hull == len(fan.parents)
    full = fan.edges == fan.targets * len(fan.parents)
    yield _dense_cost(fan, costs, hull=whole), Choice("dense" if full else "padded-dense", whole)
    if not whole:
        yield _dense_cost(fan, costs, hull=True), Choice("padded-dense", True)
    if full:
        return
    yield _sparse_cost(fan, costs), Choice("csr")
    if torch_sparse_is_available():
        yield _sparse_cost(fan, costs, "torch-sparse"), Choice("torch-sparse")
    # Parents above the density at which a cell costs as much as an edge, and two others about it.
    edge = max(2 * costs.sparse_edge + costs.sampled_edge, 1e-9)
    level = costs.dense_cell * 3 / edge * fan.targets
    for factor in (0.7, 1.0, 1.5):
        core = max(1, round(min(level * factor, fan.targets + 1)))
        dense = fan.counts >= core
        if dense.any() and not dense.all():
            yield _split_cost(fan, costs, core), Choice("csr", False, core)


def _part(fan: RowFan, chosen: Array) -> RowFan:
    return RowFan(fan.targets, fan.parents[chosen], fan.counts[chosen], fan.first_trained)


def _dense_cost(fan: RowFan, costs: CostTable, *, hull: bool) -> float:
    low, high = int(fan.parents[0]), int(fan.parents[-1]) + 1
    if hull:
        trained = max(0, high - max(low, fan.first_trained))
        return costs.dense(fan.edges, fan.targets, high - low, trained, gathered=False)
    trained = len(fan.parents) - int(np.searchsorted(fan.parents, fan.first_trained))
    gathered = fan.hull > len(fan.parents)
    return costs.dense(fan.edges, fan.targets, len(fan.parents), trained, gathered=gathered)


def _sparse_cost(fan: RowFan, costs: CostTable, kernel: str = "csr") -> float:
    edge = costs.torch_sparse_edge if kernel == "torch-sparse" else costs.sparse_edge
    skip = int(np.searchsorted(fan.parents, fan.first_trained))
    trained = len(fan.parents) - skip
    scattered = trained > 0 and int(fan.parents[-1]) - int(fan.parents[skip]) + 1 > trained
    return costs.sparse(fan.edges, fan.targets, trained, int(fan.counts[skip:].sum()), scattered=scattered, edge=edge)


def _split_cost(fan: RowFan, costs: CostTable, core: int) -> float:
    dense = fan.counts >= core
    part = _part(fan, dense)
    whole = part.hull == len(part.parents)
    return _dense_cost(part, costs, hull=whole) + _sparse_cost(_part(fan, ~dense), costs)


def choose_maps(
    edges: int, targets: int, geometry: Geometry, costs: CostTable, *, trained: bool, cells: int
) -> tuple[float, Choice]:
    """The cheapest way to run edges that read maps, and its cost.

    Args:
        edges: number of edges.
        targets: width of the layer.
        geometry: of the link.
        costs: the table.
        trained: whether the maps need gradients.
        cells: entries of the full kernel.
    """
    full = Choice("convolution" if edges == cells else "padded-convolution")
    sparse = Choice("sparse-convolution")
    return min(
        (map_cost(choice, edges, targets, geometry, costs, trained=trained, cells=cells), choice)
        for choice in ([full] if edges == cells else [full, sparse])
    )


def map_cost(
    choice: Choice,
    edges: int,
    targets: int,
    geometry: Geometry,
    costs: CostTable,
    *,
    trained: bool,
    cells: int,
) -> float:
    """Predicted cost of a choice; arguments as of `choose_maps`."""
    sources = cells // (targets * geometry.taps)
    source, target = sources * geometry.source[0] * geometry.source[1], targets * geometry.positions
    if KERNELS[choice.kernel].layout == "edges":
        reads = edges * geometry.reads / geometry.taps
        return costs.sparse_convolution(edges, reads, source, target, trained=trained)
    if geometry.whole:
        return costs.dense(edges, targets, source, source if trained else 0, gathered=False)
    return costs.convolution(edges, cells, source + target, geometry.positions, trained=trained)


def overruled(kernel: str, fan: RowFan, costs: CostTable, layer: str) -> Choice:
    """The choice for edges that read rows when the caller names the kernel; raises `CompileError` if it cannot."""
    whole = fan.hull == len(fan.parents)
    if KERNELS[kernel].layout == "edges":
        return Choice(kernel)
    if kernel == "dense" and fan.edges != fan.targets * len(fan.parents):
        raise CompileError(not_full(layer, kernel, fan.edges, fan.targets * len(fan.parents)))
    hull = whole or (kernel != "dense" and _dense_cost(fan, costs, hull=True) < _dense_cost(fan, costs, hull=False))
    return Choice(kernel, hull)


def not_full(layer: str, kernel: str, edges: int, cells: int) -> str:
    """Why a kernel that needs all edges is refused."""
    return (
        f"kernels[{layer!r}]: {kernel!r} needs every pair of parent and target, the layer has {edges:,} "
        f"edges for {cells:,} pairs. Use 'padded-{kernel}'."
    )


def check_rows(choice: Choice, fan: RowFan, layer: str) -> None:
    """Raise `CompileError` for a settled choice that cannot be one of edges that read rows."""
    _check_kernel(choice, "rows", layer)
    cells = KERNELS[choice.kernel].layout == "cells"
    dense = fan.counts >= choice.core
    fits = not choice.core or bool(dense.any() and not dense.all())
    if choice.kernel == "dense":
        fits = fan.edges == fan.targets * (fan.hull if choice.hull else len(fan.parents))
    if choice.core < 0 or (choice.core and cells) or (choice.hull and not cells) or not fits:
        raise CompileError(_unfit(choice, layer))


def check_maps(choice: Choice, edges: int, cells: int, layer: str) -> None:
    """Raise `CompileError` for a settled choice that cannot be one of edges that read maps."""
    _check_kernel(choice, "maps", layer)
    if choice.hull or choice.core or (choice.kernel == "convolution" and edges < cells):
        raise CompileError(_unfit(choice, layer))


def _check_kernel(choice: Choice, reads: str, layer: str) -> None:
    kind = KERNELS.get(choice.kernel)
    if kind is None:
        raise CompileError(f"Layer {layer!r} was lowered with the kernel {choice.kernel!r}, unknown here.")
    if kind.reads != reads or kind.layout == "none":
        raise CompileError(_unfit(choice, layer))


def _unfit(choice: Choice, layer: str) -> str:
    return f"Layer {layer!r} cannot have been lowered with {choice}, which does not fit its edges."
