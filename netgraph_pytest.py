"""The plugin of pytest that makes a test for each rule and each check of rules: see `docs/property_testing.md`.

    pytest --netgraph-rules my_rules.py            # or netgraph_rules in the settings of pytest
    pytestmark = pytest.mark.netgraph_rules        # in a test module, for the rules that it defines and imports

It lies beside the package `netgraph`, so that pytest loads it without NumPy; netgraph is imported where rules are asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from netgraph.rewriting import Rule
    from netgraph.rules import FoundRule
    from netgraph.testing import RuleCheck, RuleReport

MARK = "netgraph_rules"
OPTIONS = frozenset({"examples", "seed", "graphs", "stats", "claim", "checks"})
"""Arguments of the mark."""

EXAMPLES = 50

_asked = pytest.StashKey[dict[Path, set[str]]]()
"""Files of which rules are asked for, with the names of some rules, or '' for all."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, on the command line and in the settings."""
    group = parser.getgroup("netgraph", "rewrite rules of netgraph")
    group.addoption(
        "--netgraph-rules", action="append", default=[], metavar="RULES",
        help="collect the rules of a file or a module, or one of them, and test them by every check: my_rules.py, "
        "my_rules.py:MyRule; it can be given many times, beside tests",
    )  # fmt: skip
    group.addoption("--netgraph-examples", type=int, metavar="N", help=f"graphs for each rule (default {EXAMPLES})")
    group.addoption("--netgraph-seed", type=int, metavar="N", help="seed of the graphs (default 0)")
    parser.addini("netgraph_rules", "files and modules whose rules are checked, as --netgraph-rules", type="args")
    parser.addini("netgraph_examples", f"number of graphs for each rule (default {EXAMPLES})")
    parser.addini("netgraph_seed", "seed of the graphs (default 0)")


