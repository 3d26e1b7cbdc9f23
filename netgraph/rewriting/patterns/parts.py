"""Bases of patterns of one part, a vertex or a layer, and of patterns that join two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args

import numpy as np

from netgraph.checks import choice
from netgraph.columns import Array
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Role
from netgraph.rewriting.patterns.matches import TAKEN, MatchedRows, Matches
from netgraph.rewriting.patterns.pattern import Pattern

if TYPE_CHECKING:
    from netgraph.graph import Graph

PartWhere = Callable[[Any], Any] | Mapping[str, Callable[[Any], Any]] | None
"""Condition on the rows of one part: a function from rows to a mask, or several by name."""


@dataclass(frozen=True)
class PartPattern(Pattern):
    """Base of patterns of one vertex or layer, of a given role or of any role (None)."""

    name: str
    role: Role | None = None
    where: PartWhere = None

    def __post_init__(self) -> None:
        check_bound(self.name)
        check_where(self.name, self.where)
        if self.role is not None:
            choice("role", self.role, get_args(Role))

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def roles(self) -> tuple[Role | None, ...]:
        return (self.role,)


End = TypeVar("End", bound=PartPattern)


@dataclass(frozen=True)
class JoinPattern(Pattern, Generic[End]):
    """Base of patterns of edges and links, existing or missing; `src` and `dst` are the patterns of their ends."""

    name: str
    src: End
    dst: End

    end: ClassVar[tuple[type[PartPattern], str]]
    """Type of the patterns of the ends, and the name of the function that makes such a pattern."""

    def __post_init__(self) -> None:
        check_bound(self.name)
        kind, maker = self.end
        for which in ("src", "dst"):
            end = getattr(self, which)
            if isinstance(end, str):
                end = kind(end)
                object.__setattr__(self, which, end)
            if not isinstance(end, kind):
                raise OptionError(
                    f"{which}={end!r} of {self.name!r} is no pattern that fits; give a name, or "
                    f"{which}={maker}('name')."
                )
        if len(set(self.names)) < 3:
            raise OptionError(
                f"The names {self.name!r}, {self.src.name!r} and {self.dst.name!r} of a pattern and its ends are not "
                "all different."
            )

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, self.src.name, self.dst.name)

    @property
    def roles(self) -> tuple[Role | None, ...]:
        return (self.src.role, self.dst.role)

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


def check_where(name: str, where: Any) -> None:
    """Raise `OptionError` unless `where` is None, a function, or functions by name."""
    functions = list(where.values()) if isinstance(where, Mapping) else [] if where is None else [where]
    if bad := [function for function in functions if not callable(function)]:
        raise OptionError(
            f"where={bad[0]!r} of {name!r} is no function; give a function from the rows to one boolean per row, such "
            "as where=lambda rows: rows.birth == 0, or several by name."
        )


def as_mask(values: Any) -> Array:
    """Values as an array; an empty list of them as truth values, where NumPy has numbers."""
    array = np.asarray(values)
    return array.astype(bool) if array.shape == (0,) else array


def conditions_of_part(name: str, where: PartWhere, rows: MatchedRows) -> list[tuple[str, Array]]:
    """Evaluate the conditions on a part: (condition, mask of the rows that pass it), `(rows,)`.

    Raises:
        RewriteError: when a function does not return one boolean per row.
    """
    if where is None:
        return []
    named = where if isinstance(where, Mapping) else {f"{name} passes its where": where}
    result = []
    for text, function in named.items():
        given = function(rows)
        mask = as_mask(getattr(given, "holds", given))
        if mask.shape != (len(rows),) or mask.dtype != np.bool_:
            raise RewriteError(
                f"The condition {text!r} of {name!r} is {mask.dtype} of shape {mask.shape}, "
                f"expected ({len(rows)},) booleans, one per row."
            )
        result.append((text, mask))
    return result
