"""Base of the rows that patterns bind, and matches, which hold the bound rows by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from netgraph.columns import Array, FrozenDict, ReadOnly, column, freeze
from netgraph.errors import RewriteError, unknown_name

if TYPE_CHECKING:
    from netgraph.graph import Graph

MAX_MATCHES = 10_000_000
"""Largest number of matches of several parts, or of pairs of vertices, that are listed."""

MAX_ENUMERATED_PAIRS = 50_000_000
"""Largest number of missing edges or links that are listed; above it the caller must name pairs with `on`."""

TAKEN = ("bound", "by", "computed", "graph", "key", "rng", "root", "take")
"""Names of attributes of `Matches`, which a pattern therefore cannot bind."""

GROUP_KEYS = ("target layer", "source layer", "layer", "link", "link kind", "port", "source grid")
"""Valid keys of `Matches.by`."""

PART_KEYS = ("layer", "grid", "link", "link kind", "port")
"""Keys of one bound part, which follow its name in a key of `Matches.by`, as in "c layer"."""

Funnel = list[tuple[str, int]]
"""Number of matches left after each stage of a search: (condition, matches left), in order."""


# -- rows ------------------------------------------------------------------------------------------


class MatchedRows(ReadOnly, ABC):
    """Base of bound rows: parts of one graph as columns, one row for each match."""

    graph: Graph

    joins: ClassVar[bool] = False
    """Whether the rows join two parts, which are bound next: edges and links, existing or missing."""

    @property
    @abstractmethod
    def rows(self) -> Array:
        """A whole number per row, equal for equal parts only."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, chosen: Array) -> Self:
        """Return the rows at the given positions or mask."""

    @classmethod
    @abstractmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, of one graph, one part after another; there is at least one."""

    def group_key(self, name: str) -> Array | None:
        """Group number of each row for the key `name` of `Matches.by`, or None when the key does not apply."""
        return None


class TableRows(MatchedRows):
    """Bound rows of a table of the graph, such as `graph.edges`; `rows` are positions in the table, not ids."""

    def __init__(self, graph: Graph, rows: Array) -> None:
        self.__dict__.update(graph=graph, _rows=column(rows, np.int64))

    @property
    def rows(self) -> Array:
        """Positions in the table of the graph."""
        rows: Array = self.__dict__["_rows"]
        return rows

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        return cls(parts[0].graph, freeze(np.concatenate([part.rows for part in parts])))

    def take(self, chosen: Array) -> Self:
        """Return the rows at the given positions or mask."""
        return type(self)(self.graph, freeze(self.rows[chosen]))


class Matches(ReadOnly):
    """Matches of a pattern; the attributes `m.e`, `m.p`, ... are the rows bound to these names, one row per match.

    Attributes:
        graph: the graph that was searched.
        bound: rows by bound name.
        computed: values by name, one row per match, from the pattern (`cosine`, `distance`) and from `Rule.where`.
    """

    graph: Graph
    bound: FrozenDict[str, Any]
    computed: FrozenDict[str, Array]

    def __init__(
        self,
        graph: Graph,
        bound: Mapping[str, Any],
        computed: Mapping[str, Array] | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        values = {name: column(values, None) for name, values in (computed or {}).items()}
        self.__dict__.update(graph=graph, bound=FrozenDict(bound), computed=FrozenDict(values), _rng=rng)

    def __len__(self) -> int:
        return len(next(iter(self.bound.values())))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "bound" not in self.__dict__:
            raise AttributeError(name)
        if name not in self.bound:
            raise AttributeError(unknown_name("bound name", name, self.bound))
        return self.bound[name]

    def __repr__(self) -> str:
        return f"Matches({len(self):,} of {', '.join(self.bound)})"

    @property
    def root(self) -> Any:
        """Rows bound to the first name of the pattern: edges, missing edges, vertices, layers or links."""
        return next(iter(self.bound.values()))

    @property
    def rng(self) -> np.random.Generator:
        """Random generator of this search. Raises `RewriteError` for a rule whose `needs` do not declare it."""
        rng: np.random.Generator | None = self.__dict__["_rng"]
        if rng is None:
            raise RewriteError("m.rng is for rules that declare it: needs = Needs(generator=True).")
        return rng

    @cached_property
    def key(self) -> Array:
        """Rows of all bound names, in their order, `(matches, names)`: different matches differ in them."""
        return freeze(np.stack([np.asarray(rows.rows, dtype=np.int64) for rows in self.bound.values()], axis=1))

    def take(self, chosen: Array) -> Matches:
        """Return the matches at the given positions or mask."""
        return Matches(
            self.graph,
            {name: rows.take(chosen) for name, rows in self.bound.items()},
            {name: freeze(values[chosen]) for name, values in self.computed.items()},
            self.__dict__["_rng"],
        )

    def having(self, *, computed: Mapping[str, Array] | None = None, rng: np.random.Generator | None = None) -> Matches:
        """Return the same matches with more computed values, or with a generator."""
        return Matches(self.graph, self.bound, {**self.computed, **(computed or {})}, rng or self.__dict__["_rng"])

    def by(self, *keys: str) -> Iterator[Matches]:
        """Group matches by one or several keys, and yield every group.

        Groups are ordered by their keys. Matches within a group keep their order.

        Args:
            keys: keys in `GROUP_KEYS`, which refer to the first bound part and its ends, or a bound name and one of
                `PART_KEYS`, such as "c layer" or "e2 link kind".
        """
        if not len(self):
            return
        codes = np.stack([self._code(key) for key in keys])
        order = np.lexsort(codes[::-1])
        change = np.flatnonzero((np.diff(codes[:, order], axis=1) != 0).any(axis=0)) + 1
        for part in np.split(order, change):
            yield self.take(part)

    def _code(self, key: str) -> Array:
        name, _, of_part = key.partition(" ")
        root, *others = self.bound.values()
        found: Array | None = None
        if name in self.bound and of_part:
            found = self.bound[name].group_key(of_part)
        elif key in ("target layer", "source layer", "source grid"):
            if root.joins:
                end = others[1] if key == "target layer" else others[0]
                found = end.group_key("grid" if key == "source grid" else "layer")
        else:
            found = root.group_key(key)
        if found is None:
            raise RewriteError(
                unknown_name("group key", key, GROUP_KEYS) + " Some need an edge pattern, some a vertex pattern; of "
                f"another part, say its name first, as in '{list(self.bound)[-1]} {PART_KEYS[0]}'."
            )
        return found
