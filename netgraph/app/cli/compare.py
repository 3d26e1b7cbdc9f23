"""`netgraph compare`: arguments of the comparison of a run with its static twin, and of methods on data."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from netgraph.app.cli.arguments import add_request, given, run_of
from netgraph.app.requests import StudyRequest
from netgraph.app.tables import print_table
from netgraph.errors import OptionError


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `netgraph compare` to its parser."""
    parser.add_argument("source", metavar="RUN|DATA", help="run directory (with --static), or data as for `grow`")
    parser.add_argument("--static", action="store_true", help="train the final network of the run from scratch")
    study = parser.add_argument_group("methods on data")
    add_request(study, StudyRequest, without=("data", "overwrite"))
    parser.add_argument("--overwrite", action="store_true", help="replace the comparison in the directory")
    parser.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace, console: Console) -> None:
    own = [name for name, value in given(arguments, StudyRequest).items() if value and name != "overwrite"]
    is_run = (Path(arguments.source) / "config.json").is_file()
    if arguments.static:
        if own:
            name = "set" if own[0] == "assignments" else own[0].replace("_", "-")
            raise OptionError(
                f"--{name} belongs to `netgraph compare DATA --methods ...`, and --static to "
                "`netgraph compare RUN --static`, which takes all settings from the run; give one of them."
            )
        _compare_static(arguments, console)
    elif arguments.methods and is_run:
        raise OptionError(
            f"{arguments.source!r} is a directory of results, but --methods compares methods on data: give the name or "
            "the file of a data set, and the directory by --out."
        )
    elif arguments.methods:
        _compare_methods(arguments, console)
    else:
        raise OptionError(
            f"compare needs the other side: `netgraph compare {arguments.source} --static` trains the final "
            "network of a run from scratch, beside it; `netgraph compare DATA --methods pwmpr,rigl` trains several "
            "methods on the same data."
        )


def _compare_static(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.compare import compare_static

    arguments.directory = Path(arguments.source)
    comparison = compare_static(run_of(arguments), console, overwrite=arguments.overwrite)
    print_table(console, comparison.table())
    for remark in comparison.remarks():
        console.print(remark, highlight=False, markup=False)
    console.print(f"results in {arguments.directory}: static.md, static.json", highlight=False, markup=False)


def _compare_methods(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.study import compare_methods

    request = StudyRequest(**given(arguments, StudyRequest), data=arguments.source)
    arguments.directory = request.directory
    report = compare_methods(request, console)
    for table in report.tables():
        print_table(console, table, title_justify="left")
    for remark in report.remarks():
        console.print(remark, highlight=False, markup=False)
    console.print(f"results in {request.directory}: study.md, study.json", highlight=False, markup=False)
