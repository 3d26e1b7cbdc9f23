"""Checks of the fields of a dataclass, and of the arguments of a function, by their annotations."""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import numpy as np

from netgraph.checks.values import LARGEST, choice, flag, number, whole
from netgraph.errors import OptionError

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class FieldLimits:
    """Limits of a number, for annotations such as `Annotated[int, FieldLimits(least=1)]`.

    Attributes:
        least: smallest allowed value, or None.
        most: largest allowed value, or None. For a whole number, None means 64 bits and inf no limit.
        above: value that must be exceeded, or None.
        infinite: whether infinity is allowed.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    infinite: bool = False


Count = Annotated[int, FieldLimits(least=1)]
"""A whole number of at least 1."""

Natural = Annotated[int, FieldLimits(least=0)]
"""A whole number of at least 0."""

Seed = Annotated[int, FieldLimits(least=0, most=math.inf)]
"""A whole number of at least 0, however large."""

Share = Annotated[float, FieldLimits(least=0.0, most=1.0)]
"""A number from 0 to 1."""

Extended = Annotated[float, FieldLimits(infinite=True)]
"""A number that may be infinite."""


class Checked:
    """Base of dataclasses whose fields are checked by their annotations when an instance is made.

    int stands for a whole number within 64 bits, float for a finite number or an int, bool for a truth value, Literal
    for one of its values. The items of a tuple are checked. A union with None allows None. `FieldLimits` in `Annotated`
    limit a number. NumPy's numbers become plain ones. Fields of other types, and defaults, are not checked. A class
    with further conditions begins its `__post_init__` by `super().__post_init__()`.

    Example:
        >>> @dataclass(frozen=True)
        ... class Options(Checked):
        ...     steps: Count = 3
        ...     rate: float = 0.1
        >>> Options(steps=2.5)
        Traceback (most recent call last):
            ...
        netgraph.errors.OptionError: steps=2.5 is not a whole number; give 2 or 3.
    """

    def __post_init__(self) -> None:
        check_fields(self)


def check_fields(options: Any, *, infinite: bool = False) -> None:
    """Check every field of a dataclass by its annotation, see `Checked`. An object of another kind is not checked.

    Args:
        options: the instance; NumPy's numbers in its fields become plain ones.
        infinite: whether floats may be infinite where no `FieldLimits` say so.

    Raises:
        OptionError: naming the field, the value and the remedy.
    """
    if not is_dataclass(options):
        return
    kind: Any = type(options)
    for field, hint in _hints(kind):
        value = getattr(options, field.name)
        if value is field.default:
            continue
        plain = _check(field.name, value, hint, infinite)
        if plain is not value:
            object.__setattr__(options, field.name, plain)


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that its arguments are checked by their annotations, as `Checked` does with fields.

    Values of Literals and items of tuples are left to the function. For a `Sequence` or an `Iterable` any iterable but
    a text is allowed, and its items are left to the function. For a `Mapping` a mapping is required, for a `Generator`
    one of NumPy. Defaults are not checked.

    Example:
        >>> @checked
        ... def draw(count: Count) -> int:
        ...     return count
        >>> draw(2.5)
        Traceback (most recent call last):
            ...
        netgraph.errors.OptionError: count=2.5 is not a whole number; give 2 or 3.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:  # Python's own message has the name of the function.
            return function(*args, **kwargs)
        hints = _hints_of(function)
        for name, value in bound.arguments.items():
            if name in hints and value is not signature.parameters[name].default:
                bound.arguments[name] = _argument(name, value, hints[name])
        return function(*bound.args, **bound.kwargs)

    return call


@functools.lru_cache(maxsize=1024)
def _hints_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Types of the arguments of a function, by name, without those whose annotation only type checkers can resolve."""
    known, found = getattr(function, "__globals__", {}), {}
    for name, annotation in inspect.get_annotations(function).items():
        one = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            found[name] = typing.get_type_hints(one, globalns=known, include_extras=True)[name]
        except NameError:
            continue
    return found


