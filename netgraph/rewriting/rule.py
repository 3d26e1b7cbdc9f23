"""What a rule is: a pattern, conditions on its matches, and a rewrite of those that remain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar

import numpy as np

from netgraph.checks import check_fields, number
from netgraph.columns import Array, FrozenDict
from netgraph.errors import RewriteError
from netgraph.graph import Graph
from netgraph.proof import Level
from netgraph.rewriting.operands import told
from netgraph.rewriting.patterns import Matches, Pattern
from netgraph.rewriting.rewriter import Rewriter
from netgraph.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Condition:
    """One named condition: whether it holds for each match, and by how much (negative: what is missing)."""

    holds: Array
    margin: Array | None = None


def at_least(values: Array, threshold: float) -> Condition:
    """The condition `values >= threshold`, with its margin, so that `explain` can show the nearest miss."""
    threshold = number("threshold", threshold, infinite=True, error=RewriteError)
    return Condition(values >= threshold, values - threshold)


def _as_it_is(graph: Graph) -> Graph:
    return graph


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to use a rule, which tables and suites of tests go through.

    Attributes:
        title: Words for it in the table of `netgraph rules`; "" where only tests use it.
        options: Values of fields of the rule; the others keep their defaults.
        prepare: Function that turns a graph into one on which the variant has matches.
        limit: Largest number of matches that the table rewrites; None for all.
        bitwise: Whether outputs stay the same bit for bit on dyadic values, so that a benchmark compares them so.
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=FrozenDict)
    prepare: Callable[[Graph], Graph] = _as_it_is
    limit: int | None = None
    bitwise: bool = False


Where = Array | Mapping[str, Array | Condition]


class Rule(ABC):
    """A rewrite rule. Subclasses are frozen dataclasses whose fields are the parameters.

    Fields are checked by their annotations as those of `netgraph.checks.Checked` are, but a float may be infinite: a
    rule with a field `count: int` refuses 2.9 and True. A `__post_init__` of one's own begins with that of `Rule`.

    Attributes:
        pattern: what to look for.
        exclusive: names of the pattern of which each row may occur in one applied match only; of
            overlapping matches the first in the given order wins.
        promise: Effect on the function in a few words, for the table of rules in the documentation.
        variants: Ways to use it that are shown and tested; one with all defaults when there are none.
        choices: Values of fields that tests draw from, the usual one first, or a function that lists them. Of other
            fields they draw either truth value, any value of a `Literal`, or else the default.
    """

    pattern: ClassVar[Pattern]
    exclusive: ClassVar[tuple[str, ...]] = ()
    promise: ClassVar[str] = ""
    variants: ClassVar[tuple[Variant, ...]] = ()
    choices: ClassVar[Mapping[str, Sequence[Any] | Callable[[], Iterable[Any]]]] = FrozenDict()

    def where(self, m: Matches, stats: Statistics | None) -> Where:
        """Which matches to rewrite: one boolean each, or named conditions that must all hold."""
        return np.ones(len(m), dtype=bool)

    def __post_init__(self) -> None:
        check_fields(self, infinite=True)

    @abstractmethod
    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Rewrite all matches at once through `rw`."""

    def claim(self, m: Matches) -> Level | None:
        """What the docstring promises of a rewrite of `m`, for tests to hold the proof against; None: nothing.

        A "bounded" promise is one for inputs with a bounded domain.
        """
        return None

    @property
    def name(self) -> str:
        """Name of the rule, as the journal has it."""
        return type(self).__name__

    @property
    def parameters(self) -> FrozenDict[str, Any]:
        """The fields by name; arrays, and mappings to arrays, are given by their size."""
        names: list[str] = [f.name for f in fields(self)] if is_dataclass(self) else []
        return FrozenDict({name: _told(getattr(self, name)) for name in names})


def _told(value: Any) -> Any:
    """A parameter for people and the journal, which has what became of the arrays in the delta."""
    if isinstance(value, Mapping) and any(isinstance(v, np.ndarray) for v in value.values()):
        return f"<{sum(np.size(v) for v in value.values())} values>"
    return f"<{value.size} values>" if isinstance(value, np.ndarray) else value


def require_rule(rule: Any) -> None:
    """Raise `RewriteError` unless `rule` is a rule whose pattern can be looked for."""
    if isinstance(rule, type) and issubclass(rule, Rule):
        raise RewriteError(f"The class {rule.__name__} was given as the rule; give an instance: {rule.__name__}(...).")
    if not isinstance(rule, Rule):
        raise RewriteError(
            f"The rule that was given is {told(rule)}; give an instance of Rule, and the graph after it: "
            "apply(rule, graph)."
        )
    pattern = getattr(rule, "pattern", None)
    if not isinstance(pattern, Pattern):
        has = "has no pattern" if pattern is None else f"has the pattern {pattern!r}, which is none"
        raise RewriteError(f"{rule.name} {has}; say what it looks for, such as pattern = ng.vertex('v').")
    if isinstance(rule.exclusive, str) or not set(rule.exclusive) <= set(pattern.names):
        raise RewriteError(
            f"{rule.name}.exclusive is {rule.exclusive!r}; it is a tuple of names that the pattern binds: "
            f"{list(pattern.names)}."
        )


def conditions(rule: Rule, m: Matches, stats: Statistics | None) -> dict[str, Condition]:
    """Evaluate `rule.where` and check what it returns. Raises `RewriteError` when it is not one row per match."""
    result = rule.where(m, stats)
    named = result if isinstance(result, Mapping) else {"where": result}
    checked = {}
    for name, value in named.items():
        condition = value if isinstance(value, Condition) else Condition(np.asarray(value))
        holds = np.asarray(condition.holds)
        if holds.shape != (len(m),) or holds.dtype != np.bool_:
            raise RewriteError(
                f"{rule.name}.where: the condition {name!r} is {holds.dtype} of shape {holds.shape}, "
                f"expected ({len(m)},) booleans, one per match."
            )
        checked[name] = Condition(holds, condition.margin)
    return checked
