"""Registry of rules by name, for the command line, random tests and suites of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import TypeVar

from netgraph.errors import OptionError, unknown_name
from netgraph.registry import Registry
from netgraph.rewriting import Rule, Variant
from netgraph.rules.installed import installed_rules

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
        if needed := needed_fields(rule):
            raise OptionError(
                f"{rule.__name__} cannot be registered as {name!r}, since it needs {', '.join(needed)}; give every "
                "field a default."
            )
        if RULES.get(name) is not rule:
            RULES.add(name, rule, replace=replace)
        return rule

    return enter


def needed_fields(rule: type[Rule]) -> list[str]:
    """List the fields of a class of rules that have no default."""
    if not is_dataclass(rule):
        return []
    return [f.name for f in fields(rule) if f.init and f.default is MISSING and f.default_factory is MISSING]


def get_rule(name: str) -> type[Rule]:
    """Return the class of rules with this name, of `RULES` or of an installed package, which enters it into `RULES`.

    Raises:
        OptionError: for an unknown name, with the nearest known one, and for an installed rule that cannot be used.
    """
    if name in RULES:
        return RULES[name]
    installed = installed_rules()
    if name not in installed:
        raise OptionError(unknown_name("rule", name, [*RULES, *installed]))
    rule: type[Rule] = register_rule(name)(installed[name].load())
    return rule


def enter_installed_rules() -> tuple[list[str], list[str]]:
    """Enter the rules of all installed packages into `RULES`.

    Returns:
        Their names with their packages, and a sentence for each that cannot be used, or has a name that is taken.
    """
    entered, remarks = [], []
    for name, rule in sorted(installed_rules().items()):
        try:
            if name in RULES and RULES[name] is not rule.load():
                remarks.append(f"There is a rule {name!r} already, so that of the package {rule.home} is not used.")
                continue
            get_rule(name)
        except OptionError as error:
            remarks.append(str(error))
        else:
            entered.append(f"{name} ({rule.home})")
    return entered, remarks


def variants() -> Iterator[tuple[Variant, Rule]]:
    """Yield the variants of all rules in `RULES`, each with the rule of its options, ordered by names of rules."""
    for name, rule in sorted(RULES.items()):
        for variant in rule.variants or (Variant(name),):
            yield variant, rule(**variant.options)
