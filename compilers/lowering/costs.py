"""The cost table by which lowering picks a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class CostTable:
    """What one training step costs, in nanoseconds at a batch of 128 on one core of a CPU.

    Only ratios matter: `csr_edge` and `dense_cell` put the crossover between padded-dense and CSR near a
    density of 20 percent. Pads also cost the optimizer, which `dense_cell` includes.

    Attributes:
        dense_cell: per cell of a dense matrix.
        dense_call: per dense block.
        csr_edge: per edge of a CSR block.
        csr_row: per parent row that a CSR product reads and adds gradients to.
        csr_call: per CSR block.
        gather_row: per parent row that is gathered and scattered, since parents are not contiguous.
        gather_call: per block that gathers.
    """

    dense_cell: float = 9.0
    dense_call: float = 8_000.0
    csr_edge: float = 42.0
    csr_row: float = 35.0
    csr_call: float = 30_000.0
    gather_row: float = 75.0
    gather_call: float = 15_000.0

    def choices(self, edges: int, targets: int, parents: int, hull: int) -> Iterator[tuple[float, bool, bool]]:
        """Yield (cost, whether dense, whether it reads the hull) of every way to run a block.

        Args:
            edges: number of edges.
            targets: rows of the matrix.
            parents: buffer rows that have an edge.
            hull: rows from the first to the last of them, read as one view without a gather.
        """
        gather = 0.0 if hull == parents else self.gather_call + self.gather_row * parents
        for width, extra, whole in ((parents, gather, hull == parents), (hull, 0.0, True)):
            yield self.dense_call + self.dense_cell * targets * width + extra, True, whole
            yield self.csr_call + self.csr_edge * edges + self.csr_row * width + extra, False, whole
