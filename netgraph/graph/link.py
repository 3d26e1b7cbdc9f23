"""Links: all edges from one layer to one port of another, as columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from netgraph.checks import whole
from netgraph.columns import EDGE_DTYPES, WEIGHT_DTYPES, Array, FrozenDict, column, converted, digest
from netgraph.errors import GraphError
from netgraph.graph.kinds import LinkKind

LinkKey = tuple[int, int, int]
"""Key of a link: `(source layer id, target layer id, port)`."""

LARGEST_PORT = 2**31 - 1
"""Largest port; ports are stored in 32 bits."""


@dataclass(frozen=True, eq=False)
class Link:
    """All edges from layer `source` to port `port` of layer `target`, in canonical order.

    Edges are sorted by (target row, source row, tap), which is the CSR order of the targets. Columns have one row per
    edge: `id` int64, `src` and `dst` int32 (rows of its ends within their layers), `tap` int32, `weight` float32 or
    float64, `birth` int32 (number of the rewrite that made the edge), `frozen` bool (True: not trained).
    """

    source: int
    target: int
    kind: LinkKind
    id: Array
    src: Array
    dst: Array
    tap: Array
    weight: Array
    birth: Array
    frozen: Array
    port: int = 0

    def __post_init__(self) -> None:
        own = self.__dict__  # a frozen dataclass is filled through its dictionary
        for name, dtype in EDGE_DTYPES.items():
            own[name] = column(own[name], dtype, name)
        for name in ("source", "target"):
            own[name] = whole(name, own[name], error=GraphError)
        own["port"] = whole("port", own["port"], least=0, most=LARGEST_PORT, error=GraphError)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, **{name: column(state[name], None) for name in EDGE_DTYPES})

    @classmethod
    def sorted(cls, source: int, target: int, kind: LinkKind, columns: dict[str, Array], port: int = 0) -> Link:
        """Build a link from columns in any order.

        Cost: O(edges) when the columns consist of a few sorted runs, else O(edges log edges).
        """
        dst, src, tap = columns["dst"], columns["src"], columns["tap"]
        if not in_order(dst, src, tap):
            order = _order(dst, src, tap)
            columns = {name: values[order] for name, values in columns.items()}
        return cls(source, target, kind, port=port, **columns)

    @cached_property
    def key(self) -> LinkKey:
        """Key of the link: `(source layer id, target layer id, port)`."""
        return (self.source, self.target, self.port)

    def __len__(self) -> int:
        return len(self.id)

    def __repr__(self) -> str:
        return f"Link({self.source} -> {self.target}, port {self.port}, {self.kind}, {len(self)} edges)"

    @property
    def columns(self) -> FrozenDict[str, Array]:
        """Edge columns by name."""
        return FrozenDict({name: getattr(self, name) for name in EDGE_DTYPES})

    @cached_property
    def topology_digest(self) -> bytes:
        """Hash of everything but weights and births."""
        # Dtypes and shapes of the columns are fixed, so their bytes are enough.
        columns = (self.id.data, self.src.data, self.dst.data, self.tap.data, self.frozen.data)
        return digest((self.key, self.kind, len(self)), *columns)

    def with_weight(self, weight: Array) -> Link:
        """Return the link with other weights; the topology and its digest stay."""
        new = replace(self, weight=weight)
        if "topology_digest" in self.__dict__:
            new.__dict__["topology_digest"] = self.topology_digest
        return new

    def validate(self, sources: int, targets: int, where: str, taps: int) -> None:
        """Check the columns against the widths of both layers. Raises `GraphError` that names the wrong edge.

        `taps` is the number of taps, or of slots, that an edge may have.
        """
        n = len(self.id)
        for name in EDGE_DTYPES:
            values = getattr(self, name)
            if values.shape != (n,):
                raise GraphError(f"{where}: column {name!r} has shape {values.shape}, expected ({n},).")
        if self.weight.dtype not in WEIGHT_DTYPES:
            raise GraphError(f"{where}: weights are {self.weight.dtype}, expected float32 or float64.")
        if n == 0:
            return
        for name, limit in (("src", sources), ("dst", targets), ("tap", taps)):
            values = getattr(self, name)
            if int(values.min()) < 0 or int(values.max()) >= limit:
                row = int(np.flatnonzero((values < 0) | (values >= limit))[0])
                raise GraphError(f"{where}: edge {self.id[row]} has {name} {values[row]}, outside 0..{limit - 1}.")
        if not np.isfinite(self.weight).all():
            row = int(np.flatnonzero(~np.isfinite(self.weight))[0])
            raise GraphError(f"{where}: edge {self.id[row]} has weight {self.weight[row]}; it must be finite.")
        if not in_order(self.dst, self.src, self.tap):
            self._raise_order(where)
        if self.kind.wires and not (self.frozen.all() and (self.weight == 1).all()):
            name = type(self.kind).__name__
            article = "an" if name[0] in "AEIOU" else "a"
            raise GraphError(f"{where} is {article} {name} link: its edges must be frozen with weight 1.")

    def _raise_order(self, where: str) -> None:
        triple = np.stack([self.dst, self.src, self.tap], axis=1)
        unique, counts = np.unique(triple, axis=0, return_counts=True)
        if (counts > 1).any():
            dst, src, tap = (int(v) for v in unique[np.flatnonzero(counts > 1)[0]])
            raise GraphError(
                f"{where} has two edges from source row {src} to target row {dst} at tap {tap}; "
                "set the weight of the existing edge instead."
            ).concerning(edges=self.id[(triple == (dst, src, tap)).all(axis=1)])
        raise GraphError(f"{where}: edges are not in canonical order (target, source, tap); use Link.sorted.")


def weighted(links: Iterable[Link]) -> tuple[Link, ...]:
    """Select the links that have weights; links of wires have none."""
    return tuple(link for link in links if not link.kind.wires)


def _order(dst: Array, src: Array, tap: Array) -> Array:
    """Return the permutation that sorts edges by target row, source row, tap.

    Where int64 holds it, one combined key per edge is sorted, which is faster than sorting by three columns.
    """
    if min(int(keys.min()) for keys in (dst, src, tap)) < 0:
        return np.lexsort((tap, src, dst))
    sources, taps = int(src.max()) + 1, int(tap.max()) + 1
    if (int(dst.max()) + 1) * sources * taps >= 2**63:
        return np.lexsort((tap, src, dst))
    dst, src, tap = (keys.astype(np.int64, copy=False) for keys in (dst, src, tap))
    return np.argsort((dst * sources + src) * taps + tap, kind="stable")


def in_order(*keys: Array) -> bool:
    """Return whether the rows of `keys` increase strictly, by the first key, then the second, and further."""
    if len(keys[0]) < 2:
        return True
    later = np.zeros(len(keys[0]) - 1, dtype=bool)
    same = ~later
    for key in keys:
        before, after = key[:-1], key[1:]
        later |= same & (after > before)
        same &= after == before
        if not same.any():
            break
    return bool(later.all())


def edge_columns(
    *, id: Any, src: Any, dst: Any, weight: Any, tap: Any = 0, birth: Any = 0, frozen: Any = False
) -> dict[str, Array]:
    """Broadcast the values to edge columns of one length."""
    n = len(id)
    given = {"id": id, "src": src, "dst": dst, "tap": tap, "weight": weight, "birth": birth, "frozen": frozen}
    result = {}
    for name, dtype in EDGE_DTYPES.items():
        values = converted(given[name], dtype, name)
        result[name] = values if values.shape == (n,) else np.full(n, values)
    return result
