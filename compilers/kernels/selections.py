"""Some vertices of a layer: a slice where they follow each other, else an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from netgraph.columns import Array

Selection = slice | Tensor


def selection(rows: Array, device: torch.device) -> Selection:
    """Make a selection of rows."""
    if is_range(rows):
        return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)
    return torch.from_numpy(rows.astype(np.int64)).to(device)


def maps_at(maps: Tensor, rows: Selection) -> Tensor:
    """Return some maps of `(batch, vertices, height, width)`: a view for a slice."""
    return maps[:, rows] if isinstance(rows, slice) else maps.index_select(1, rows)


def add_maps(maps: Tensor, rows: Selection, values: Tensor) -> None:
    """Add values to some maps in place."""
    if isinstance(rows, slice):
        maps[:, rows] += values
    else:
        maps.index_add_(1, rows, values)


def is_range(rows: Array) -> bool:
    """Whether every row is one more than the row before it."""
    return bool((np.diff(rows) == 1).all())