def _argument(name: str, value: Any, hint: Any) -> Any:
    """Check and convert an argument by its annotation, also for types that fields of options do not have."""
    others = [arg for arg in typing.get_args(hint) if arg is not types.NoneType]
    if typing.get_origin(hint) in (types.UnionType, typing.Union) and len(others) == 1:
        return None if value is None else _argument(name, value, others[0])
    kind = typing.get_origin(hint) or hint
    if kind in (Sequence, Iterable):
        _check_listed(name, value)
    if kind is Mapping and not isinstance(value, Mapping):
        raise OptionError(f"{name}={value!r} is not a mapping; give a dict.")
    if kind is np.random.Generator and not isinstance(value, np.random.Generator):
        raise OptionError(f"{name}={value!r} is not a generator of NumPy; give np.random.default_rng(seed).")
    if kind is str and not isinstance(value, str):
        raise OptionError(f"{name}={value!r} is not a text; give one in quotes.")
    return value if kind in (Literal, tuple) else _check(name, value, hint, infinite=False)


def _check_listed(name: str, value: Any) -> None:
    """Raise `OptionError` for a single value or a text; several values are required."""
    try:
        iter(value)
    except TypeError:
        listed = False
    else:
        listed = not isinstance(value, str | bytes)
    if not listed:
        raise OptionError(f"{name}={value!r} is one value; give a list or tuple.")


@functools.lru_cache(maxsize=1024)
def _hints(kind: Any) -> tuple[tuple[Field[Any], Any], ...]:
    """Fields of a dataclass with their types, without those whose annotation cannot be resolved."""
    own = fields(kind)
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except NameError:
        hints = {field.name: hint for field in own if (hint := _hint(kind, field.name)) is not None}
    return tuple((field, hints[field.name]) for field in own if field.name in hints)


def _hint(kind: Any, name: str) -> Any:
    """Type of one field, or None when its annotation cannot be resolved, such as a name local to a function."""
    home = next(base for base in kind.__mro__ if name in inspect.get_annotations(base))
    alone = type(home.__name__, (), {"__annotations__": {name: inspect.get_annotations(home)[name]}})
    alone.__module__ = home.__module__
    try:
        return typing.get_type_hints(alone, include_extras=True)[name]
    except NameError:
        return None


def _check(name: str, value: Any, hint: Any, infinite: bool) -> Any:
    """Check and convert a value by its annotation; see `Checked` for the types. Other values are returned unchanged."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        bounds = next((extra for extra in args[1:] if isinstance(extra, FieldLimits)), None)
        return _check(name, value, args[0], infinite) if bounds is None else _check_limits(name, value, args[0], bounds)
    if origin in (types.UnionType, typing.Union):
        return _check_union(name, value, args, infinite)
    if origin is Literal:
        return choice(name, value, args)
    if origin is tuple:
        return _check_tuple(name, value, args, infinite)
    if hint in (int, float):
        return _check_limits(name, value, hint, FieldLimits(infinite=infinite))
    return flag(name, value) if hint is bool else value


def _check_limits(name: str, value: Any, kind: Any, bounds: FieldLimits) -> Any:
    if kind is int:
        most = LARGEST if bounds.most is None else None if bounds.most == math.inf else int(bounds.most)
        return whole(name, value, least=None if bounds.least is None else int(bounds.least), most=most)
    lowest = -math.inf
    real = number(
        name,
        value,
        least=lowest if bounds.least is None else bounds.least,
        most=math.inf if bounds.most is None else bounds.most,
        above=lowest if bounds.above is None else bounds.above,
        infinite=bounds.infinite,
    )
    return value if type(value) is int else real


def _check_union(name: str, value: Any, args: tuple[Any, ...], infinite: bool) -> Any:
    """Allow None where the union does; else check by the other type if there is just one."""
    others = [arg for arg in args if arg is not types.NoneType]
    if (value is None and len(others) < len(args)) or len(others) != 1:
        return value
    return _check(name, value, others[0], infinite)


def _check_tuple(name: str, value: Any, args: tuple[Any, ...], infinite: bool) -> Any:
    if isinstance(value, str):  # its letters would be the items
        raise OptionError(f"{name}={value!r} is a text; give a tuple, such as ({value!r},).")
    if not isinstance(value, tuple) or not args:
        return value
    hints = args[:1] * len(value) if len(args) == 2 and args[1] is Ellipsis else args
    if len(hints) != len(value):
        raise OptionError(f"{name}={value!r} has {len(value)} items; give {len(hints)}.")
    pairs = zip(value, hints, strict=True)
    items = tuple(_check(f"{name}[{i}]", item, hint, infinite) for i, (item, hint) in enumerate(pairs))
    return value if all(a is b for a, b in zip(items, value, strict=True)) else items
