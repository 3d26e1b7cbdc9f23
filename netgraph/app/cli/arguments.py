"""Arguments that several commands of the command line have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netgraph.app.run_directory import RunDirectory


def add_set(parser: argparse._ActionsContainer) -> None:
    """Give a command the option --set, which can be given many times."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="assignments",
        help="set an option; `netgraph methods NAME` explains those of a method, of training, data and machine, and "
        "`netgraph rules RULE` those of a rule. It can be given many times",
    )


def path_argument(text: str) -> Path:
    """A path as it was typed; an empty one, of a variable that is not set, would be the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; give it a name")
    return Path(text)


def run_of(arguments: argparse.Namespace) -> RunDirectory:
    """The run that a command is about. Raises `OptionError` when there is none."""
    from netgraph.app.run_directory import RunDirectory

    return RunDirectory(arguments.directory)