def pytest_configure(config: pytest.Config) -> None:
    """Enter the mark, and the files with rules among those that pytest collects."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(examples, seed, graphs, stats, claim, checks): check all rules that the module defines or imports, "
        "with these arguments of netgraph.testing.check_rule",
    )
    asked: dict[Path, set[str]] = {}
    config.stash[_asked] = asked
    given = [*config.args]
    options = config.getoption("netgraph_rules")
    if options and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args.clear()  # as by `pytest FILE`: without a file, pytest collects all
    for target in [*config.getini("netgraph_rules"), *options]:
        path, name = _place(config, target)
        asked.setdefault(path, set()).add(name)
        if not any(_path_of(config, argument) == path for argument in given):
            config.args.append(f"{path}::{name}" if name else str(path))


def _place(config: pytest.Config, target: str) -> tuple[Path, str]:
    """File of a target, and the name of one of its rules or ''."""
    from netgraph.errors import OptionError
    from netgraph.rules import split_target

    try:
        return split_target(target, [config.invocation_params.dir, config.rootpath])
    except OptionError as error:
        raise pytest.UsageError(f"--netgraph-rules {target}: {error}") from None


def _path_of(config: pytest.Config, argument: str) -> Path:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file with rules within a folder that is collected, whose name is that of no test module."""
    if file_path.resolve() not in parent.config.stash.get(_asked, {}) or parent.session.isinitpath(file_path):
        return None
    if any(file_path.match(pattern) for pattern in parent.config.getini("python_files")):
        return None
    module: pytest.Collector | None = parent.ihook.pytest_pycollect_makemodule(module_path=file_path, parent=parent)
    return module


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> pytest.Collector | None:
    """Collect the checks of a rule of a module that has the mark, or whose file is asked for."""
    if not isinstance(collector, pytest.Module):
        return None
    names = collector.config.stash.get(_asked, {}).get(collector.path.resolve())
    mark = collector.get_closest_marker(MARK)
    if names is None and mark is None:
        return None
    wanted = mark is not None or not {"", name}.isdisjoint(names or ())
    from netgraph.rules import rules_of

    module: ModuleType = collector.obj
    found = rules_of(module, imported=mark is not None)
    if name not in found or found[name] is not obj or not wanted:
        return None
    return RuleCollector.from_parent(collector, name=name, rule=found[name], given=dict(mark.kwargs) if mark else {})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a file without rules, which would pass without a test."""
    found = {item.path.resolve() for item in items if isinstance(item, CheckItem)}
    parts = {_path_of(config, argument) for argument in config.args if "::" in argument}
    for path in config.stash[_asked].keys() - found - parts:
        if not session.testsfailed:
            raise pytest.UsageError(f"{path} has no rule, no class below netgraph.Rule, but its rules are asked for.")


class RuleCollector(pytest.Collector):
    """Tests of one rule: one for each check, and each of its variants."""

    def __init__(self, *, rule: FoundRule, given: dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.rule = rule
        self.given = given
        self.reports: dict[int, RuleReport] = {}

    def collect(self) -> Iterator[CheckItem]:
        """Yield a test for each check of each example of the rule."""
        from netgraph.errors import OptionError
        from netgraph.rules import examples_of
        from netgraph.testing import RULE_CHECKS, describe_rule

        if unknown := self.given.keys() - OPTIONS:
            known = ", ".join(sorted(OPTIONS))
            raise self.CollectError(f"pytest.mark.{MARK} has no {', '.join(sorted(unknown))}; it takes {known}.")
        try:
            rules = examples_of(self.rule)
        except OptionError as error:
            raise self.CollectError(str(error)) from None
        for number, rule in enumerate(rules):
            for check in self.given.get("checks", RULE_CHECKS):
                name = check.__name__ if len(rules) == 1 else f"{check.__name__}[{_values(describe_rule(rule))}]"
                yield CheckItem.from_parent(self, name=name, rule=rule, number=number, check=check)

    def report(self, number: int, rule: Rule) -> RuleReport:
        """Report of the checks that are run of an example of the rule, all on the same graphs, at the first call."""
        from netgraph.testing import examine_rule

        if number not in self.reports:
            items = [item for item in self.session.items if isinstance(item, CheckItem)]
            checks = tuple(item.check for item in items if item.parent is self and item.number == number)
            given = {name: value for name, value in self.given.items() if name not in ("examples", "seed", "checks")}
            graphs, seed = self._number("examples", EXAMPLES), self._number("seed", 0)
            self.reports[number] = examine_rule(rule, checks=checks, max_examples=graphs, seed=seed, **given)
        return self.reports[number]

    def _number(self, name: str, default: int) -> int:
        """Value of an option: on the command line, of the mark, of the settings, or the default."""
        setting = self.config.getini(f"netgraph_{name}")
        for value in (self.config.getoption(f"netgraph_{name}"), self.given.get(name), setting or None):
            if value is not None:
                return int(value)
        return default


class CheckItem(pytest.Item):
    """A check of a rule as a test."""

    def __init__(self, *, rule: Rule, number: int, check: RuleCheck, **options: Any) -> None:
        super().__init__(**options)
        self.rule, self.number, self.check = rule, number, check

    def runtest(self) -> None:
        """Raise `RuleCheckError` when the check fails, or no graph has a match."""
        from netgraph.testing import RuleCheckError

        assert isinstance(self.parent, RuleCollector)
        report = self.parent.report(self.number, self.rule)
        if own := tuple(f for f in report.failures if f.check in (self.check.__name__, "find_a_match")):
            raise RuleCheckError(self.rule, own)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Format the counterexample as code, without a traceback through the checks."""
        from netgraph.testing import RuleCheckError

        return str(excinfo.value) if isinstance(excinfo.value, RuleCheckError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place of the rule in its file, and the name of the test."""
        return self.path, None, f"{self.parent.name if self.parent else ''}::{self.name}"


def _values(description: str) -> str:
    """Values of a rule without its name: "above=1.5" of "BendEdges(above=1.5)"."""
    return description.partition("(")[2].removesuffix(")") or "defaults"
