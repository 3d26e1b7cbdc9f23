"""Runs of pytest within a test, on files of a folder.

`pytester` builds `sys.modules` anew after each run, so that libraries written in C complain when the process ends.
"""

import contextlib
import io
import sys
from dataclasses import dataclass, field

import pytest


@dataclass
class Outcome:
    """Outcome of a run: exit code, printed text, and outcome and text of failure by the id of each test."""

    code: int = 0
    text: str = ""
    tests: dict = field(default_factory=dict)
    failures: dict = field(default_factory=dict)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            self.tests[report.nodeid] = report.outcome
            if report.failed:
                self.failures[report.nodeid] = report.longreprtext

    @property
    def passed(self):
        return [name for name, outcome in self.tests.items() if outcome == "passed"]


def run_pytest(folder, *arguments, plugin="netgraph_pytest"):
    """Run pytest in a folder, with warnings as errors; modules that it imports from the folder are forgotten."""
    outcome, printed = Outcome(), io.StringIO()
    before, search = {*sys.modules}, [*sys.path]
    options = ["-p", plugin, "-p", "no:cacheprovider", "-p", "no:randomly", "-s", "-Werror", f"--rootdir={folder}"]
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            outcome.code = int(pytest.main([*options, *map(str, arguments)], plugins=[outcome]))
        finally:
            sys.path[:] = search
            forget(folder, before)
    outcome.text = printed.getvalue()
    return outcome


def forget(folder, before):
    """Drop modules that were imported from a folder since `before`."""
    for name in {*sys.modules} - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
