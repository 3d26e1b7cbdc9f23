"""Bases of all patterns and of the rows that they bind, and matches, which hold the bound rows by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, get_args

import numpy as np

from netgraph.checks import choice
from netgraph.columns import Array, FrozenDict, ReadOnly, column
from netgraph.errors import OptionError, RewriteError, unknown_name
from netgraph.graph import Role

if TYPE_CHECKING:
    from netgraph.graph import Graph

MAX_ENUMERATED_PAIRS = 50_000_000
"""Largest number of missing edges or links that are listed; above it the caller must name pairs with `on`."""

TAKEN = ("bound", "by", "graph", "root", "take")
"""Names of attributes of `Matches`, which a pattern therefore cannot bind."""

GROUP_KEYS = ("target layer", "source layer", "layer", "link", "link kind", "port", "source grid")
"""Valid keys of `Matches.by`."""

Funnel = list[tuple[str, int]]
"""Number of matches left after each stage of a search: (condition, matches left), in order."""


# -- rows ------------------------------------------------------------------------------------------


class MatchedRows(ReadOnly, ABC):
    """Base of bound rows: parts of one graph as columns, one row for each match."""

    graph: Graph

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, chosen: Array) -> Self:
        """Return the rows at the given positions or mask."""

    def group_key(self, name: str) -> Array | None:
        """Group number of each row for the key `name` of `Matches.by`, or None when the key does not apply."""
        return None


class TableRows(MatchedRows):
    """Bound rows of a table of the graph, such as `graph.edges`; `rows` are positions in the table, not ids."""

    rows: Array

    def __init__(self, graph: Graph, rows: Array) -> None:
        self.__dict__.update(graph=graph, rows=column(rows, np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Array) -> Self:
        """Return the rows at the given positions or mask."""
        return type(self)(self.graph, self.rows[chosen])


class Matches(ReadOnly):
    """Matches of a pattern; the attributes `m.e`, `m.p`, ... are the rows bound to these names, one row per match."""

    graph: Graph
    bound: FrozenDict[str, Any]

    def __init__(self, graph: Graph, bound: Mapping[str, Any]) -> None:
        self.__dict__.update(graph=graph, bound=FrozenDict(bound))

    def __len__(self) -> int:
        return len(next(iter(self.bound.values())))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "bound" not in self.__dict__:
            raise AttributeError(name)
        if name not in self.bound:
            raise AttributeError(unknown_name("bound name", name, self.bound))
        return self.bound[name]

    def __repr__(self) -> str:
        return f"Matches({len(self):,} of {', '.join(self.bound)})"

    @property
    def root(self) -> Any:
        """Rows bound to the name of the pattern itself: its edges, missing edges, vertices, layers or links."""
        return next(iter(self.bound.values()))

    def take(self, chosen: Array) -> Matches:
        """Return the matches at the given positions or mask."""
        return Matches(self.graph, {name: rows.take(chosen) for name, rows in self.bound.items()})

    def by(self, *keys: str) -> Iterator[Matches]:
        """Group matches by one or several of the keys in `GROUP_KEYS`, and yield every group.

        Groups are ordered by their keys. Matches within a group keep their order.
        """
        if not len(self):
            return
        codes = np.stack([self._key(key) for key in keys])
        order = np.lexsort(codes[::-1])
        change = np.flatnonzero((np.diff(codes[:, order], axis=1) != 0).any(axis=0)) + 1
        for part in np.split(order, change):
            yield self.take(part)

    def _key(self, key: str) -> Array:
        root, *ends = self.bound.values()
        if ends and key == "target layer":
            return np.asarray(ends[1].layer)
        if ends and key == "source layer":
            return np.asarray(ends[0].layer)
        if ends and key == "source grid":
            ids = list(self.graph.layers_by_id)
            grids = [repr(self.graph.layer(i).output_grid) for i in ids]
            code = np.unique(grids, return_inverse=True)[1]
            return np.asarray(code[np.searchsorted(ids, ends[0].layer)])
        found: Array | None = root.group_key(key)
        if found is None:
            raise RewriteError(
                unknown_name("group key", key, GROUP_KEYS) + " Some need an edge pattern, some a vertex pattern."
            )
        return found


# -- patterns --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pattern(ABC):
    """Base of patterns, which are data: a pattern finds parts of a graph and binds them to `name` and names of ends."""

    name: str

    @abstractmethod
    def match(self, graph: Graph, on: Any = None) -> tuple[Matches, Funnel]:
        """Find all matches, in the order of the graph, and the number of matches after each stage.

        Args:
            graph: the graph to search.
            on: parts to which the search is limited, or None for all: vertex ids, edge ids, or layer names or ids; for
                missing edges an array (pairs, 2 or 3) of source id, target id and tap; for links and missing links
                pairs of layer names or ids (for links, a port may follow).

        Raises:
            RewriteError: when `on` names parts that do not exist, or there are too many missing pairs to list.

        Costs a few operations on whole columns.
        """

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the pattern binds, its own first."""
        return (self.name,)


@dataclass(frozen=True)
class PartPattern(Pattern):
    """Base of patterns of one vertex or layer, of a given role or of any role (None)."""

    role: Role | None = None

    def __post_init__(self) -> None:
        check_bound(self.name)
        if self.role is not None:
            choice("role", self.role, get_args(Role))


End = TypeVar("End", bound=PartPattern)


@dataclass(frozen=True)
class JoinPattern(Pattern, Generic[End]):
    """Base of patterns of edges and links, existing or missing; `src` and `dst` are the patterns of their ends."""

    src: End
    dst: End

    end: ClassVar[tuple[type[PartPattern], str]]
    """Type of the patterns of the ends, and the name of the function that makes such a pattern."""

    def __post_init__(self) -> None:
        check_bound(self.name)
        kind, maker = self.end
        for which, end in (("src", self.src), ("dst", self.dst)):
            if not isinstance(end, kind):
                raise OptionError(
                    f"{which}={end!r} of {self.name!r} is no pattern that fits; give {which}={maker}('name')."
                )
        if len(set(self.names)) < 3:
            raise OptionError(
                f"The names {self.name!r}, {self.src.name!r} and {self.dst.name!r} of a pattern and its ends are not "
                "all different."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the pattern binds, its own first."""
        return (self.name, self.src.name, self.dst.name)

    def bind(self, graph: Graph, joins: MatchedRows, sources: MatchedRows, targets: MatchedRows) -> Matches:
        """Build matches from the rows of the join and of both ends."""
        return Matches(graph, dict(zip(self.names, (joins, sources, targets), strict=True)))


def check_bound(name: Any) -> None:
    """Raise `OptionError` unless a pattern can bind `name`."""
    if not isinstance(name, str) or not name.isidentifier() or name in TAKEN or name.startswith("_"):
        raise OptionError(
            f"A pattern cannot bind the name {name!r}; rules read it as m.{name if isinstance(name, str) else 'name'}, "
            f"so it is an identifier without _ in front, and none of {', '.join(TAKEN)}."
        )
