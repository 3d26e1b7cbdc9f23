"""The plan: which kernel runs which edges, and where everything lies. Data only, no tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from compilers.plan.block import Block, Choice, Site
from compilers.plan.geometry import as_maps
from compilers.plan.kinds import KINDS
from compilers.plan.reads import PortReads
from netgraph.columns import Array
from netgraph.graph import Grid, Merge, Pool
from netgraph.tables import Table


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """One layer: the place of its values, the blocks that are summed into it, and its operation.

    Values of a layer that others read position by position are maps, (batch, vertices, height, width); those of
    others are rows of the buffer, (rows, batch). Of a layer that `picks` only the rows of the ones are stored.

    Attributes:
        id: layer id in the graph.
        name: layer name.
        role: "input", "position", "hidden" or "output".
        width: number of vertices.
        start: first row of the buffer that the layer writes.
        stop: one past its last row; equal to `start` for a layer whose values are maps.
        grid: of its sums.
        output_grid: of its values, pooled.
        blocks: edges that are summed, kernel by kernel; none for a layer that merges.
        merge: of the wires that it reads, or None for a layer that sums.
        reads: wires into each port, for a layer that merges.
        bias: slots (start, stop) in `vertex_parameters` of the biases, or None.
        parameters: slots (start, stop) in `vertex_parameters` of each trained column but the bias.
        running: slots (start, stop) in the buffer `running` of `mean` and `var`.
        encoding: "values", or "index" of an input whose data are the rows of vertices, `(batch, *grid)`.
    """

    id: int
    name: str
    role: str
    width: int
    start: int
    stop: int
    activation: str
    slope: float
    norm: str
    norm_epsilon: float
    norm_momentum: float
    grid: Grid = ()
    output_grid: Grid = ()
    pool: Pool | None = None
    blocks: tuple[Block, ...] = ()
    merge: Merge | None = None
    reads: tuple[PortReads, ...] = ()
    bias: tuple[int, int] | None = None
    parameters: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    running: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    encoding: str = "values"

    @property
    def is_source(self) -> bool:
        """Whether no edges enter the layer: an input, or positions."""
        return self.role in ("input", "position")

    @property
    def picks(self) -> bool:
        """Whether one vertex is 1 at each position and all others are 0: positions, and inputs of indices."""
        return self.role == "position" or self.encoding == "index"

    @property
    def has_maps(self) -> bool:
        """Whether its sums or values lie beside the buffer, as maps."""
        return bool(self.grid) or self.picks

    @property
    def gives_maps(self) -> bool:
        """Whether others read its values as maps; those of a layer that is pooled to numbers lie in the buffer."""
        return bool(self.output_grid) or self.picks

    @property
    def given_shape(self) -> tuple[int, ...]:
        """Shape of the data of one sample, for an input layer."""
        return self.grid if self.encoding == "index" else self.shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values of one sample."""
        return (self.width, *self.output_grid)

    @property
    def vertex_axis(self) -> int:
        """Axis of the vertices in a tensor of its sums: 0 for rows, 1 for maps."""
        return 1 if self.grid else 0

    @property
    def sum_positions(self) -> int:
        """Number of positions of the sums."""
        height, width = as_maps(self.grid)
        return height * width

    @property
    def positions(self) -> int:
        """Positions of the values."""
        height, width = as_maps(self.output_grid)
        return height * width

    @property
    def floats(self) -> int:
        """Numbers per sample that a forward keeps: sums and values of maps, or rows."""
        if self.picks:
            return self.positions if self.role == "input" else 0
        return self.width * (self.positions + (self.sum_positions if self.grid else 0))


@dataclass(frozen=True, eq=False)
class VertexSlots:
    """Where one vertex column lives: `rows` in `graph.vertices`, `slots` in its flat vector, both int64.

    The vector is `vertex_parameters` for a column that is `trained`, else `running`.
    """

    rows: Array
    slots: Array
    trained: bool


class RowProducts(NamedTuple):
    """Trained edges that read rows, each (edges,) int64: slots, rows that they read, and rows that they feed."""

    slots: Array
    source: Array
    target: Array


