"""The file container: arrays and a JSON structure in one safetensors file, with a checksum. No pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netgraph.errors import FileFormatError
from netgraph.files import write_atomically
from netgraph.graph.columns import Array, digest

STRUCTURE = "structure"
"""Name of the array that holds the JSON text; the header of the format is too small for large graphs."""

HEADER = "netgraph"
"""Name of the metadata entry that says what a file holds."""


def write_container(
    path: str | os.PathLike[str], kind: str, version: int, structure: Any, arrays: Mapping[str, Array]
) -> None:
    """Write arrays and plain values to one file, completely or not at all.

    Args:
        path: file to write.
        kind: what the file holds, checked when it is read.
        version: version of its schema.
        structure: plain JSON values.
        arrays: arrays by name.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, container_bytes(kind, version, structure, arrays))


def container_bytes(kind: str, version: int, structure: Any, arrays: Mapping[str, Array]) -> bytes:
    """The content that `write_container` writes."""
    from safetensors.numpy import save

    text = json.dumps(structure, separators=(",", ":"), allow_nan=True).encode()
    tensors = {
        STRUCTURE: np.frombuffer(text, dtype=np.uint8),
        # Not ascontiguousarray, which makes arrays of no dimension, such as a step count, one-dimensional.
        **{k: np.asarray(v, order="C") for k, v in arrays.items()},
    }
    header = {"format": f"netgraph.{kind}", "version": version, "digest": _digest(tensors)}
    # One entry, because safetensors writes several in random order, and equal content is to be an equal file.
    result: bytes = save(tensors, metadata={HEADER: json.dumps(header)})
    return result


def read_container(path: str | os.PathLike[str], kind: str, version: int) -> tuple[Any, dict[str, Array]]:
    """Read a file written by `write_container` and check it as a whole.

    Returns:
        The JSON values and the arrays by name.

    Raises:
        FileFormatError: when the file is missing, damaged, truncated, of another kind or too new.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileFormatError(f"There is no file {os.fspath(path)!r}.")
    try:
        with safe_open(path, framework="np") as file:
            header = _read_header(path, file.metadata() or {}, kind, version)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{os.fspath(path)!r} is damaged or no netgraph file: {error}") from error
    if header.get("digest") != _digest(tensors):
        raise FileFormatError(f"{os.fspath(path)!r} is damaged: its content does not match its checksum.")
    try:
        structure = json.loads(tensors.pop(STRUCTURE).tobytes())
    except (KeyError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{os.fspath(path)!r} is damaged: its structure cannot be read ({error}).") from error
    return structure, tensors


def _read_header(path: str | os.PathLike[str], metadata: Mapping[str, str], kind: str, version: int) -> dict[str, Any]:
    try:
        header = json.loads(metadata.get(HEADER, "{}"))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{os.fspath(path)!r} is damaged: its header cannot be read ({error}).") from error
    if not isinstance(header, dict) or header.get("format") != f"netgraph.{kind}":
        found = header.get("format", "no format name") if isinstance(header, dict) else header
        raise FileFormatError(f"{os.fspath(path)!r} holds {found!r}, expected 'netgraph.{kind}'.")
    found_version = header.get("version")
    if not isinstance(found_version, int) or found_version < 1:
        raise FileFormatError(f"{os.fspath(path)!r} is damaged: it has no version number, but {found_version!r}.")
    if found_version > version:
        raise FileFormatError(
            f"{os.fspath(path)!r} has version {found_version}; this netgraph reads up to {version}. "
            "Update netgraph to read it."
        )
    return header


def _digest(tensors: Mapping[str, Array]) -> str:
    return digest(*(part for name in sorted(tensors) for part in (name, tensors[name]))).hex()
