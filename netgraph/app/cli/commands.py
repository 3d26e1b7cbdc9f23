"""The command line: `netgraph grow | compare | show | report | export | watch | replay | undo | explain | ...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

try:
    from rich.console import Console
    from rich.text import Text
except ModuleNotFoundError:
    from netgraph.errors import not_installed

    sys.exit(f"error: {not_installed('The command line needs', 'rich', 'app')}")

from netgraph import __version__
from netgraph.app.cli.arguments import add_request, add_set, given, path_argument, run_of
from netgraph.app.cli.compare import add_compare
from netgraph.app.cli.rules import add_check, add_new, add_rules
from netgraph.app.console import Terminal
from netgraph.app.options import parse_assignments
from netgraph.app.requests import ExportRequest, GrowRequest
from netgraph.app.streams import patient_streams, remark_names
from netgraph.app.tables import print_table
from netgraph.errors import DivergenceError, NetgraphError, not_installed, unknown_name
from netgraph.markup import printable

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = (
    "Exit codes: 0, all was done; 1, it failed on the way, as when training is no longer finite, a rule fails a check "
    "or the disk is full; 2, bad input: an option, data or a file that cannot be used; 130, interrupted. `netgraph "
    "COMMAND --help` explains a command."
)
_EXTRAS = {
    **dict.fromkeys(("torch", "platformdirs", "sklearn", "jinja2", "matplotlib"), "app"),
    "hypothesis": "testing",
}
"""Extras that bring the packages, by the names of modules."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 (failed), 2 (bad input) or 130 (interrupted)."""
    with patient_streams() as output:
        remark_names(sys.argv[1:] if argv is None else argv)
        arguments = build_parser().parse_args(argv)
        code = _run_command(arguments)
        if code == OK and output.failure is not None:
            output.report(arguments.directory if arguments.command in ("grow", "compare") else None)
            return OK if output.closed else FAILED
        return code


def _run_command(arguments: argparse.Namespace) -> int:
    console = Terminal(stderr=getattr(arguments, "json", False))
    try:
        return arguments.run(arguments, console) or OK
    except DivergenceError as error:
        _say_error(error)
        return FAILED
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in _EXTRAS:
            raise
        print(f"error: {not_installed('This needs', package, _EXTRAS[package])}", file=sys.stderr)
        return USAGE
    except NetgraphError as error:
        _say_error(error)
        return USAGE
    except KeyboardInterrupt:
        _hint("interrupted", arguments)
        return INTERRUPTED
    except OSError as error:
        _hint(f"error: {error}", arguments)
        return FAILED


class _Parser(argparse.ArgumentParser):
    """A parser that names the nearest command for one that it does not know."""

    def error(self, message: str) -> Any:
        if "argument COMMAND: invalid choice: " in message:
            given = message.split("invalid choice: ")[1].split("'")[1]
            message = unknown_name("command", given, COMMANDS)
        super().error(message)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = _Parser(
        prog="netgraph", description="Grow neural networks by rewriting explicit graphs.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"netgraph {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, (add, text) in COMMANDS.items():
        add(commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + "."))
    return parser


def _add_grow(parser: argparse.ArgumentParser) -> None:
    add_request(parser, GrowRequest, positional=("data",))
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the results as one line of JSON on standard output, and all else on standard error",
    )
    parser.set_defaults(run=_grow)


