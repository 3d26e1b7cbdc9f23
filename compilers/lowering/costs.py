"""The cost table by which lowering picks kernels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CostTable:
    """What the parts of a training step cost, in nanoseconds at a batch of 128 on one core of a CPU.

    The built-in numbers are those of a current x86 server core, so that the same graph gets the same plan
    everywhere; `compilers.tune` measures those of a device. Only their ratios decide.

    Attributes:
        call: overhead of one kernel call, of which a block makes some.
        dense_cell: per cell of a matrix and product; a step has two products, and a third for trained parents.
        pad: per cell without an edge, for mask and optimizer.
        sparse_edge: per edge and sparse product.
        sampled_edge: per edge, for the gradients of weights.
        permuted_edge: per edge, for the values of the transpose.
        torch_sparse_edge: per edge and sparse product of torch-sparse, where it is installed.
        sparse_row: per row that a sparse product is added to.
        gather_row: per parent that is gathered, since parents are not contiguous.
        scatter_row: per parent whose gradient is scattered.
        conv_cell: per cell of the kernel, position and product of a convolution.
        unfold_row: per column (map and tap) and position of a sparse convolution, for unfolding and folding.
    """

    call: float = 7_000.0
    dense_cell: float = 3.0
    pad: float = 0.6
    sparse_edge: float = 5.8
    sampled_edge: float = 12.5
    permuted_edge: float = 1.7
    torch_sparse_edge: float = 75.0
    sparse_row: float = 25.0
    gather_row: float = 40.0
    scatter_row: float = 60.0
    conv_cell: float = 3.4
    unfold_row: float = 160.0

    def dense(self, edges: int, targets: int, columns: int, trained: int, *, gathered: bool) -> float:
        """A matrix with a slot for every cell.

        Args:
            edges: number of edges.
            targets: rows of the matrix.
            columns: columns of the matrix.
            trained: columns that need gradients, since they are not inputs.
            gathered: whether the parents are gathered.
        """
        cells = targets * columns
        cost = 2 * self.call + self.dense_cell * (2 * cells + targets * trained) + self.pad * (cells - edges)
        cost += self.call if trained else 0.0
        if gathered:
            cost += self.call + self.gather_row * columns
            cost += 1.5 * self.call + self.scatter_row * trained if trained else 0.0
        return cost

    def sparse(
        self, edges: int, targets: int, trained: int, trained_edges: int, *, scattered: bool, edge: float
    ) -> float:
        """Rows of edges, which read the buffer without a gather.

        Args:
            edges: number of edges.
            targets: rows of the matrix.
            trained: columns that need gradients.
            trained_edges: edges from them.
            scattered: whether the columns are not contiguous.
            edge: what the product costs per edge, such as `sparse_edge`.
        """
        cost = 4 * self.call + (edge + self.sampled_edge) * edges + self.sparse_row * targets
        if trained:
            cost += 4 * self.call + (edge + self.permuted_edge) * trained_edges
            cost += (self.scatter_row if scattered else self.sparse_row) * trained
        return cost

    def convolution(self, edges: int, cells: int, positions: int, *, trained: bool) -> float:
        """A convolution with a slot for every cell, at `positions` of the target."""
        return 6 * self.call + self.conv_cell * cells * positions * (3 if trained else 2) + self.pad * (cells - edges)

    def sparse_convolution(self, edges: int, columns: int, targets: int, positions: int, *, trained: bool) -> float:
        """Unfolded columns times a sparse matrix, at `positions` of the target."""
        edge = self.sparse_edge * (2 if trained else 1) + self.sampled_edge
        rows = self.unfold_row * columns * (1.0 if trained else 0.5) + 2 * self.sparse_row * targets
        return 20 * self.call + (edge * edges + rows) * positions
