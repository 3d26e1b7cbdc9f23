"""Rules: a pattern, conditions on its matches, and a rewrite of the matches that pass."""

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
from netgraph.rewriting.needs import Needs
from netgraph.rewriting.operands import describe_value
from netgraph.rewriting.patterns import Matches, Pattern, as_mask
from netgraph.rewriting.rewriter import Rewriter
from netgraph.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Condition:
    """Condition on matches.

    Attributes:
        holds: (matches,) bool: whether the condition holds.
        margin: (matches,) distance to the threshold, negative where the condition fails, or None.
    """

    holds: Array
    margin: Array | None = None


def at_least(values: Any, threshold: float) -> Condition:
    """Condition `values >= threshold`, with the margin `values - threshold` for the nearest miss of `explain`."""
    threshold = number("threshold", threshold, infinite=True, error=RewriteError)
    values = np.asarray(values)
    return Condition(values >= threshold, values - threshold)


def at_most(values: Any, limit: float) -> Condition:
    """Condition `values <= limit`, with the margin `limit - values` for the nearest miss of `explain`."""
    limit = number("limit", limit, infinite=True, error=RewriteError)
    values = np.asarray(values)
    return Condition(values <= limit, limit - values)


@dataclass(frozen=True, eq=False)
class Computed:
    """Values that `Rule.where` hands on: `m.computed` has them in `rewrite`, `claim` and the order of matches.

    Attributes:
        values: one value per match, `(matches, ...)`.
    """

    values: Array


def computed(values: Any) -> Computed:
    """Mark values in the result of `where`, one row per match, that are handed on and are no condition.

    `{"size": computed(values)}` gives `m.computed["size"]` in `rewrite`, in `claim` and in an order of matches.
    """
    return Computed(np.asarray(values))


def _as_it_is(graph: Graph) -> Graph:
    return graph


@dataclass(frozen=True, eq=False)
class Variant:
    """Example of a rule with given options, for tables and tests of rules.

    Attributes:
        title: title in the table of `netgraph rules`; "" for a variant that only tests use.
        options: values of fields of the rule; other fields keep their defaults.
        prepare: function that turns a graph into a graph on which the variant has matches.
        limit: largest number of matches that the table rewrites, or None for all.
        bitwise: whether outputs on dyadic values stay equal bit for bit; a benchmark then compares them bit for bit.
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=FrozenDict)
    prepare: Callable[[Graph], Graph] = _as_it_is
    limit: int | None = None
    bitwise: bool = False


Mask = Array | Sequence[bool]
"""One truth value per match, `(matches,)`."""

Where = Mask | Mapping[str, Mask | Condition | Computed]
"""Type of the value of `Rule.where`: a mask, or named ones, and values that are handed on."""


class Rule(ABC):
    """Base of rewrite rules. Subclasses are frozen dataclasses; their fields are the parameters of the rule.

    Fields are checked by their annotations, like the fields of `netgraph.checks.Checked`, but a float may be infinite:
    a rule with a field `count: int` refuses 2.9 and True. A subclass with its own `__post_init__` calls that of `Rule`
    first.

    Attributes:
        pattern: the pattern whose matches are rewritten.
        exclusive: bound names of which every row may occur in one rewritten match only; of overlapping matches the
            first in the given order is rewritten. Names in a tuple share their rows: with `(("a", "b"),)` a vertex that
            is `a` in one rewritten match is neither `a` nor `b` in another.
        promise: short text of the effect on the outputs, for the table of rules in the documentation.
        variants: examples that are shown and tested; without any, one example with all defaults.
        needs: statistics that the rule reads, and whether `where` reads a generator. They are checked before a search.
        choices: values of a field from which tests draw, the default first, or a function that lists them. Without an
            entry tests draw a truth value, a value of a `Literal`, or else the default.
    """

    pattern: ClassVar[Pattern]
    exclusive: ClassVar[tuple[str | tuple[str, ...], ...]] = ()
    promise: ClassVar[str] = ""
    needs: ClassVar[Needs] = Needs()
    variants: ClassVar[tuple[Variant, ...]] = ()
    choices: ClassVar[Mapping[str, Sequence[Any] | Callable[[], Iterable[Any]]]] = FrozenDict()

    def where(self, m: Matches, stats: Statistics | None) -> Where:
        """Return the matches to rewrite, as a mask `(matches,)`, or as named conditions that must all hold.

        Values of `computed(...)` among the conditions are no conditions: they are handed on as `m.computed`.
        """
        return np.ones(len(m), dtype=bool)

    def __post_init__(self) -> None:
        check_fields(self, infinite=True)

    @abstractmethod
    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Rewrite all matches at once through `rw`."""

    def claim(self, m: Matches) -> Level | None:
        """Level that the rule promises for a rewrite of `m`, or None for no promise. Tests compare it with the proof.

        The promise "bounded" holds for inputs with a bounded domain.
        """
        return None

    @property
    def name(self) -> str:
        """Name of the rule in messages and the journal: the name of its class."""
        return type(self).__name__

    @property
    def parameters(self) -> FrozenDict[str, Any]:
        """Values of the fields by name, for the journal. Arrays and mappings to arrays are texts with their size."""
        names: list[str] = [f.name for f in fields(self)] if is_dataclass(self) else []
        return FrozenDict({name: summarised(getattr(self, name)) for name in names})


