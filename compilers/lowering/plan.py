"""The plan: which kernel runs which edges on which rows of the buffer. Data only, no tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Block:
    """Edges into one layer that one kernel runs: a matrix of target rows times parents.

    Attributes:
        kernel: name in `compilers.kernels.KERNELS`.
        parents: (parents,) int64 sorted unique buffer rows that the block reads.
        dst: (edges,) int32 target row in the layer, in canonical order (dst, src).
        src: (edges,) int32 position in `parents`.
        edges: (edges,) int64 rows in `graph.edges`.
        slots: (edges,) int64 position of each weight in the vector that holds the block's weights; empty for wires.
        start: first slot of the block.
        stop: one past its last slot; more than `edges` slots means that some are pads, which stay zero.
        targets: rows of the matrix, the width of the layer.
        frozen: whether the weights lie in `frozen_weights`, which no optimizer sees, instead of `weights`.
    """

    kernel: str
    parents: Array
    dst: Array
    src: Array
    edges: Array
    slots: Array
    start: int
    stop: int
    targets: int
    frozen: bool = False

    @property
    def density(self) -> float:
        """Edges over cells of the matrix."""
        return len(self.edges) / (self.targets * len(self.parents))

    @property
    def pads(self) -> int:
        """Slots that belong to no edge."""
        return self.stop - self.start - len(self.slots)


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """One layer: its rows in the buffer, its blocks, and its operation.

    Attributes:
        id: layer id in the graph.
        name: layer name.
        role: "input", "hidden" or "output".
        start: first row of the buffer that the layer writes.
        stop: one past its last row.
        blocks: what is summed into the rows.
        parameters: slots (start, stop) in `vertex_parameters` of each trained column but the bias.
        running: slots (start, stop) in the buffer `running` of `mean` and `var`.
    """

    id: int
    name: str
    role: str
    start: int
    stop: int
    activation: str
    slope: float
    norm: str
    norm_epsilon: float
    norm_momentum: float
    blocks: tuple[Block, ...] = ()
    parameters: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    running: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class VertexSlots:
    """Where one vertex column lives: `rows` in `graph.vertices`, `slots` in its flat vector, both int64.

    The vector is `vertex_parameters` for a column that is `trained`, else `running`.
    """

    rows: Array
    slots: Array
    trained: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """How a graph is run on one feature-major buffer of shape (rows, batch).

    Attributes:
        topology_hash: of the graph.
        layers: in topological order, inputs first.
        rows: rows of the buffer, one per vertex.
        input_rows: how many of them, the first ones, are inputs.
        num_slots: length of `weights`, pads included.
        num_frozen_slots: length of `frozen_weights`.
        num_vertex_slots: length of `vertex_parameters`; biases come first, in the order of rows.
        num_running_slots: length of `running`.
        bias_rows: (biases,) int64 buffer row of each bias.
        edge_slots: (edges,) int64 slot in `weights` of each row of `graph.edges`, -1 for frozen edges.
        vertex_slots: of each vertex column, by name; domains of inputs are none.
    """

    topology_hash: str
    layers: tuple[LayerPlan, ...]
    rows: int
    input_rows: int
    num_slots: int
    num_frozen_slots: int
    num_vertex_slots: int
    num_running_slots: int
    bias_rows: Array
    edge_slots: Array
    vertex_slots: Mapping[str, VertexSlots]

    @cached_property
    def inputs(self) -> tuple[LayerPlan, ...]:
        """Input layers, in the order of ids."""
        return tuple(sorted((p for p in self.layers if p.role == "input"), key=lambda p: p.id))

    @cached_property
    def outputs(self) -> tuple[LayerPlan, ...]:
        """Output layers, in the order of ids."""
        return tuple(sorted((p for p in self.layers if p.role == "output"), key=lambda p: p.id))

    @cached_property
    def digest(self) -> bytes:
        """Hash of topology and slots: equal digests mean that flat vectors can be exchanged."""
        h = hashlib.blake2b(self.topology_hash.encode(), digest_size=16)
        h.update(self.edge_slots.tobytes())
        for name in sorted(self.vertex_slots):
            h.update(name.encode() + self.vertex_slots[name].slots.tobytes())
        return h.digest()

    def summary(self) -> str:
        """A table of the blocks: layer, kernel, edges, parents x targets, density."""
        header = ("layer", "kernel", "edges", "parents x targets", "density")
        table = [header]
        for layer in self.layers:
            for block in layer.blocks:
                shape = f"{len(block.parents):,} x {block.targets:,}"
                kernel = block.kernel + (" (frozen)" if block.frozen else "")
                table.append((layer.name, kernel, f"{len(block.edges):,}", shape, f"{block.density:.3g}"))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        lines.insert(1, "  ".join("-" * w for w in widths))
        lines.append(f"{self.rows:,} rows ({self.input_rows:,} inputs), {self.num_slots:,} weight slots")
        return "\n".join(lines)
