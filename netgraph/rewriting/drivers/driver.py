"""The base of drivers: values that carry out rules, one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from netgraph.checks import check_fields
from netgraph.columns import FrozenDict
from netgraph.errors import RewriteError
from netgraph.rewriting.operands import describe_value
from netgraph.rewriting.ordering import OrderBy
from netgraph.rewriting.rule import Rule, require_rule, summarised

if TYPE_CHECKING:
    from netgraph.graph import Graph
    from netgraph.rewriting.drivers.run import DriverRun

MOST_STEPS = 10_000
"""Largest number of steps of a driver that declares no other number."""


class Driver(ABC):
    """Base of drivers, which carry out rules and other drivers one after another. Subclasses are frozen dataclasses.

    A subclass has its steps, rules or drivers, in fields, and carries them out in `drive`. All steps or none: when one
    is refused, so is the whole driver, and the graph stays as it was. Fields are checked by their annotations, like
    those of a rule. A subclass with its own `__post_init__` calls that of `Driver` first.

    Example:
        >>> @dataclass(frozen=True)  # doctest: +SKIP
        ... class Twice(Driver):
        ...     step: Rule
        ...     def drive(self, run):
        ...         run.do(self.step)
        ...         run.do(self.step)
        ...         return "two steps"

    Attributes:
        label: name in messages and the journal, or "" for the name of the class.
        most: largest number of steps that `drive` may carry out itself; one more is an error. A subclass gives another
            value, or has a field of this name.
    """

    label: ClassVar[str] = ""
    most: int = MOST_STEPS

    def __post_init__(self) -> None:
        check_fields(self, infinite=True)

    @abstractmethod
    def drive(self, run: DriverRun) -> str:
        """Carry out the steps on `run.graph` by `run.do`, and return the reason why no further step follows."""

    @property
    def name(self) -> str:
        """Name of the driver in messages and the journal."""
        return self.label or type(self).__name__

    @property
    def parameters(self) -> FrozenDict[str, Any]:
        """Values of the fields by name, for the journal; rules and drivers as texts."""
        return FrozenDict({f.name: _plain(getattr(self, f.name)) for f in _fields_of(self)})

    def steps(self) -> Iterator[Rule | Driver]:
        """Yield the rules and drivers in the fields, in order, those in tuples too."""
        for f in _fields_of(self):
            value = getattr(self, f.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Step):
                    yield part

    def __repr__(self) -> str:
        return text_of(self)


@dataclass(frozen=True, repr=False)
class StepDriver(Driver):
    """One rule with options, see `step`."""

    rule: Rule
    on: Any = None
    limit: int | None = None
    order_by: OrderBy = None
    label: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_rule(self.rule, self.name)

    def drive(self, run: DriverRun) -> str:
        """Carry out the rule once."""
        changed = run.do(self.rule, on=self.present(run.graph), limit=self.limit, order_by=self.order_by)
        return "one step" if changed else "nothing changed"

    def present(self, graph: Graph) -> Any:
        """Return the parts of the present graph that `on` names."""
        return self.on(graph) if callable(self.on) else self.on


Step = Rule | Driver
"""Type of a step of a driver."""


def text_of(step: Step) -> str:
    """Text of a rule or driver with its fields but for defaults, such as `repeat(PruneEdges(below=0.1), most=5)`."""
    texts = []
    for f in _fields_of(step):
        value = getattr(step, f.name)
        if value is f.default or (isinstance(value, str | int | float) and value == f.default):
            continue
        plain = _plain(value)
        if _is_steps(value):
            texts += [plain] if isinstance(plain, str) else list(plain)
        else:
            texts.append(f"{f.name}={plain if plain is not value else repr(plain)}")
    return f"{step.name}({', '.join(texts)})"


def _fields_of(step: Any) -> tuple[Field[Any], ...]:
    return fields(step) if is_dataclass(step) else ()


def _is_steps(value: Any) -> bool:
    return isinstance(value, Step) or (
        isinstance(value, tuple) and bool(value) and all(isinstance(v, Step) for v in value)
    )


def _plain(value: Any) -> Any:
    """Summary of a field for texts and the journal: steps and functions as texts, arrays by their sizes."""
    if _is_steps(value):
        return text_of(value) if isinstance(value, Step) else tuple(map(text_of, value))
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
    return summarised(value)


def require_one_rule(rule: Any, owner: str) -> None:
    """Raise `RewriteError` unless `rule` is a rule that is valid by itself, and no driver."""
    if isinstance(rule, Driver):
        raise RewriteError(f"{owner} takes one rule, not the driver {rule!r}; repeat and sequence take drivers.")
    require_rule(rule)


def require_step(step: Any, owner: str = "") -> None:
    """Raise `RewriteError` unless `step` is a rule, valid by itself, or a driver."""
    if isinstance(step, Driver):
        return
    if isinstance(step, type) and issubclass(step, Driver):
        raise RewriteError(f"The class {step.__name__} was given as a step; give an instance: {step.__name__}(...).")
    if owner and not isinstance(step, Rule) and not isinstance(step, type):
        raise RewriteError(f"A step of {owner} is {describe_value(step)}; give rules and drivers.")
    require_rule(step)
