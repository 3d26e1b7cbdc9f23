"""Container files: arrays and a JSON structure in one safetensors file, with a checksum. No pickle."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netgraph.columns import Array, digest
from netgraph.errors import FileFormatError
from netgraph.markup import printable, shortened
from netgraph.storage.files import write_atomically
from netgraph.storage.json_values import PLAIN, Entries, Items, Record, Shape, ShapeError, Text, Whole, parse_json
from netgraph.storage.reading import read_file

STRUCTURE = "structure"
"""Name of the array that holds the JSON text. The header of the format is too small for the text of large graphs."""

HEADER = "netgraph"
"""Name of the metadata entry that states kind, version and checksum of a file."""

_METADATA = "__metadata__"
_LENGTH = 8
_MAX_HEADER = 16 << 20

_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}

_HEADER = Record(
    {_METADATA: Entries(Text())},
    optional=frozenset([_METADATA]),
    others=Record(
        {
            "dtype": Text(tuple(_DTYPES)),
            "shape": Items(Whole(high=2**48)),
            "data_offsets": Items(Whole(high=2**48), 2),
        }
    ),
)

_MAX_AXES, _MAX_SIZE = 32, 2**48


class _Slice(NamedTuple):
    """Dtype, shape and first byte of an array in a file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int


def write_container(
    path: str | os.PathLike[str],
    kind: str,
    version: int,
    structure: Any,
    arrays: Mapping[str, Array],
    *,
    durable: bool = True,
) -> None:
    """Write arrays and plain values to one file, completely or not at all.

    Args:
        path: file to write.
        kind: kind of the content, such as "graph"; `read_container` checks it.
        version: version of the schema of this kind.
        structure: plain JSON values.
        arrays: arrays by name.
        durable: whether the file withstands a failure of the power, see `write_atomically`.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, container_bytes(kind, version, structure, arrays), durable=durable)


def container_bytes(kind: str, version: int, structure: Any, arrays: Mapping[str, Array]) -> bytes:
    """Return the content that `write_container` writes."""
    from safetensors.numpy import save

    text = json.dumps(structure, separators=(",", ":"), allow_nan=True).encode()
    tensors = {
        STRUCTURE: np.frombuffer(text, dtype=np.uint8),
        # Not ascontiguousarray: it makes arrays without axes, such as a step count, one-dimensional.
        **{k: np.asarray(v, order="C") for k, v in arrays.items()},
    }
    header = {"format": f"netgraph.{kind}", "version": version, "digest": _digest(tensors)}
    # One entry: safetensors writes several in random order, but equal content must give equal files.
    result: bytes = save(tensors, metadata={HEADER: json.dumps(header)})
    return result


def read_container(
    path: str | os.PathLike[str], kind: str, version: int, shape: Shape = PLAIN
) -> tuple[Any, dict[str, Array]]:
    """Read a file written by `write_container` and check it as a whole.

    Args:
        path: the file.
        kind: kind that the content must have.
        version: newest version of the schema that can be read.
        shape: shape that the JSON values must have.

    Returns:
        The JSON values, and the arrays by name. The arrays share one piece of memory and are read-only.

    Raises:
        FileFormatError: when the file is missing, damaged, truncated, of another kind or too new.
    """
    name = repr(os.fspath(path))
    try:
        data = read_file(path)
    except FileNotFoundError:
        raise FileFormatError(f"There is no file {name}.") from None
    except OSError as error:
        raise FileFormatError(f"{name} cannot be read: {error.strerror}.") from error
    metadata, places = _places(data, name)
    header = _read_header(metadata, name, kind, version)
    arrays = {key: _array(data, key, place, name) for key, place in places.items()}
    if header["digest"] != _digest(arrays):
        raise FileFormatError(f"{name} is damaged: its content does not match its checksum.")
    text = arrays.pop(STRUCTURE, None)
    if text is None or text.dtype != np.uint8:
        raise FileFormatError(f"{name} is damaged: it has no text {STRUCTURE!r}.")
    return parse_json(text.tobytes(), shape, f"{STRUCTURE} of {name}", len(data)), arrays


def holds(path: str | os.PathLike[str], kind: str) -> bool:
    """Whether the header of a file names this kind of content, in any version. Only the header is read."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            size = int.from_bytes(file.read(_LENGTH), "little")
            header = parse_json(file.read(min(size, _MAX_HEADER)), _HEADER, "The header", _MAX_HEADER)
        own = parse_json(header.get(_METADATA, {}).get(HEADER, "{}").encode(), Record({}, others=PLAIN), "The header")
    except (OSError, FileFormatError):
        return False
    return bool(own.get("format") == f"netgraph.{kind}")


