"""Contents of files and journals: shapes of layers, links and histories as JSON values, and dtypes of columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from netgraph.columns import WEIGHT_DTYPES
from netgraph.graph import KIND_FIELDS, LINK_KINDS, MERGES, Encoding, Layer, Role
from netgraph.storage.json_values import Either, Entries, Flag, Items, Maybe, Number, Record, Shape, Text, Whole

MAX_SIZE = 2**31 - 1
"""Largest size of a grid, a kernel, a stride or a padding; rows and taps are int32."""

PAIR = Items(Whole(high=MAX_SIZE), 2)

ID = Whole(high=2**62)

KIND_SHAPE = Record(
    {"type": Text(tuple(LINK_KINDS)), **dict.fromkeys(KIND_FIELDS, Either((PAIR, Whole(-MAX_SIZE, MAX_SIZE))))},
    optional=frozenset(KIND_FIELDS),
)
"""Shape of the values that `kind_to_json` returns."""

AXES = Items(Whole(high=MAX_SIZE))
"""Shape of the settings of a pool: one number per axis."""

MERGE_SHAPE = Record(
    {"type": Text(tuple(MERGES)), "scale": Number(), "causal": Flag(), "frequencies": Items(Number())},
    optional=frozenset({"scale", "causal", "frequencies"}),
)
"""Shape of the values that `merge_to_json` returns."""

COLUMNS_SHAPE = Entries(Text(tuple(dtype.str for dtype in WEIGHT_DTYPES)))
"""Shape of the dtypes of vertex columns, by the names of the columns."""

HISTORY_SHAPES: dict[str, Shape] = {
    "next_ids": Items(ID, 3),
    "lineage": Text(),
    "rewrites": Whole(high=2**31 - 1),
    "topology_hash": Text(),
}
"""Shapes of the values that place a graph in its history, by name."""

POOL_SHAPE = Record(
    {"kind": Text(("max", "average")), "size": AXES, "stride": Maybe(AXES), "padding": AXES},
    optional=frozenset({"padding"}),
)

LINK_SHAPES: dict[str, Shape] = {"key": Items(ID, 3), "kind": KIND_SHAPE}
"""Shapes of the key and the kind of a link, by name."""

LAYER_SHAPES: dict[str, Shape] = {
    "id": ID,
    "columns": COLUMNS_SHAPE,
    "name": Text(),
    "role": Text(get_args(Role)),
    "grid": Items(Whole(1, MAX_SIZE)),
    "activation": Text(),
    "slope": Number(),
    "norm": Text(),
    "norm_epsilon": Number(),
    "norm_momentum": Number(),
    "pool": Maybe(POOL_SHAPE),
    "merge": MERGE_SHAPE,
    "encoding": Text(get_args(Encoding)),
}
"""Shapes of the id and the columns of a layer, and of the values that `layer_attributes_to_json` returns."""

LAYER_OPTIONAL = frozenset(Layer.OPTIONAL)
"""Names in `LAYER_SHAPES` that may be missing."""


def column_dtypes(prefix: str, dtypes: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Dtypes that columns may have, by the names of the columns in a file; None stands for the dtypes of weights."""
    return {f"{prefix}.{name}": WEIGHT_DTYPES if dtype is None else (dtype,) for name, dtype in dtypes.items()}