def _add_run(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument("directory", metavar="RUN", type=path_argument, help="run directory that `netgraph grow` wrote")
    parser.set_defaults(run=run)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    _add_run(parser, _explain)
    parser.add_argument("rule", metavar="RULE", help="name of a rule, such as split-edges, or FILE.py:NAME")
    add_set(parser)


def _grow(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.grow import grow

    request = GrowRequest(**given(arguments, GrowRequest))
    arguments.directory = request.directory
    summary = grow(request, console)
    print_table(console, summary.table())
    for sentence in summary.warnings:
        console.print(sentence, style="yellow", highlight=False, markup=False)
    files = ("report.html", "timeline.html", "explore.html", "summary.md", "topology.svg", "graph.safetensors")
    written = ", ".join(name for name in files if (request.directory / name).is_file())
    console.print(f"results in {request.directory}: {written}", highlight=False, markup=False)
    if arguments.json:
        print(summary.to_json())


def _show(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.inspect import show

    show(run_of(arguments), console)


def _add_report(parser: argparse.ArgumentParser) -> None:
    _add_run(parser, _report)
    parser.add_argument("--out", type=path_argument, metavar="FILE", help="file to write; by default RUN/report.html")


def _report(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.report import write_report

    file = write_report(run_of(arguments), arguments.out)
    console.print(
        f"report in {file} ({file.stat().st_size / 1e6:.2f} MB)", highlight=False, markup=False, soft_wrap=True
    )


def _add_look(parser: argparse.ArgumentParser) -> None:
    text = "run directory that `netgraph grow` wrote, or the file of a graph"
    parser.add_argument("source", metavar="RUN", type=path_argument, help=text)
    parser.add_argument("--beside", type=path_argument, metavar="RUN", help="a second one, shown beside the first")
    parser.add_argument("--rule", metavar="RULE", help="mark the matches of a rule: its name, or FILE.py:NAME")
    add_set(parser)
    parser.add_argument(
        "--out", type=path_argument, metavar="FILE", help="file to write; by default RUN/explore.html, or FILE.html"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.set_defaults(run=_look)


def _look(arguments: argparse.Namespace, console: Console) -> None:
    import webbrowser

    from netgraph.app.look import look

    file = look(
        arguments.source,
        beside=arguments.beside,
        rule=arguments.rule,
        assignments=parse_assignments(arguments.assignments),
        out=arguments.out,
    )
    size = f"{file.stat().st_size / 1e6:.2f} MB"
    console.print(f"page in {file} ({size})", highlight=False, markup=False, soft_wrap=True)
    if arguments.open:
        webbrowser.open(file.resolve().as_uri())


def _add_export(parser: argparse.ArgumentParser) -> None:
    text = "run directory that `netgraph grow` wrote, or a graph file"
    parser.add_argument("source", metavar="RUN", type=path_argument, help=text)
    add_request(parser, ExportRequest, without=("source",))
    parser.set_defaults(run=_export)


def _export(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.export import export

    done = export(ExportRequest(**given(arguments, ExportRequest)))
    for sentence in done.remarks:
        console.print(sentence, style="yellow", highlight=False, markup=False)
    console.print(f"{done.graph!r}", highlight=False, markup=False)
    console.print(f"exported to {done.folder}: {', '.join(done.files)}", highlight=False, markup=False)


def _add_watch(parser: argparse.ArgumentParser) -> None:
    _add_run(parser, _watch)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; by default any that is free")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def _watch(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.report import watch

    watch(arguments.directory, console, port=arguments.port, open_page=arguments.open)


def _replay(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.inspect import replay

    replay(run_of(arguments), console)


def _undo(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.inspect import undo

    undo(run_of(arguments), console)


def _explain(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.inspect import explain_rule

    found = explain_rule(run_of(arguments), arguments.rule, parse_assignments(arguments.assignments))
    console.print(*found.lines, sep="\n", highlight=False)


def _add_tune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu (the default) or cuda")
    parser.add_argument("--threads", type=int, default=1, help="number of torch threads (default 1)")
    parser.set_defaults(run=_tune)


def _tune(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.tune import tune_device

    tune_device(arguments.device, arguments.threads, console)


def _add_methods(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="method whose options are explained; all by default")
    parser.set_defaults(run=_methods)


def _methods(arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.listing import print_method, print_methods

    if arguments.name is None:
        print_methods(console)
    else:
        print_method(arguments.name, console)


def _data(_arguments: argparse.Namespace, console: Console) -> None:
    from netgraph.app.listing import print_data

    print_data(console)


def _hint(text: str, arguments: argparse.Namespace) -> None:
    """Print why a command stopped, and the way to continue a run or study from the results on disk."""
    console = Terminal(stderr=True)
    console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
    directory = getattr(arguments, "directory", None)
    if arguments.command == "grow" and directory is not None and (directory / "config.json").is_file():
        console.print(
            f"Everything up to the last finished epoch is in {directory}; "
            "the same command with --resume goes on from there.",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    if arguments.command == "compare" and directory is not None and (directory / "runs.jsonl").is_file():
        console.print(
            f"Every finished job is in {directory}; the same command without --overwrite goes on from there.",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


def _say_error(error: NetgraphError) -> None:
    text = Text.assemble(("error:", "red"), f" {printable(str(error))}")
    Terminal(stderr=True).print(text, highlight=False, soft_wrap=True)


COMMANDS: dict[str, tuple[Any, str]] = {
    "grow": (_add_grow, "grow a network on a data set and write a run directory"),
    "compare": (add_compare, "compare methods on data, or a run with its final network trained from scratch"),
    "show": (lambda p: _add_run(p, _show), "show results, layers and rewrites of a run"),
    "report": (_add_report, "write all about a run on one page: curves, pictures, rewrites and proofs"),
    "look": (_add_look, "write an interactive page of a run or a graph, down to single edges and their history"),
    "export": (
        _add_export,
        "write the network of a run into a folder of its own, with a model card",
    ),
    "watch": (_add_watch, "serve the report of a run on this machine, live while it trains"),
    "replay": (lambda p: _add_run(p, _replay), "rebuild every topology of a run and check its hash"),
    "undo": (lambda p: _add_run(p, _undo), "take back the last rewrite of a run"),
    "explain": (_add_explain, "tell why a rule would fire, or not, on the graph of a run"),
    "rules": (add_rules, "show what every rule is proved to do, or explain one"),
    "check": (add_check, "check rules on random graphs: the laws of rewriting, and the claims of the rules"),
    "new": (add_new, "write a rule with its test and its page, or a package with them, to begin with"),
    "methods": (_add_methods, "list methods, or explain every option of one"),
    "tune": (_add_tune, "measure what kernels cost on this machine, for runs that ask for it"),
    "data": (lambda p: p.set_defaults(run=_data), "list the bundled data sets"),
}
