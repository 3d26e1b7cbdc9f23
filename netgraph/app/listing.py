"""`netgraph methods`, `netgraph rules NAME` and `netgraph data`: lists of names, with every option explained."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from netgraph.app.option_texts import OptionText, as_typed, option_texts

NARROW = 60
"""Width of the terminal, in characters, below which texts stand under names instead of beside them."""


def print_methods(console: Console) -> None:
    """One line for every method, and how to see its options."""
    from netgraph.methods import METHODS

    _pairs(console, "methods of `netgraph grow --method NAME`", {s.name: s.description for s in METHODS.values()})
    _say(console, "`netgraph methods NAME` explains every option of a method, of training and of data and machine.")


def print_method(name: str, console: Console) -> None:
    """Print every option of a method, of training and of data and machine, with values, default and meaning.

    Raises:
        OptionError: for a method that does not exist, with the nearest.
    """
    from compilers.training import TrainSettings
    from netgraph.app.inputs import RunSettings
    from netgraph.app.prepare import SMALL, SMALL_TRAINING
    from netgraph.methods import get_method

    spec = get_method(name)
    _say(console, f"{spec.name}: {spec.description}. Every option is set by --set NAME=VALUE.")
    _options(console, f"Options of {spec.name}", option_texts(spec.options, spec.defaults))
    _options(console, "Options of training", option_texts(TrainSettings, spec.training))
    if spec.training:
        _say(console, f"With {spec.name}: {_values(spec.training)}.")
    small = {key: value for key, value in SMALL_TRAINING.items() if key not in spec.training}
    if small:
        _say(console, f"With fewer than {SMALL:,} training samples: {_values(small)}.")
    _options(console, "Options of data and machine", option_texts(RunSettings))


def print_rule(name: str, console: Console) -> None:
    """Print the docstring of a rule, and its options.

    Raises:
        OptionError: for a rule that does not exist, with the nearest.
    """
    from netgraph.rules import get_rule

    rule = get_rule(name)
    text = inspect.cleandoc(rule.__doc__ or "").split("\nAttributes:")[0].replace("**", "")
    home = "netgraph.rules" if rule.__module__.startswith("netgraph.rules.") else rule.__module__
    _say(console, f"{name} (`{home}.{rule.__name__}`)")
    for paragraph in text.strip().split("\n\n"):
        # Lists keep their lines.
        lines = paragraph.split("\n") if paragraph.lstrip().startswith("* ") else [" ".join(paragraph.split("\n"))]
        console.print(*lines, sep="\n", highlight=False)
    options = option_texts(rule)
    if options:
        _options(console, "Options, for `netgraph explain RUN RULE --set NAME=VALUE` and in Python", options)
    else:
        _say(console, "It has no options.")


def print_data(console: Console) -> None:
    """Print the bundled data sets."""
    from netgraph.app.data import dataset_names

    _pairs(console, "bundled data sets", dataset_names())
    _say(console, "Paths to .npz, IDX (also gzipped) and CSV files, and openml:NAME, work as well.")


def _options(console: Console, title: str, options: Iterable[OptionText]) -> None:
    """Print a heading, and two or more lines for every option, which fit any width."""
    console.print()
    console.print(Text(title, style="bold"))
    for option in options:
        default = f"; default {option.default}" if option.default else ""
        console.print(Text.assemble((option.name, "cyan"), f" ({option.values}{default})"))
        console.print(Padding(Text(option.meaning), (0, 0, 0, 4)))


def _pairs(console: Console, title: str, texts: Mapping[str, str]) -> None:
    """Print a line for every name; on a narrow terminal, the text below the name."""
    if console.width < NARROW:
        _say(console, title)
        for name, text in texts.items():
            console.print(Text(name, style="cyan"))
            console.print(Padding(Text(text), (0, 0, 0, 4)))
        return
    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", overflow="fold")
    table.add_column(overflow="fold")
    for name, text in texts.items():
        table.add_row(Text(name), Text(text))
    console.print(table)


def _values(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {as_typed(value)}" for name, value in settings.items())


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False)
