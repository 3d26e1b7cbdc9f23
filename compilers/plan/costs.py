"""The cost table by which lowering picks kernels."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.checks import Checked

_POINTWISE = 0.65
"""Cost of a cell of a pointwise convolution, in those of a convolution of 3 by 3, measured beside sparse products."""


@dataclass(frozen=True)
class CostTable(Checked):
    """Nanoseconds of the parts of a training step, at a batch of 128 on one core of a CPU.

    The built-in numbers are those of a current x86 server core, so that the same graph gets the same plan
    everywhere; `compilers.tune` measures those of a device. Only their ratios decide.

    Attributes:
        call: overhead of one call of a kernel; a block makes several in a step.
        dense_cell: per cell of a matrix, for each product; a step has two, and a third for trained parents.
        pad: per cell without an edge, for mask and optimizer.
        sparse_edge: per edge, for each sparse product.
        sampled_edge: per edge, for the gradients of weights.
        permuted_edge: per edge, for the values of the transpose.
        torch_sparse_edge: per edge, for each sparse product of torch-sparse, where it is installed.
        sparse_row: per row that a sparse product is added to.
        gather_row: per parent that is gathered, since parents are not contiguous.
        scatter_row: per parent whose gradient is scattered.
        conv_cell: per cell of the kernel and position, for each product of a convolution.
        conv_row: per map and position of source and target, for each product of a convolution.
        move_row: per map and position, for each product of a sparse convolution, to order maps by position and back.
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
    conv_cell: float = 2.1
    conv_row: float = 67.0
    move_row: float = 185.0

    def dense(self, edges: int, targets: int, columns: int, trained: int, *, gathered: bool) -> float:
        """Predict the cost of a matrix with a slot for every cell, in nanoseconds of a training step.

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
        """Predict the cost of rows of edges, which read the buffer in place, in nanoseconds of a training step.

        Args:
            edges: number of edges.
            targets: rows of the matrix.
            trained: columns that need gradients.
            trained_edges: edges from them.
            scattered: whether the columns are not contiguous.
            edge: cost of the product per edge, such as `sparse_edge`.
        """
        cost = 4 * self.call + (edge + self.sampled_edge) * edges + self.sparse_row * targets
        if trained:
            cost += 4 * self.call + (edge + self.permuted_edge) * trained_edges
            cost += (self.scatter_row if scattered else self.sparse_row) * trained
        return cost

    def token_sparse(self, edges: int, positions: int, source: int, target: int, *, trained: bool) -> float:
        """Predict the cost of rows of edges at each position of tokens or maps, in nanoseconds of a training step.

        The maps that are read or written are moved once, since their neighbours may want them in another order.

        Args:
            edges: number of edges.
            positions: number of positions.
            source: maps times positions of the source.
            target: maps times positions of the target.
            trained: whether the maps that are read need gradients.
        """
        cost = 6 * self.call + (self.sparse_edge + self.sampled_edge) * edges * positions
        if trained:
            cost += 4 * self.call + self.sparse_edge * edges * positions + self.permuted_edge * edges
        return cost + self.gather_row * (source + target) * (2 if trained else 1)

    def table(self, pads: int, rows: int) -> float:
        """Predict the cost of reading rows of a table with a slot for every cell, in nanoseconds of a training step.

        Args:
            pads: number of cells without an edge.
            rows: targets times positions, to which the rows are added.
        """
        return 5 * self.call + 2 * self.sparse_row * rows + self.pad * pads

    def sparse_lookup(self, reads: float) -> float:
        """Predict the cost of edges that an index picks one by one, in nanoseconds of a training step.

        Args:
            reads: mean number of edges that one sample picks, over all positions.
        """
        return 16 * self.call + 8 * 128 * self.permuted_edge * reads

    def sparse_table(self, edges: int, rows: int) -> float:
        """Predict the cost of a table of positions with a slot per edge, in nanoseconds of a training step.

        Args:
            edges: number of edges.
            rows: targets times positions, to which the rows are added.
        """
        return 9 * self.call + 2 * self.sparse_row * rows + 2 * self.permuted_edge * edges

    def convolution(
        self, edges: int, cells: int, rows: int, positions: int, *, trained: bool, pointwise: bool = False
    ) -> float:
        """Predict the cost of a convolution with a slot for every cell, in nanoseconds of a training step.

        Args:
            edges: number of edges.
            cells: entries of the full kernel.
            rows: maps times positions, of source and target together.
            positions: number of positions of the target.
            trained: whether the maps that are read need gradients.
            pointwise: whether each position reads the same position alone: one product of matrices.
        """
        products = 3 if trained else 2
        cell = self.conv_cell * (_POINTWISE if pointwise else 1.0)
        per_product = 2 * self.call + cell * cells * positions + self.conv_row * rows
        return products * per_product + self.pad * (cells - edges)

    def sparse_convolution(self, edges: int, reads: float, source: int, target: int, *, trained: bool) -> float:
        """Predict the cost of a convolution with a slot per edge, in nanoseconds of a training step.

        Maps are laid out by position, and the values that edges read there are summed.

        Args:
            edges: number of edges.
            reads: values that they read, of one sample: edges times positions, without those in the padding.
            source: maps times positions of the source.
            target: maps times positions of the target.
            trained: whether the maps that are read need gradients.
        """
        products = 3 if trained else 2
        cost = 30 * self.call + (self.sparse_edge + self.sampled_edge) * reads + 2 * self.sparse_row * target
        if trained:
            cost += 5 * self.call + self.sparse_edge * reads + 2 * self.sparse_row * source
        return cost + products * self.move_row * (source + target) + 2 * products * self.permuted_edge * edges