def expect_columns(arrays: Mapping[str, Array], expected: Mapping[str, Iterable[Any]], where: str) -> None:
    """Check that a file has all expected arrays and no others, each with one axis and one of its dtypes.

    Args:
        arrays: arrays of the file, by name.
        expected: allowed dtypes of each array, by name.
        where: name of the file, for messages.

    Raises:
        FileFormatError: for the first array that differs.
    """
    if missing := sorted(expected.keys() - arrays.keys()):
        raise FileFormatError(f"{where} is damaged: it has no column {missing[0]!r}.")
    if further := sorted(arrays.keys() - expected.keys()):
        raise FileFormatError(f"{where} is damaged: it has a column {printable(further[0])!r} that nothing uses.")
    for name, dtypes in expected.items():
        known, found = [np.dtype(dtype) for dtype in dtypes], arrays[name]
        if found.ndim != 1 or found.dtype not in known:
            raise FileFormatError(
                f"{where} is damaged: its column {name!r} is {found.dtype} of shape {found.shape}, expected one "
                f"axis of {' or '.join(map(str, known))}."
            )


def _places(data: bytes, name: str) -> tuple[dict[str, str], dict[str, _Slice]]:
    """Read the header: the metadata, and the place of each array.

    All places are checked against the size of the file before any array is read.
    """
    size = int.from_bytes(data[:_LENGTH], "little")
    start = _LENGTH + size
    if not data[:_LENGTH] or start > len(data) or size > _MAX_HEADER:
        raise FileFormatError(
            f"{name} is damaged or no netgraph file: {len(data):,} bytes cannot hold a header of {size:,}."
        )
    try:
        header = parse_json(data[_LENGTH:start], _HEADER, f"The header of {name}", _MAX_HEADER)
    except FileFormatError as error:
        raise FileFormatError(f"{name} is damaged or no netgraph file: {error}") from None
    metadata = header.pop(_METADATA, {})
    places, end = {}, start
    for key, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
        first, last = (start + offset for offset in entry["data_offsets"])
        # NumPy makes no array with more axes, or with more values (an empty axis counted as 1).
        fits = len(shape) <= _MAX_AXES and math.prod(n or 1 for n in shape) <= _MAX_SIZE
        if not fits or first != end or last != first + math.prod(shape) * dtype.itemsize:
            raise FileFormatError(
                f"{name} is damaged: its array {shortened(printable(key), 80)!r} of {dtype} and shape "
                f"{shortened(str(shape), 80)} cannot lie at bytes "
                f"{first:,} to {last:,}."
            )
        places[key], end = _Slice(dtype, shape, first), last
    if end != len(data):
        raise FileFormatError(
            f"{name} is damaged or truncated: it has {len(data):,} bytes, and its header announces {end:,}."
        )
    return metadata, places


def _array(data: bytes, key: str, place: _Slice, name: str) -> Array:
    count = math.prod(place.shape)
    if place.dtype == np.bool_ and (np.frombuffer(data, np.uint8, count, place.start) > 1).any():
        raise FileFormatError(f"{name} is damaged: its array {printable(key)!r} has values that are not true or false.")
    array = np.frombuffer(data, place.dtype, count, place.start).reshape(place.shape)
    return array if array.flags.aligned else array.copy()


def _read_header(metadata: Mapping[str, str], name: str, kind: str, version: int) -> dict[str, Any]:
    text = metadata.get(HEADER, "{}").encode()
    header: dict[str, Any] = parse_json(text, Record({}, others=PLAIN), f"The header of {name}")
    if header.get("format") != f"netgraph.{kind}":
        found = header.get("format", "no format name")
        raise FileFormatError(f"{name} holds {shortened(printable(str(found)))!r}, expected 'netgraph.{kind}'.")
    found_version = header.get("version")
    if isinstance(found_version, int) and found_version > version:
        raise FileFormatError(
            f"{name} has version {found_version}; this netgraph reads up to {version}. Update netgraph to read it."
        )
    own = Record({"format": Text(), "version": Whole(1), "digest": Text()}, others=PLAIN)
    try:
        own.check(header)
    except ShapeError as error:
        raise FileFormatError(f"{name} is damaged: in its header {error}.") from None
    return header


def _digest(tensors: Mapping[str, Array]) -> str:
    return digest(*(part for name in sorted(tensors) for part in (name, tensors[name]))).hex()
