"""The one reader of JSON: every value is held against a declared shape before anything uses it."""

from __future__ import annotations

import json
import math
import os
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from netgraph.errors import FileFormatError
from netgraph.markup import printable, shortened
from netgraph.storage.reading import read_file

MOST_BYTES = 4 << 20
"""Bytes of a JSON file, or of a line of a file of lines."""

DEEPEST = 32
"""Lists and objects inside each other."""

_LONGEST_SHOWN = 80


class ShapeError(ValueError):
    """A value is not of the shape that its place asks for."""

    def __init__(self, value: object, expected: str) -> None:
        self.place: list[str | int] = []
        shown = "missing" if value is MISSING else shortened(printable(_text(value)), _LONGEST_SHOWN)
        self.words = f"is {shown}, expected {expected}" if expected else f"is {shown}"
        super().__init__(value, expected)

    def at(self, key: str | int) -> ShapeError:
        """The same error, of a value that stands in another under this key."""
        self.place.append(key)
        return self

    def __str__(self) -> str:
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in reversed(self.place))
        name = shortened(printable(path.removeprefix(".")), _LONGEST_SHOWN)
        return f"{name!r} {self.words}" if name else f"it {self.words}"


class Shape(Protocol):
    """A condition on values."""

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""


@dataclass(frozen=True)
class Text:
    """A text, of `choices` if there are any; half of a surrogate pair, which no file can hold, only where `undecoded`.

    Names of files that are no UTF-8 hold such halves.
    """

    choices: tuple[str, ...] = ()
    undecoded: bool = False

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if type(value) is not str:
            raise ShapeError(value, "a text")
        if self.choices and value not in self.choices:
            raise ShapeError(value, "one of " + ", ".join(map(repr, self.choices)))
        if not (value.isascii() or self.undecoded) and any("\ud800" <= c <= "\udfff" for c in value):
            raise ShapeError(value, "a text without halves of surrogate pairs")


@dataclass(frozen=True)
class Whole:
    """A whole number in a range."""

    low: int = 0
    high: int | None = 2**63 - 1

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if type(value) is not int or value < self.low or (self.high is not None and value > self.high):
            raise ShapeError(value, f"a whole number, {self.low} {'to ' + str(self.high) if self.high else 'or more'}")


@dataclass(frozen=True)
class Number:
    """A number that a float can hold.

    Attributes:
        finite: whether it has to be finite.
        low: the least that it may be.
        words: whether "inf", "-inf" and "nan" may stand for numbers for which JSON has no word.
    """

    finite: bool = True
    low: float = -math.inf
    words: bool = False

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        given = float(value) if self.words and value in ("inf", "-inf", "nan") else value
        known = type(given) is float or (type(given) is int and abs(given) < 2**1023)
        if not known or (self.finite and not math.isfinite(given)) or given < self.low:
            least = f" of at least {self.low:g}" if self.low > -math.inf else ""
            raise ShapeError(value, f"a{' finite' if self.finite else ''} number{least}")


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if type(value) is not bool:
            raise ShapeError(value, "true or false")


@dataclass(frozen=True)
class Maybe:
    """A value of a shape, or null."""

    shape: Shape

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if value is not None:
            self.shape.check(value)


