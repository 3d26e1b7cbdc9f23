"""Shapes of the JSON values of layers and kinds of links, in files and journals."""

from __future__ import annotations

from typing import get_args

from netgraph.columns import WEIGHT_DTYPES
from netgraph.graph import KIND_FIELDS, LINK_KINDS, Role
from netgraph.storage.json_values import Entries, Items, Maybe, Number, Record, Shape, Text, Whole

MOST = 2**31 - 1
"""Largest size of a grid, a kernel, a stride or a padding; rows and taps are int32."""

PAIR = Items(Whole(high=MOST), 2)

ID = Whole(high=2**62)

KIND_SHAPE = Record(
    {"type": Text(tuple(LINK_KINDS)), **dict.fromkeys(KIND_FIELDS, PAIR)},
    optional=frozenset(KIND_FIELDS),
)
"""Shape of the values that `kind_to_json` returns."""

LAYER_SHAPES: dict[str, Shape] = {
    "name": Text(),
    "role": Text(get_args(Role)),
    "grid": Items(Whole(1, MOST)),
    "activation": Text(),
    "slope": Number(),
    "norm": Text(),
    "norm_epsilon": Number(),
    "norm_momentum": Number(),
    "pool": Maybe(Record({"kind": Text(("max", "average")), "size": PAIR, "stride": Maybe(PAIR)})),
}
"""Shapes of the values that `layer_attributes_to_json` returns, by name."""

COLUMNS_SHAPE = Entries(Text(tuple(dtype.str for dtype in WEIGHT_DTYPES)))
"""Shape of the dtypes of vertex columns, by the names of the columns."""
