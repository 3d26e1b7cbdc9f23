"""Norms: layers that read by wires and normalise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from compilers.importing.codes import Coded
from compilers.importing.drafts import DraftLayer
from compilers.importing.movement import stacked
from compilers.importing.reading import Reading, reading, sampled, undecided
from compilers.importing.sums import layer_of, link, result, set_column
from compilers.importing.walk import ModuleWalk, operation
from netgraph.graph import Grid, Identity, Place, get_norm


def wired(walk: ModuleWalk, read: Reading, grid: Grid | None = None, **attributes: Any) -> DraftLayer:
    """New layer that reads the features of a reading by wires, on their grid or on another one of as many positions."""
    source = layer_of(walk, read)
    grid = source.output_grid if grid is None else grid
    made = walk.draft(source.width, grid, **attributes)
    rows = np.arange(source.width)
    link(made, source, Identity() if grid == source.output_grid else Place(0), rows, rows, 1.0, frozen=True)
    return made


def normed(
    walk: ModuleWalk, read: Reading, norm: str, epsilon: float, columns: dict[str, Any], **attributes: Any
) -> DraftLayer:
    """New layer with a norm; `columns` are parameters or constants by vertex column, None for the starting value."""
    made = wired(walk, read, norm=norm, norm_epsilon=float(epsilon), **attributes)
    for name, start in get_norm(norm).columns.items():
        if columns.get(name) is not None:
            set_column(walk, made, name, columns[name])
        else:
            made.columns[name] = np.full(made.width, start)
            if name not in get_norm(norm).buffers:
                walk.notes.append(f"{made.name}: the norm has no {name} of its own; here it is {start:g}, and trained.")
    return made


def normalised(walk: ModuleWalk, value: Coded, norm: str, epsilon: float, columns: dict[str, Any]) -> Coded:
    """Norm over the last axis, its features; where other axes hold features too, each of their parts is a layer."""
    found = sampled(walk, value)
    axes = () if undecided(walk, found) else reading(walk, value).features
    others = [dim for dim in range(len(value.shape) - 1) if found.axis_of(dim) in axes]
    if not others:
        read = reading(walk, value, (-1,))
        return result(walk, read, normed(walk, read, norm, epsilon, columns))
    parts = [
        normalised(walk, value.map(lambda part, i=i: part.select(others[0], i)), norm, epsilon, columns)  # type: ignore[misc]
        for i in range(value.shape[others[0]])
    ]
    return stacked(parts, others[0])


@operation("layer_norm")
def layer_norm(
    walk: ModuleWalk, value: Coded, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Coded:  # fmt: skip
    """Layer norm over the last axis."""
    if len(shape) != 1:
        walk.refuse(f"it normalises over {len(shape)} axes, {tuple(shape)}", "normalise over the features alone")
    return normalised(walk, value, "layer", eps, {"scale": weight, "shift": bias})


@operation("batch_norm")
def batch_norm(
    walk: ModuleWalk, value: Coded, weight: Any, bias: Any, mean: Any, variance: Any, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Coded:  # fmt: skip
    """Batch norm with running statistics; features are the axis behind the batch."""
    if mean is None or variance is None:
        walk.refuse("it keeps no running statistics", "use track_running_stats=True")
    read = reading(walk, value, (1,))
    columns = {"scale": weight, "shift": bias, "mean": mean, "var": variance}
    made = normed(walk, read, "batch", eps, columns, norm_momentum=float(momentum))
    if not momentum:
        walk.notes.append(
            f"{made.name}: training leaves its running statistics as they are, since the momentum is 0, which torch "
            "exports for None as well."
        )
    return result(walk, read, made)


@operation("group_norm", "instance_norm")
def other_norm(walk: ModuleWalk, *args: Any, **kwargs: Any) -> Coded:
    """Refuse a norm over groups of features or over positions."""
    walk.refuse(
        "layers normalise by the batch (batch norm), or over all features of a position (layer and RMS norm)",
        "use BatchNorm2d, or LayerNorm over the features",
    )
