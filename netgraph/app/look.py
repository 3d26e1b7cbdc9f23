"""The command `netgraph look`: an interactive page of a run or of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netgraph.app.rule_choice import one_rule
from netgraph.errors import OptionError
from netgraph.viz import explore

EXPLORE = "explore.html"
"""File of the page in a run directory."""


def look(
    source: Path,
    *,
    beside: Path | None = None,
    rule: str | None = None,
    assignments: Mapping[str, str] | None = None,
    out: Path | None = None,
) -> Path:
    """Write the interactive page of a run directory or of the file of a graph.

    Args:
        source: run directory or file.
        beside: second one, to be shown beside the first, or None.
        rule: rule whose matches are marked, as for `netgraph explain`, or None.
        assignments: values of fields of the rule as texts.
        out: file to write; None for `explore.html` in the run directory, or for the name of the file with the ending
            `.html`.

    Returns:
        Path of the page.

    Raises:
        OptionError: for a source that does not exist, an unknown rule, or values without a rule.
        JournalError, FileFormatError: a file is missing or damaged.
        OSError: when the page cannot be written.
    """
    for path in (source, beside):
        if path is not None and not path.exists():
            raise OptionError(f"There is no {str(path)!r}; give a run directory, or the file of a graph.")
    if assignments and rule is None:
        raise OptionError(f"--set {next(iter(assignments))}=... sets a field of a rule; name the rule with --rule.")
    target = out or (source / EXPLORE if source.is_dir() else source.with_suffix(".html"))
    chosen = None if rule is None else one_rule(rule, assignments or {})
    explore(source, target, rule=chosen, beside=beside)
    return target
