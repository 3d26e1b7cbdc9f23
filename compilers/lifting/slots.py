"""Moves of values from the layout of one network to that of the next, by edge id, or by vertex id and column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from compilers.running import CompiledNetwork
from netgraph.checks import choice
from netgraph.columns import Array, IdIndex
from netgraph.errors import InputError

Layout = Literal["weights", "vertex_parameters", "running", "edges", "vertices"]
"""Order of values: that of a vector of a network, or of the rows of `graph.edges` or `graph.vertices`."""


@dataclass(frozen=True, eq=False)
class SlotMoves:
    """Moves of entries from an old vector to a new one. Slots in neither `to_slots` nor `fresh` are pads.

    Attributes:
        size: length of the new vector.
        to_slots: slot in the new vector, `(survivors,)`.
        from_slots: slot in the old one, `(survivors,)`.
        fresh: slot of each new entry, `(new entries,)`.
    """

    size: int
    to_slots: Tensor
    from_slots: Tensor
    fresh: Tensor

    @classmethod
    def of(cls, size: int, slots: Array, sources: Array) -> SlotMoves:
        """Make moves from the slot of each entry, and its slot in the old vector, -1 for new entries."""
        survives = sources >= 0
        parts = (slots[survives], sources[survives], slots[~survives])
        return cls(size, *(torch.from_numpy(part.astype(np.int64, copy=False)) for part in parts))

    def to(self, device: torch.device) -> SlotMoves:
        """Copy the moves to a device."""
        return SlotMoves(self.size, *(slots.to(device) for slots in (self.to_slots, self.from_slots, self.fresh)))

    def take(self, old: Tensor, *, rest: float | Tensor = 0.0) -> Tensor:
        """Make the new vector: survivors from `old`, new entries from `rest`.

        Args:
            old: the old vector.
            rest: a number, which pads get as well, or values, `(size,)`; pads are then 0.
        """
        values = old.detach().index_select(0, self.from_slots)
        shape = (self.size, *old.shape[1:])
        if isinstance(rest, Tensor):
            found = old.new_zeros(shape, requires_grad=False)
            found.index_copy_(0, self.fresh, rest.detach().to(found)[self.fresh])
        else:
            found = old.new_full(shape, rest, requires_grad=False)
        return found.index_copy_(0, self.to_slots, values)


def carry_values(
    values: Tensor,
    old: CompiledNetwork,
    new: CompiledNetwork,
    *,
    layout: Layout = "weights",
    rest: float | Tensor = 0.0,
) -> Tensor:
    """Carry values of the entries of a network into the layout of the network after a rewrite.

    For example, carry a running average of the weights, where new entries start at their own weight:

        average = carry_values(average, old, new, rest=new.weights)

    Args:
        values: penalties, masks or averages in the layout of `old`, `(entries, ...)`.
        old: the network before the rewrite.
        new: the network after it.
        layout: "weights", "vertex_parameters" and "running" are the vectors of that name; "edges" and "vertices" are
            rows of `graph.edges` and `graph.vertices`.
        rest: values of new entries: a number, or a tensor in the layout of `new`.

    Raises:
        OptionError: for an unknown layout.
        InputError: when a length does not fit its network.
    """
    choice("layout", layout, get_args(Layout))
    moves = _moves(old, new, layout).to(values.device)
    for name, given, size in (("values", values, _size(old, layout)), ("rest", rest, moves.size)):
        if isinstance(given, Tensor) and (given.dim() == 0 or len(given) != size):
            raise InputError(
                f"{name} has shape {tuple(given.shape)}, but the network has {size} entries in the layout {layout!r}; "
                "name the layout that the values have."
            )
    return moves.take(values, rest=rest.to(values.device) if isinstance(rest, Tensor) else rest)


def edge_moves(old: CompiledNetwork, new: CompiledNetwork) -> SlotMoves:
    """Match the entries of `weights` in two networks by edge id."""
    slots = new.plan.edge_slots
    sources = _at(old.plan.edge_slots, old.graph.edges.find(new.graph.edges.id))
    trained = slots >= 0
    return SlotMoves.of(new.plan.num_slots, slots[trained], sources[trained])


def vertex_moves(old: CompiledNetwork, new: CompiledNetwork, *, trained: bool = True) -> SlotMoves:
    """Match the entries of `vertex_parameters`, or of `running`, in two networks by vertex id and column."""
    slots, sources = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for name, where in new.plan.vertex_slots.items():
        if where.trained != trained:
            continue
        ids = new.graph.vertices.id[where.rows]
        slots.append(where.slots)
        if name in old.plan.vertex_slots:
            before = old.plan.vertex_slots[name]
            sources.append(_at(before.slots, IdIndex(old.graph.vertices.id[before.rows]).find(ids)))
        else:
            sources.append(np.full(len(ids), -1))
    size = new.plan.num_vertex_slots if trained else new.plan.num_running_slots
    return SlotMoves.of(size, np.concatenate(slots), np.concatenate(sources))


def _moves(old: CompiledNetwork, new: CompiledNetwork, layout: Layout) -> SlotMoves:
    if layout == "weights":
        return edge_moves(old, new)
    if layout in ("vertex_parameters", "running"):
        return vertex_moves(old, new, trained=layout == "vertex_parameters")
    before, after = (getattr(net.graph, layout) for net in (old, new))
    return SlotMoves.of(len(after), np.arange(len(after)), before.find(after.id))


def _size(net: CompiledNetwork, layout: Layout) -> int:
    return len(getattr(net.graph, layout).id if layout in ("edges", "vertices") else getattr(net, layout))


def _at(slots: Array, rows: Array) -> Array:
    """Look up the slot at each row, -1 where the row is -1."""
    found = slots.take(rows) if len(slots) else rows.copy()
    found[rows < 0] = -1
    return found
