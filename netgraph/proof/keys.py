"""Keys of known vertices: numbers, made from the hashes of forms, by which vertices of equal value are found."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netgraph.columns import Array
from netgraph.proof.growing import Growing

WINDOW = 1e-6
"""Relative distance of hashes within which two forms are compared entry by entry."""

TRIES = 4
"""Largest number of neighbours by key, in each run of known vertices, with which a form is compared."""

KEYS = ("copy", "opposite", "multiple")
"""Keys from the most to the least specific: equal forms in one layer, equal or opposite forms, any multiples."""


def keys_of(first: Array, second: Array, salt: Array, layer_salt: Array) -> dict[str, Array]:
    """Keys of forms, `(rows,)` each by name, and under "salted" the hash whose ratios are the factors between forms.

    Args:
        first, second: (rows,) hashes of the forms.
        salt: (rows,) hash of the parameters of each vertex.
        layer_salt: hash of the id of the layer of each vertex, `(rows,)` or one for all.
    """
    salted = np.where(first == 0, 1.0, first) * salt
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        multiple = second / salted * salt**2
    return {"salted": salted, "copy": salted * layer_salt, "opposite": np.abs(salted), "multiple": multiple}


class Keys:
    """Known vertices of one operation, by number of their block and row in it, with their keys.

    The vertices stand in runs, each sorted by every key and less than half as long as the run before it; a longer one
    joins that run. So a search looks into O(log n) runs, and sorting n vertices costs O(n log^2 n) in all, in however
    many parts they are added.
    """

    def __init__(self) -> None:
        self._columns = Growing(block=np.int64, row=np.int64, salted=float, copy=float, opposite=float, multiple=float)
        self._ends = [0]
        self._orders: list[dict[str, Array]] = []

    def __getitem__(self, name: str) -> Array:
        """Column "block", "row", "salted" or a key, `(vertices,)`."""
        return self._columns[name]

    def add(self, block: int, keys: dict[str, Array]) -> None:
        """Add the vertices of a block, in the order of their rows, by their keys."""
        rows = len(keys["salted"])
        self._columns.append({"block": np.full(rows, block), "row": np.arange(rows), **keys})

    def _sort(self) -> None:
        stop = len(self._columns)
        if self._ends[-1] == stop:
            return
        self._ends.append(stop)
        while len(self._ends) > 2 and 2 * (self._ends[-1] - self._ends[-2]) >= self._ends[-2] - self._ends[-3]:
            del self._ends[-2]
        first = self._ends[-2]
        del self._orders[len(self._ends) - 2 :]
        orders = {}
        for name in KEYS:
            key = self._columns[name][first:]
            usable = np.flatnonzero(np.isfinite(key))
            orders[name] = first + usable[np.argsort(key[usable], kind="stable")]
        self._orders.append(orders)

    def near(self, name: str, asked: Array) -> Iterator[tuple[Array, Array]]:
        """Yield pairs of a row of `asked` and a known vertex with a close key, at most one per row of `asked` at once.

        `name` is the name of the key, and `asked` holds its values.
        """
        self._sort()
        key = self._columns[name]
        for order in (orders[name] for orders in self._orders):
            values = key[order]
            if not len(order):
                continue
            place = np.searchsorted(values, asked)
            for step in range(-(TRIES // 2), TRIES - TRIES // 2):
                at = np.clip(place + step, 0, len(order) - 1)
                with np.errstate(invalid="ignore"):
                    near = np.abs(values[at] - asked) <= WINDOW * np.abs(asked)
                rows = np.flatnonzero(near & (at == place + step))
                if len(rows):
                    yield rows, order[at[rows]]
