"""Commands for people who write rules: `netgraph rules`, `netgraph check`, `netgraph new`."""

from __future__ import annotations

import argparse

from rich.console import Console

from netgraph.app.cli.arguments import add_request, given
from netgraph.app.requests import CheckRequest, NewRuleRequest
from netgraph.app.tables import print_table


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `netgraph rules` to its parser."""
    parser.add_argument("name", metavar="RULE", nargs="?", help="rule to explain, with its options; all by default")
    parser.add_argument("--markdown", action="store_true", help="print the table as markdown")
    parser.set_defaults(run=_rules)


def _rules(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.rule_table import table
    from netgraph.rules import RULES, enter_installed_rules

    if arguments.name is not None:
        from netgraph.app.listing import print_rule

        print_rule(arguments.name, console)
        return
    entered, remarks = enter_installed_rules()
    if arguments.markdown:
        print(*table().markdown(), sep="\n")
        return
    print_table(console, table())
    console.print(f"`netgraph rules RULE` explains one: {', '.join(sorted(RULES))}.", highlight=False, markup=False)
    if entered:
        console.print(f"of other packages: {', '.join(entered)}", highlight=False, markup=False)
    for sentence in remarks:
        console.print(sentence, style="yellow", highlight=False, markup=False)


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `netgraph check` to its parser."""
    add_request(parser, CheckRequest, positional=("target",))
    parser.set_defaults(run=_check)


def _check(arguments: argparse.Namespace, console: Console) -> int:
    from netgraph.app.check import check

    return 0 if check(CheckRequest(**given(arguments, CheckRequest)), console) else 1


def add_new(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `netgraph new` to its parser."""
    parser.add_argument("kind", choices=("rule",), metavar="rule", help="what to write: a rule")
    add_request(parser, NewRuleRequest, positional=("name",))
    parser.set_defaults(run=_new)


def _new(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.new import write_rule

    written = write_rule(NewRuleRequest(**given(arguments, NewRuleRequest)))
    for file in written.files:
        console.print(str(file), highlight=False, markup=False, soft_wrap=True)
    for step in written.steps:
        console.print(step, highlight=False, markup=False, soft_wrap=True)
