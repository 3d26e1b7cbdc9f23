"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from netgraph.app.option_texts import attribute_texts
from netgraph.app.options import parse_assignments

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


def add_request(
    parser: argparse._ActionsContainer,
    request: type[Any],
    *,
    positional: Collection[str] = (),
    without: Collection[str] = (),
) -> None:
    """Give a command an argument for each field of a request; the docstring of the class explains them.

    An argument that is not given is None or empty, so that the request's own default counts.

    Args:
        parser: of the command, or a group of its arguments.
        request: a dataclass; `metavar` in the metadata of a field names its value in the help.
        positional: fields that are given by position.
        without: fields for which the command has arguments of its own.
    """
    hints, texts = typing.get_type_hints(request, include_extras=True), attribute_texts(request)
    for field in fields(request):
        if field.name in without:
            continue
        if field.name == "assignments":
            add_set(parser)
            continue
        options = {**_reading(hints[field.name]), **field.metadata, "help": texts[field.name].replace("%", "%%")}
        if field.name in positional:
            parser.add_argument(field.name, **{"metavar": field.name.upper(), **options})
        else:
            parser.add_argument(f"--{field.name.replace('_', '-')}", **options)


def given(arguments: argparse.Namespace, request: type[Any]) -> dict[str, Any]:
    """Return the fields of a request that the user gave on the command line, by name."""
    values = {field.name: getattr(arguments, field.name, None) for field in fields(request)}
    return {
        name: parse_assignments(value) if name == "assignments" else value
        for name, value in values.items() if value is not None
    }  # fmt: skip


def _reading(hint: Any) -> dict[str, Any]:
    """Choose the keyword arguments with which `add_argument` converts a text to an annotated type."""
    while typing.get_origin(hint) in (Annotated, types.UnionType, typing.Union):
        hint = typing.get_args(hint)[0]
    if hint is bool:
        return {"action": "store_true"}
    if typing.get_origin(hint) is Literal:
        return {"choices": typing.get_args(hint)}
    if typing.get_origin(hint) is tuple:
        return {"type": _numbers if typing.get_args(hint)[0] is float else _names}
    return {} if hint is str else {"type": path_argument if hint is Path else hint}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as .05,.1,.2") from None


def path_argument(text: str) -> Path:
    """Return the path as typed. Refuse an empty text, as from an unset variable: it would be the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; give it a name")
    return Path(text)


def run_of(arguments: argparse.Namespace) -> RunDirectory:
    """Open the run directory that the arguments name. Raises `OptionError` when it holds no run."""
    from netgraph.app.run_directory import RunDirectory

    return RunDirectory(arguments.directory)
