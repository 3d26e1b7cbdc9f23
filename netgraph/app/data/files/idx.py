"""Reader of IDX image files, the format of MNIST, gzipped or not."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from netgraph.app.data.files.read import read_bytes
from netgraph.app.data.raw import RawData
from netgraph.columns import Array
from netgraph.errors import DataError

_IMAGES_NAME = re.compile(r"images([-.])idx3")
_LABELS_NAME = re.compile(r"labels[-.]idx1")
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx_name(name: str) -> bool:
    """Say whether a file name is one of an IDX pair, such as `train-images-idx3-ubyte.gz`."""
    return bool(_IMAGES_NAME.search(name) or _LABELS_NAME.search(name))


def read_idx(path: Path) -> RawData:
    """Read IDX images with the labels, and the test pair, that stand beside them.

    Args:
        path: an image file such as `train-images-idx3-ubyte` or a directory with one; each file may be
            gzipped.

    Returns:
        The images and labels, with a `test` split if there is a `t10k-...` pair.

    Raises:
        DataError: a file of a pair is missing, damaged or of another format.
    """
    images = _training_images(path) if path.is_dir() else path
    if not _IMAGES_NAME.search(images.name):
        raise DataError(f"{path} holds labels. Give the image file, …images-idx3…, that stands beside it.")
    pair = _read_idx_pair(images)
    name = images.absolute().parent.name or images.stem
    test = _beside(images, images.name.replace("train", "t10k")) if "train" in images.name else None
    splits = {"all": pair} if test is None else {"train": pair, "test": _read_idx_pair(test)}
    return RawData(name, str(path), splits)


def _training_images(directory: Path) -> Path:
    """Return the training images in `directory`."""
    for name in ("train-images-idx3-ubyte", "train-images.idx3-ubyte"):
        if found := _beside(directory / name, name):
            return found
    listing = ", ".join(sorted(entry.name for entry in directory.iterdir())[:10]) or "nothing"
    raise DataError(
        f"{directory} is a directory without train-images-idx3-ubyte or train-images-idx3-ubyte.gz "
        f"(it holds {listing}). Give a directory of IDX files, or a .npz or .csv file."
    )


def _beside(path: Path, name: str) -> Path | None:
    """Return the file called `name` beside `path`, whether gzipped or not, or None."""
    bare = name.removesuffix(".gz")
    return next((path.with_name(n) for n in (name, bare, bare + ".gz") if path.with_name(n).is_file()), None)


def _read_idx_pair(images: Path) -> tuple[Array, Array]:
    name = _IMAGES_NAME.sub(r"labels\1idx1", images.name)
    labels = _beside(images, name)
    if labels is None:
        raise DataError(f"{images} has no labels: put {name} (or the same gzipped or unpacked) beside it.")
    return _read_idx_array(images), _read_idx_array(labels)


def _read_idx_array(path: Path) -> Array:
    data = read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES or data[3] not in range(1, 9):
        raise DataError(f"{path} is not an IDX file: it begins with {data[:4]!r}. Check file and name.")
    dtype = np.dtype(_IDX_TYPES[data[2]])
    header = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4))
    expected = header + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise DataError(
            f"{path} is damaged or truncated: {len(data)} bytes, but shape {shape} in its header needs "
            f"{expected}. Fetch it again."
        )
    try:
        return np.frombuffer(data[header:], dtype).reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError as error:  # no values, and axes of more than any array can have
        raise DataError(f"{path} is damaged: its header gives the shape {shape}. Fetch it again.") from error
