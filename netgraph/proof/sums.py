"""Sums of the vertices of a new layer, as forms and as intervals."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.columns import Array
from netgraph.proof.forms import Rows


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of some vertices of a new layer.

    Attributes:
        rows: (k,) rows of these vertices in their layer.
        twin: (k,) flat row of the twin (the old vertex of the same id), or -1.
        form: the sums over known values.
        low, high: (k,) interval of the error that is added to the form.
        soft: (k,) whether the rounding of the weights explains the error.
        change: the sums minus the sums of the twins; rows without a twin have no meaning.
        moved_low, moved_high: (k,) bounds of the same difference.
        z_low, z_high: (k,) bounds of the sums.
    """

    rows: Array
    twin: Array
    form: Rows
    low: Array
    high: Array
    soft: Array
    change: Rows
    moved_low: Array
    moved_high: Array
    z_low: Array
    z_high: Array
