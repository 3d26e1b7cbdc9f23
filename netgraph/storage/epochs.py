"""Weights of edges during a run, one file per kept epoch in the folder `epochs/`. Its size is bounded.

A run keeps at most `MOST_EPOCHS` epochs, evenly spread, and at most some `MOST_BYTES` in all. Whether an epoch is kept
follows from its number and its size alone, so that a resumed run keeps the same ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netgraph.columns import Array
from netgraph.errors import FileFormatError
from netgraph.storage.container import expect_columns, read_container, write_container
from netgraph.storage.json_values import Record, Text, Whole

EPOCHS_FOLDER = "epochs"
EPOCH_FILE = re.compile(r"(\d{6,})\.safetensors")
"""Pattern of the names of the files; the group is the number of finished epochs."""

MOST_EPOCHS = 64
"""Largest number of epochs that are kept."""
MOST_BYTES = 32 << 20
"""Number of bytes that the files of a run take together, at most about."""

_KIND, _VERSION = "epoch", 1
_STRUCTURE = Record({"epoch": Whole(1), "rewrites": Whole(), "topology_hash": Text()})


@dataclass(frozen=True, eq=False)
class EpochValues:
    """Values of all edges of a graph after an epoch of training, before its rewrites.

    Attributes:
        epoch: number of finished epochs.
        rewrites: number of rewrites that led to the graph.
        topology_hash: topology hash of the graph, to whose `edges` the rows belong.
        weight: weights, `(edges,)` float32.
        gradient: mean absolute gradients over the last mini-batches, `(edges,)` float32, or None where the run did not
            collect them.
    """

    epoch: int
    rewrites: int
    topology_hash: str
    weight: Array
    gradient: Array | None = None


def is_kept(epoch: int, epochs: int, edges: int, columns: int) -> bool:
    """Return whether a run of `epochs` epochs keeps an epoch, after which it has `edges` edges with `columns` values.

    Of graphs whose values need more than their share of `MOST_BYTES`, every second epoch is kept, every fourth, ...
    """
    stride, share = -(-epochs // MOST_EPOCHS), MOST_BYTES // MOST_EPOCHS
    while 4 * edges * columns > share:
        stride, share = 2 * stride, 2 * share
    return epoch % stride == 0


def save_epoch(directory: str | os.PathLike[str], values: EpochValues) -> None:
    """Write the values of an epoch into the folder `epochs/` of a run directory, completely or not at all.

    The file does not withstand a failure of the power: epochs may take less time than an fsync, and a lost epoch is
    one point less in a curve.
    """
    arrays = {"weight": np.asarray(values.weight, np.float32)}
    if values.gradient is not None:
        arrays["gradient"] = np.asarray(values.gradient, np.float32)
    structure = {"epoch": values.epoch, "rewrites": values.rewrites, "topology_hash": values.topology_hash}
    path = Path(directory) / EPOCHS_FOLDER / f"{values.epoch:06d}.safetensors"
    write_container(path, _KIND, _VERSION, structure, arrays, durable=False)


def load_epochs(directory: str | os.PathLike[str]) -> Iterator[EpochValues]:
    """Read the kept epochs of a run directory one by one, in order; none where there is no folder `epochs/`.

    A file that cannot be read is left out, like an epoch that was not kept: all else of the run can be read without it.
    """
    for path in _files(Path(directory)):
        try:
            structure, arrays = read_container(path, _KIND, _VERSION, _STRUCTURE)
            names = ("weight", "gradient") if "gradient" in arrays else ("weight",)
            expect_columns(arrays, {name: [np.float32] for name in names}, str(path))
        except FileFormatError:
            continue
        yield EpochValues(**structure, weight=arrays["weight"], gradient=arrays.get("gradient"))


def forget_epochs(directory: str | os.PathLike[str], after: int) -> None:
    """Remove the files of all epochs after the epoch `after`, which a resumed run goes through again."""
    for path in _files(Path(directory)):
        if int(path.stem) > after:
            path.unlink()


def _files(directory: Path) -> list[Path]:
    folder = directory / EPOCHS_FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if EPOCH_FILE.fullmatch(path.name)), key=lambda path: int(path.stem)
    )