def summarised(value: Any) -> Any:
    """Summary of a parameter for messages and the journal. The delta has the values that result from arrays."""
    if isinstance(value, Mapping) and any(isinstance(v, np.ndarray) for v in value.values()):
        return f"<{sum(np.size(v) for v in value.values())} values>"
    return f"<{value.size} values>" if isinstance(value, np.ndarray) else value


def require_rule(rule: Any) -> None:
    """Raise `RewriteError` unless `rule` is an instance of `Rule` with a valid pattern and valid `exclusive` names."""
    if isinstance(rule, type) and issubclass(rule, Rule):
        raise RewriteError(f"The class {rule.__name__} was given as the rule; give an instance: {rule.__name__}(...).")
    if not isinstance(rule, Rule):
        raise RewriteError(
            f"The rule that was given is {describe_value(rule)}; give an instance of Rule, and the graph after it: "
            "apply(rule, graph)."
        )
    pattern = getattr(rule, "pattern", None)
    if not isinstance(pattern, Pattern):
        has = "has no pattern" if pattern is None else f"has the pattern {pattern!r}, which is none"
        raise RewriteError(f"{rule.name} {has}; say what it looks for, such as pattern = ng.vertex('v').")
    if isinstance(rule.exclusive, str) or not set(exclusive_names(rule)) <= set(pattern.names):
        raise RewriteError(
            f"{rule.name}.exclusive is {rule.exclusive!r}; it is a tuple of names that the pattern binds: "
            f"{list(pattern.names)}."
        )


def exclusive_names(rule: Rule) -> list[str]:
    """Names in `rule.exclusive`, those of its tuples too."""
    return [name for entry in rule.exclusive for name in ((entry,) if isinstance(entry, str) else entry)]


def conditions(rule: Rule, m: Matches, stats: Statistics | None) -> tuple[dict[str, Condition], dict[str, Array]]:
    """Evaluate `rule.where`: named conditions, and computed values by name.

    Raises:
        RewriteError: unless each condition has one boolean per match, and each computed value one row.
    """
    result = rule.where(m, stats)
    named = result if isinstance(result, Mapping) else {"where": result}
    checked: dict[str, Condition] = {}
    values: dict[str, Array] = {}
    for name, value in named.items():
        if isinstance(value, Computed):
            if value.values.shape[:1] != (len(m),):
                raise RewriteError(
                    f"{rule.name}.where: the computed values {name!r} have the shape {value.values.shape}, expected "
                    f"({len(m)}, ...), one row per match."
                )
            values[name] = value.values
            continue
        condition = value if isinstance(value, Condition) else Condition(as_mask(value))
        holds = as_mask(condition.holds)
        if holds.shape != (len(m),) or holds.dtype != np.bool_:
            raise RewriteError(
                f"{rule.name}.where: the condition {name!r} is {holds.dtype} of shape {holds.shape}, "
                f"expected ({len(m)},) booleans, one per match."
            )
        checked[name] = Condition(holds, condition.margin)
    return checked, values