@dataclass(frozen=True)
class Either:
    """A value of one of several shapes; a value of none is refused by the words of the last."""

    shapes: tuple[Shape, ...]

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of one of the shapes."""
        for shape in self.shapes[:-1]:
            try:
                return shape.check(value)
            except ShapeError:
                continue
        self.shapes[-1].check(value)


@dataclass(frozen=True)
class Items:
    """A list of values of one shape, `length` of them if that is given."""

    shape: Shape
    length: int | None = None

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if type(value) is not list or (self.length is not None and len(value) != self.length):
            raise ShapeError(value, "a list" if self.length is None else f"a list of {self.length}")
        place = 0
        check = self.shape.check
        try:
            for place, item in enumerate(value):  # noqa: B007 (the place is named when one is wrong)
                check(item)
        except ShapeError as error:
            raise error.at(place) from None


@dataclass(frozen=True)
class Row:
    """A list in which every place has a shape of its own."""

    shapes: tuple[Shape, ...]

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if type(value) is not list or len(value) != len(self.shapes):
            raise ShapeError(value, f"a list of {len(self.shapes)}")
        place = 0
        try:
            for place, (shape, item) in enumerate(zip(self.shapes, value, strict=True)):  # noqa: B007
                shape.check(item)
        except ShapeError as error:
            raise error.at(place) from None


@dataclass(frozen=True)
class Entries:
    """An object whose values all have one shape, under any names."""

    shape: Shape

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if type(value) is not dict:
            raise ShapeError(value, "an object")
        key, names = "", Text()
        try:
            for key, item in value.items():
                names.check(key)
                self.shape.check(item)
        except ShapeError as error:
            raise error.at(key) from None


@dataclass(frozen=True)
class Record:
    """An object with known entries.

    Attributes:
        entries: shapes by name.
        optional: names of entries that may be missing.
        others: shape of entries with other names; None refuses them.
    """

    entries: Mapping[str, Shape]
    optional: frozenset[str] = frozenset()
    others: Shape | None = None

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        if type(value) is not dict:
            raise ShapeError(value, "an object")
        key = ""
        try:
            for key, shape in self.entries.items():
                if key in value:
                    shape.check(value[key])
                elif key not in self.optional:
                    raise ShapeError(MISSING, "")
            if len(value) > len(self.entries) or not value.keys() <= self.entries.keys():
                for key in value.keys() - self.entries.keys():
                    if self.others is None:
                        raise ShapeError(value[key], "nothing of this name")
                    self.others.check(value[key])
        except ShapeError as error:
            raise error.at(key) from None


@dataclass(frozen=True)
class Plain:
    """Any value that is not nested too deep."""

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""
        level: list[Any] = [value]
        for _ in range(DEEPEST):
            inner = [list(v.values()) if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
            level = [item for items in inner for item in items]
            if not level:
                return
        raise ShapeError(value, f"at most {DEEPEST} lists and objects inside each other")


PLAIN = Plain()


def record_of(kind: Any) -> Record:
    """The shape of a dataclass; fields with defaults may be missing."""
    hints = get_type_hints(kind)
    own = [field for field in fields(kind) if field.init]
    optional = {f.name for f in own if f.default is not MISSING or f.default_factory is not MISSING}
    return Record({f.name: shape_of(hints[f.name]) for f in own}, frozenset(optional))


def shape_of(kind: Any) -> Shape:
    """The shape of a type: of a dataclass, as `record_of`, or of the type of a field."""
    if is_dataclass(kind):
        return record_of(kind)
    simple: dict[Any, Shape] = {
        str: Text(),
        int: Whole(-(2**63)),
        float: Number(),
        bool: Flag(),
        Any: PLAIN,
        object: PLAIN,
        dict: PLAIN,
        list: PLAIN,
        tuple: PLAIN,
    }
    if kind in simple:
        return simple[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return Text(inner)
    if origin in (Union, types.UnionType) and len(inner) == 2 and type(None) in inner:
        return Maybe(shape_of(next(part for part in inner if part is not type(None))))
    if origin is tuple and inner[-1] is not Ellipsis:
        return Row(tuple(map(shape_of, inner)))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return Entries(shape_of(inner[1]))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Sequence):
        return Items(shape_of(inner[0]))
    raise TypeError(f"{kind} has no shape in JSON")


def parse_json(data: bytes, shape: Shape, where: str, most: int = MOST_BYTES) -> Any:
    """Read a JSON text and hold it against a shape.

    Args:
        data: the text, UTF-8.
        shape: what it must be.
        where: what it is called in messages: the file, and the line in it.
        most: bytes that it may have.

    Returns:
        Its value. Every number, text and key is what the shape says.

    Raises:
        FileFormatError: naming the place in the text, and what stands there.
    """
    try:
        if len(data) > most:
            raise ValueError(f"it has {len(data):,} bytes, at most {most:,} are read")
        if data.startswith(b"\xef\xbb\xbf"):
            raise ValueError("it begins with a byte order mark; save it as UTF-8 without one")
        value = json.loads(data.decode(), object_pairs_hook=_object)
        shape.check(value)
    except RecursionError:
        raise FileFormatError(f"{where} is damaged: lists and objects are nested too deep.") from None
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{where} is damaged: byte {error.start} is no UTF-8.") from None
    except json.JSONDecodeError as error:
        raise FileFormatError(f"{where} is damaged: no JSON at character {error.pos} ({error.msg}).") from None
    except ShapeError as error:
        raise FileFormatError(f"{where} is damaged, or of another version of netgraph: {error}.") from None
    except ValueError as error:
        raise FileFormatError(f"{where} is damaged: {error}.") from None
    return value


def read_json(path: str | os.PathLike[str], shape: Shape) -> Any:
    """The value of a JSON file, as `parse_json`. Raises `OSError` when it cannot be read."""
    return parse_json(read_file(path, MOST_BYTES), shape, repr(os.fspath(path)))


def whole_lines(data: bytes) -> Iterator[bytes]:
    """Lines with their end, without it; what follows the last one was cut off while it was written."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


def read_json_lines(path: str | os.PathLike[str], shape: Shape) -> list[Any]:
    """The values of a file with one JSON text a line, as `parse_json`; errors name the line."""
    name = repr(os.fspath(path))
    lines = enumerate(whole_lines(read_file(path)), start=1)
    return [parse_json(line, shape, f"{name} line {number}") for number, line in lines]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {shortened(printable(double), _LONGEST_SHOWN)!r} stands twice in one object")
    return found


def _text(value: object) -> str:
    """A value in a message, without writing out a large one."""
    if isinstance(value, str):
        return repr(shortened(value, _LONGEST_SHOWN))
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value):,}"
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a number of {value.bit_length():,} bits"
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
