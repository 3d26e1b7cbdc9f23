"""Options of methods, training, runs and rules in words: the lines of the docstrings that explain their fields."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal

_ENTRY = re.compile(r"(\w+(?:, \w+)*): +(.*)")
_KINDS: dict[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "text"}


@dataclass(frozen=True)
class OptionText:
    """Description of an option for the user.

    Attributes:
        name: name of the option.
        values: kind of its values, or its choices.
        default: default as `--set` takes it; '' for none.
        meaning: a sentence that explains it; '' when the docstring has none.
    """

    name: str
    values: str
    default: str
    meaning: str


def option_texts(options: type[Any], suited: Mapping[str, Any] | None = None) -> list[OptionText]:
    """All options of a dataclass, in their order.

    Args:
        options: whose docstring, or that of a class it derives from, explains its fields below "Attributes:".
        suited: values that take the place of the defaults.
    """
    hints, meanings = typing.get_type_hints(options), explained(options)
    result = []
    for field in fields(options) if is_dataclass(options) else ():
        default = (suited or {}).get(field.name, field.default)
        shown = "" if default is MISSING else as_typed(default)
        result.append(OptionText(field.name, values_of(hints[field.name]), shown, meanings.get(field.name, "")))
    return result


def explained(options: type[Any]) -> dict[str, str]:
    """Sentences about every field from the docstrings of a class and its bases; a class comes before its bases."""
    return {name: _sentence(text) for name, text in attribute_texts(options).items()}


def attribute_texts(options: type[Any]) -> dict[str, str]:
    """Texts about every field as they stand in the docstrings of a class and its bases."""
    result: dict[str, str] = {}
    for cls in options.__mro__:
        for name, text in _attributes(cls):
            result.setdefault(name, text)
    return result


def _attributes(cls: type[Any]) -> Iterator[tuple[str, str]]:
    """Names and texts below "Attributes:" of one docstring."""
    lines = inspect.cleandoc(cls.__doc__ or "").split("\n")
    if "Attributes:" not in lines:
        return
    names, words = "", list[str]()
    for line in [*lines[lines.index("Attributes:") + 1 :], "end"]:
        entry = _ENTRY.fullmatch(line[4:]) if line.startswith("    ") else None
        if entry or (line and not line.startswith("    ")):
            yield from ((name, " ".join(words)) for name in names.split(", ") if name)
            names, words = (entry[1], [entry[2]]) if entry else ("", [])
            if not entry:
                return
        elif line.strip():
            words.append(line.strip())


def _sentence(text: str) -> str:
    """Begin a text with a capital, unless it begins with a name or a value, and end it with a stop."""
    start = text[:1].upper() + text[1:] if re.match(r"[a-z]+\b(?![_(=])", text) else text
    return start if start.endswith((".", "?", "!")) else f"{start}."


def values_of(hint: Any) -> str:
    """Describe the values of an annotated type in words."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        known, none = [arg for arg in typing.get_args(hint) if arg is not types.NoneType], types.NoneType
        words = list(dict.fromkeys(values_of(arg) for arg in known))
        words += ["none"] if none in typing.get_args(hint) else []
        return (" | " if any(typing.get_origin(arg) is Literal for arg in known) else " or ").join(words)
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    return _KINDS.get(hint, "given in Python only")


def as_typed(value: Any) -> str:
    """Write a value as `--set` takes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else str(value)
    return str(value) or '""'