@dataclass(frozen=True, eq=False)
class Plan:
    """Kernels and places of a whole graph: rows in one feature-major buffer (rows, batch), and maps beside it.

    Attributes:
        topology_hash: of the graph.
        layers: in topological order, inputs first.
        rows: rows of the buffer, one per vertex whose value has no grid.
        input_rows: number of the first rows, which are inputs.
        num_slots: length of `weights`, pads included.
        num_frozen_slots: length of `frozen_weights`.
        num_vertex_slots: length of `vertex_parameters`; biases of rows come first, in the order of rows.
        num_running_slots: length of `running`.
        bias_rows: int64 buffer row of each bias that is added to a row, `(biases,)`.
        edge_slots: slot in `weights` of each row of `graph.edges`, -1 for frozen edges, `(edges,)`.
        vertex_slots: of each vertex column, by name; domains of inputs are none.
        choices: kernels of everything that has weights. They, and the graph, determine the plan.
        site_edges: the edges of every site in the order of its blocks, for the plan after the next rewrite.
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
    choices: Mapping[Site, Choice]
    site_edges: Mapping[Site, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def inputs(self) -> tuple[LayerPlan, ...]:
        """Input layers, in the order of ids."""
        return tuple(sorted((p for p in self.layers if p.role == "input"), key=lambda p: p.id))

    @cached_property
    def outputs(self) -> tuple[LayerPlan, ...]:
        """Output layers, in the order of ids."""
        return tuple(sorted((p for p in self.layers if p.role == "output"), key=lambda p: p.id))

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Position in `layers` of each layer, by name."""
        return {layer.name: i for i, layer in enumerate(self.layers)}

    @cached_property
    def given_inputs(self) -> tuple[int, ...]:
        """Places of the input layers that need no copy in the buffer, be they feature-major or not.

        Only kernels that read in place read them, each of rows of that layer alone, and without gaps.
        """
        inputs = {i: p for i, p in enumerate(self.layers) if p.role == "input" and not p.grid}
        for layer in self.layers:
            for block in layer.blocks:
                if block.source < 0 and block.parents[0] < self.input_rows:
                    low, high = int(block.parents[0]), int(block.parents[-1]) + 1
                    fits = KINDS[block.kernel].in_place and high - low == len(block.parents)
                    for i, p in list(inputs.items()):
                        if low < p.stop and high > p.start and not (fits and p.start <= low and high <= p.stop):
                            del inputs[i]
            for reads in layer.reads:
                for place in reads.places:
                    inputs.pop(place, None)
        return tuple(inputs)

    @cached_property
    def fused(self) -> Mapping[int, int]:
        """Places of attentions that nothing but one mix reads, with the place of that mix, which computes both.

        Only where all heads have as many slots as channels, and in one layer each.
        """
        readers: dict[int, set[int]] = {}
        for i, layer in enumerate(self.layers):
            for place in (*(b.source for b in layer.blocks), *(p for reads in layer.reads for p in reads.places)):
                readers.setdefault(place, set()).add(i)
        mixes = ((i, layer) for i, layer in enumerate(self.layers) if layer.merge is not None)
        found = {}
        for i, layer in mixes:
            places = layer.reads[0].places
            if layer.merge is not None and layer.merge.name == "mix" and len(places) == 1:
                heads = self.layers[places[0]]
                widths = {*heads.reads[0].counts(heads.width), *layer.reads[0].source_counts(heads.width)}
                if readers[places[0]] == {i} and heads.role == "hidden" and len(widths) == 1:
                    found[places[0]] = i
        return found

    @cached_property
    def row_products(self) -> RowProducts:
        """All trained edges that read rows, O(edges)."""
        found: list[list[Array]] = [[np.empty(0, np.int64)] for _ in RowProducts._fields]
        for layer in self.layers:
            for block in layer.blocks:
                if block.source < 0 and not block.frozen:
                    incidence = block.incidence
                    columns = (block.slots, block.parents[incidence.src], incidence.dst + np.int64(layer.start))
                    for parts, column in zip(found, columns, strict=True):
                        parts.append(column)
        return RowProducts(*(np.concatenate(parts).astype(np.int64) for parts in found))

    @cached_property
    def floats_per_sample(self) -> int:
        """Numbers that a forward keeps for every sample."""
        return sum(layer.floats for layer in self.layers)

    @cached_property
    def digest(self) -> bytes:
        """Hash of topology and slots: equal digests mean that flat vectors can be exchanged."""
        h = hashlib.blake2b(self.topology_hash.encode(), digest_size=16)
        h.update(np.ascontiguousarray(self.edge_slots, dtype=np.int64).data)
        for name in sorted(self.vertex_slots):
            h.update(name.encode() + self.vertex_slots[name].slots.tobytes())
        return h.digest()

    @cached_property
    def frozen_slots(self) -> Array:
        """Slot in `frozen_weights` of each row of `graph.edges`, -1 for trained edges and wires, `(edges,)`."""
        result = np.full(len(self.edge_slots), -1, dtype=np.int64)
        for layer in self.layers:
            for block in layer.blocks:
                if block.frozen and block.stop > block.start:
                    result[block.edges] = block.slots
        return result

    @cached_property
    def frozen_digest(self) -> bytes:
        """Hash of the slots of frozen edges: equal digests mean that `frozen_weights` can be exchanged."""
        return hashlib.blake2b(self.frozen_slots.tobytes(), digest_size=16).digest()

    def summary(self, measured: Mapping[tuple[str, int], float] | None = None) -> str:
        """A table of the blocks: layer, kernel, edges, shape, density, and milliseconds of a step.

        A layer that merges has a line with its merge, its wires, and the number of wires into each port.

        Args:
            measured: seconds of a step by (layer name, number of the block), as `net.measure(x)` gives them; they
                come beside the predicted ones.
        """
        rows = []
        for layer in self.layers:
            for i, line in enumerate(_lines(layer)):
                taken = () if measured is None else (_milliseconds(measured.get((layer.name, i))),)
                rows.append((layer.name, *line, *taken))
        columns = (*_HEADINGS, "measured ms") if measured is not None else _HEADINGS
        return f"{Table.of_words('', columns, rows).text(rule=True)}\n{self._sizes()}"

    def _sizes(self) -> str:
        maps = sum(layer.width for layer in self.layers if layer.gives_maps)
        rows = f"{self.rows:,} rows ({self.input_rows:,} inputs)" + (f", {maps:,} maps" if maps else "")
        return f"{rows}, {self.num_slots:,} weight slots; predicted for a batch of 128 on one core"

    def _repr_html_(self) -> str:
        """The table of `summary`, of the first 50 blocks."""
        lines = ((layer.name, *cells) for layer in self.layers for cells in _lines(layer))
        rows = list(islice(lines, _SHOWN_BLOCKS))
        count = sum(len(layer.blocks) + (layer.merge is not None) for layer in self.layers)
        shown = f"the first {_SHOWN_BLOCKS} of {count:,} blocks; " if count > _SHOWN_BLOCKS else ""
        return Table(shown + self._sizes(), _HEADINGS, rows).html()


_HEADINGS = ("layer", "kernel", "edges", "parents x targets", "density", "predicted ms")
_SHOWN_BLOCKS = 50


def _cells(block: Block) -> tuple[str, ...]:
    """Return the texts of a block in the table of a summary, for all columns but the first."""
    kernel = block.kernel + (" (frozen)" if block.frozen and block.stop > block.start else "")
    return kernel, f"{len(block.incidence):,}", block.shape, f"{block.density:.3g}", f"{block.cost / 1e6:.3f}"


def _lines(layer: LayerPlan) -> Iterator[tuple[str, ...]]:
    """Make the lines of a layer in the table of a summary, without its name."""
    yield from map(_cells, layer.blocks)
    if layer.merge is not None:
        wires = [len(reads) for reads in layer.reads]
        shape = f"{' + '.join(f'{n:,}' for n in wires)} x {layer.width:,}"
        yield layer.merge.name, f"{sum(wires):,}", shape, "", ""


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.3f}"
