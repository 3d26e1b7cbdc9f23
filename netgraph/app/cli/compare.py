"""`netgraph compare`: its arguments, for a run and for methods on data."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from netgraph.app.cli.arguments import add_set, path_argument, run_of
from netgraph.app.options import parse_assignments
from netgraph.app.tables import print_table
from netgraph.errors import OptionError


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Give the command its arguments."""
    parser.add_argument("source", metavar="RUN|DATA", help="run directory (with --static), or data as for `grow`")
    parser.add_argument("--static", action="store_true", help="train the final network of the run from scratch")
    study = parser.add_argument_group("methods on data")
    study.add_argument("--methods", type=_names, help="names, separated by commas (see `netgraph methods`)")
    study.add_argument("--model", help="kind of network of all sparse methods: auto, mlp, vgg or resnet20")
    study.add_argument("--seeds", type=int, help="number of seeds, 0, 1 and so on (default 3)")
    study.add_argument("--budget", type=int, metavar="EPOCHS", help="epochs of the training of every network")
    study.add_argument(
        "--densities", type=_numbers, help="densities of the networks, separated by commas, such as .05,.1,.2"
    )
    study.add_argument("--epochs-per-step", type=int, metavar="E", help="epochs between two steps of growth")
    study.add_argument("--jobs", type=int, help="number of trainings at a time (default 1)")
    study.add_argument("--out", type=path_argument, help="directory of the study; by default one below runs/")
    study.add_argument("--target", help="target column of a CSV file or OpenML data set")
    study.add_argument(
        "--task", choices=("classification", "regression"), help="what the targets are; by default it is seen from them"
    )
    add_set(study)
    parser.add_argument("--overwrite", action="store_true", help="replace the comparison in the directory")
    parser.set_defaults(run=_compare)


_OF_STUDIES = (
    "methods", "model", "seeds", "budget", "densities", "epochs_per_step", "jobs", "out", "target", "task",
    "assignments",
)  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as .05,.1,.2") from None


def _compare(arguments: argparse.Namespace, console: Console) -> None:
    given = [name for name in _OF_STUDIES if getattr(arguments, name)]
    is_run = (Path(arguments.source) / "config.json").is_file()
    if arguments.static:
        if given:
            name = "set" if given[0] == "assignments" else given[0].replace("_", "-")
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
    from netgraph.app.study import StudyRequest, compare_methods

    values = {name: getattr(arguments, name) for name in _OF_STUDIES if getattr(arguments, name) is not None}
    values["assignments"] = parse_assignments(values["assignments"])
    if "epochs_per_step" in values:
        values["every"] = values.pop("epochs_per_step")
    request = StudyRequest(data=arguments.source, overwrite=arguments.overwrite, **values)
    arguments.directory = request.directory
    report = compare_methods(request, console)
    for table in report.tables():
        print_table(console, table, title_justify="left")
    for remark in report.remarks():
        console.print(remark, highlight=False, markup=False)
    console.print(f"results in {request.directory}: study.md, study.json", highlight=False, markup=False)
