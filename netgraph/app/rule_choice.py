"""A rule as a command names it: a known name, a file or a module, with values of fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from netgraph.app.options import split_assignments
from netgraph.errors import OptionError
from netgraph.rewriting import Rule
from netgraph.rules import FoundRule, examples_of, find_rules, needed_fields


def one_rule(target: str, assignments: Mapping[str, str]) -> Rule:
    """The rule that a text names, with values of fields as texts.

    Raises:
        OptionError: for a text that names no rule or several, and values that the rule does not take.
    """
    return _with_values(target, _only(target, find_rules(target), "a rule is chosen"), assignments)


def chosen_rules(target: str, assignments: Mapping[str, str]) -> list[Rule]:
    """The rules that a text names, each as its examples show it, or one rule with values of fields as texts.

    Raises:
        OptionError: for a text that names no rule, and values that the rule does not take.
    """
    found = find_rules(target)
    if assignments:
        return [_with_values(target, _only(target, found, "--set is for one rule"), assignments)]
    made: list[Rule] = []
    for name, rule in found.items():
        try:
            made += examples_of(rule)
        except OptionError as error:
            place = target.removesuffix(f":{name}")
            settings = " ".join(f"--set {field}=VALUE" for field in needed_fields(_kind(rule)))
            own = target if place == name else f"{place}:{name}"
            raise OptionError(f"{error} On the command line: {own} {settings}.") from None
    return made


def _only(target: str, found: Mapping[str, FoundRule], why: str) -> FoundRule:
    if len(found) > 1:
        some = next(iter(found))
        raise OptionError(f"{why}, but {target} has {', '.join(found)}; name one, as in {target}:{some}.")
    return next(iter(found.values()))


def _with_values(target: str, rule: FoundRule, assignments: Mapping[str, str]) -> Rule:
    (values,) = split_assignments(assignments, _kind(rule))
    if not isinstance(rule, type):
        changed: Rule = dataclasses.replace(rule, **values) if values else rule  # type: ignore[type-var]
        return changed
    if lacking := [field for field in needed_fields(rule) if field not in values]:
        settings = " ".join(f"--set {field}=VALUE" for field in lacking)
        raise OptionError(f"{rule.__name__} needs {', '.join(lacking)}: {target} {settings}.")
    made: Rule = rule(**values)
    return made


def _kind(rule: FoundRule) -> type[Rule]:
    return rule if isinstance(rule, type) else type(rule)
