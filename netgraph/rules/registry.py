"""Registry of rules by name, for the command line, random tests and suites of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import TypeVar

from netgraph.errors import OptionError, unknown_name
from netgraph.registry import Registry
from netgraph.rewriting import Rule, Variant

R = TypeVar("R", bound=type[Rule])

RULES: Registry[type[Rule]] = Registry("rule")
"""Rules by their names on the command line. `register_rule` adds to them, `RULES.remove(name)` takes one back."""


def register_rule(name: str, *, replace: bool = False) -> Callable[[R], R]:
    """Decorate a class of rules, above `@dataclass`, to enter it into `RULES` under a name.

    `netgraph rules` and `netgraph explain` then know the rule, the strategies `rules` and `rewrites` of
    `netgraph.testing` draw it, and the checks of all `RULES` include it. They make it without arguments.

    Args:
        name: name of the rule, such as "split-edges".
        replace: whether it takes the place of one that was registered under the name before, as when a cell of a
            notebook runs again.

    Raises:
        OptionError: when another class has the name, or the class is no rule that can be made without arguments.

    Example:
        >>> import netgraph as ng
        >>> from dataclasses import dataclass
        >>> @ng.rules.register_rule("halve")
        ... @dataclass(frozen=True)
        ... class Halve(ng.Rule):
        ...     pattern = ng.edge("e")
        ...     def rewrite(self, m, rw):
        ...         rw.set_weight(m.e, m.e.weight / 2)
        >>> ng.rules.RULES.remove("halve").__name__
        'Halve'
    """
    if not isinstance(name, str):
        raise OptionError(f"A rule is registered under a name, not {name!r}: @register_rule('its-name').")

    def enter(rule: R) -> R:
        if not (isinstance(rule, type) and issubclass(rule, Rule)):
            raise OptionError(f"{rule!r} cannot be registered as {name!r}; give a class of rules, a subclass of Rule.")
        needed: list[str] = [f.name for f in fields(rule) if _is_needed(f)] if is_dataclass(rule) else []
        if needed:
            raise OptionError(
                f"{rule.__name__} cannot be registered as {name!r}, since it needs {', '.join(needed)}; give every "
                "field a default."
            )
        if RULES.get(name) is not rule:
            RULES.add(name, rule, replace=replace)
        return rule

    return enter


def _is_needed(field: object) -> bool:
    """Whether a field of a dataclass has no default."""
    default, factory = getattr(field, "default", MISSING), getattr(field, "default_factory", MISSING)
    return bool(getattr(field, "init", False)) and default is MISSING and factory is MISSING


def get_rule(name: str) -> type[Rule]:
    """Return the class of rules with this name.

    Raises:
        OptionError: for an unknown name, with the nearest known one.
    """
    try:
        return RULES[name]
    except KeyError:
        raise OptionError(unknown_name("rule", name, RULES)) from None


def variants() -> Iterator[tuple[Variant, Rule]]:
    """Yield the variants of all rules in `RULES`, each with the rule of its options, ordered by names of rules."""
    for name, rule in sorted(RULES.items()):
        for variant in rule.variants or (Variant(name),):
            yield variant, rule(**variant.options)
