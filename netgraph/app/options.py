"""Options of the command line: KEY=VALUE pairs onto frozen dataclasses."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar

from netgraph.checks import FieldLimits, choice
from netgraph.errors import OptionError, unknown_name

T = TypeVar("T")


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """Split KEY=VALUE texts; a later one wins. Raises `OptionError` for a text without "="."""
    result = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise OptionError(f"--set {text!r} is not of the form KEY=VALUE.")
        result[key.strip().replace("-", "_")] = value.strip()
    return result


def split_assignments(values: Mapping[str, str], *targets: type[Any]) -> list[dict[str, Any]]:
    """Give every option to the dataclass that has a field of this name, converted to the field's type.

    Raises:
        OptionError: for a name that no dataclass has, with the nearest, for one that two have, and for a value of the
            wrong type.
    """
    hints = [typing.get_type_hints(target, include_extras=True) for target in targets]
    known = [{f.name for f in fields(target)} if is_dataclass(target) else set() for target in targets]
    result: list[dict[str, Any]] = [{} for _ in targets]
    for key, text in values.items():
        homes = [k for k, names in enumerate(known) if key in names]
        if not homes:
            raise OptionError(unknown_name("option", key, set().union(*known)))
        if len(homes) > 1:
            names = " and of ".join(targets[k].__name__ for k in homes)
            raise OptionError(f"{key} is an option of {names}, so --set cannot tell which is meant; rename one.")
        (k,) = homes
        result[k][key] = convert(key, text, hints[k][key])
    return result


def convert(key: str, text: str, hint: Any, *, infinite: bool = False) -> Any:
    """Read a text as a value of an annotated type: bool, int, float, str, Literal or a union with None."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        kind, *extras = typing.get_args(hint)
        return convert(key, text, kind, infinite=any(isinstance(e, FieldLimits) and e.infinite for e in extras))
    if origin in (types.UnionType, typing.Union):
        if text.lower() == "none":
            return None
        return convert(key, text, next(arg for arg in typing.get_args(hint) if arg is not types.NoneType))
    if origin is Literal:
        return choice(key, text, typing.get_args(hint))
    if hint is bool:
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise OptionError(f"{key}={text!r} is not true or false.")
        return text.lower() in ("true", "yes", "1")
    try:
        value = int(text.replace("_", "")) if hint is int else hint(text)
    except ValueError:
        raise OptionError(f"{key}={text!r} is not {'a whole number' if hint is int else 'a number'}.") from None
    if hint is float and not math.isfinite(value) and not (infinite and math.isinf(value)):
        raise OptionError(f"{key}={text!r} is not a finite number.")
    return value
