"""The only reader of JSON in netgraph: every value is checked against a declared shape before it is used."""

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

MAX_BYTES = 4 << 20
"""Largest size, in bytes, of a JSON file, or of one line of a file with a JSON text in each line."""

DEEPEST = 32
"""Largest depth of lists and objects inside each other."""

_LONGEST_SHOWN = 80


class ShapeError(ValueError):
    """A value does not have the shape that its place asks for.

    Attributes:
        place: keys and indices that lead to the value, innermost first.
        words: description of the value and of the expected shape.
    """

    def __init__(self, value: object, expected: str) -> None:
        self.place: list[str | int] = []
        shown = "missing" if value is MISSING else shortened(printable(_text(value)), _LONGEST_SHOWN)
        self.words = f"is {shown}, expected {expected}" if expected else f"is {shown}"
        super().__init__(value, expected)

    def at(self, key: str | int) -> ShapeError:
        """Add the key or index of an enclosing object or list to `place` and return the error."""
        self.place.append(key)
        return self

    def __str__(self) -> str:
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in reversed(self.place))
        name = shortened(printable(path.removeprefix(".")), _LONGEST_SHOWN)
        return f"{name!r} {self.words}" if name else f"it {self.words}"


class Shape(Protocol):
    """A condition on a JSON value, such as `Text` or `Record`. Files declare the shapes of their values."""

    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value is of this shape."""


@dataclass(frozen=True)
class Text:
    """Shape of texts.

    Attributes:
        choices: allowed texts; any text when empty.
        undecoded: whether halves of surrogate pairs are allowed. Names of files that are not UTF-8 hold such halves; no
            other text in a file can.
    """

    choices: tuple[str, ...] = ()
    undecoded: bool = False

    def check(self, value: Any) -> None:
        if type(value) is not str:
            raise ShapeError(value, "a text")
        if self.choices and value not in self.choices:
            raise ShapeError(value, "one of " + ", ".join(map(repr, self.choices)))
        if not (value.isascii() or self.undecoded) and any("\ud800" <= c <= "\udfff" for c in value):
            raise ShapeError(value, "a text without halves of surrogate pairs")


@dataclass(frozen=True)
class Whole:
    """Shape of whole numbers from `low` to `high`; None for no upper limit."""

    low: int = 0
    high: int | None = 2**63 - 1

    def check(self, value: Any) -> None:
        if type(value) is not int or value < self.low or (self.high is not None and value > self.high):
            raise ShapeError(value, f"a whole number, {self.low} {'to ' + str(self.high) if self.high else 'or more'}")


@dataclass(frozen=True)
class Number:
    """Shape of numbers that a float can hold.

    Attributes:
        finite: whether the number has to be finite.
        low: smallest allowed value.
        words: whether the texts "inf", "-inf" and "nan" are allowed, because JSON has no such numbers.
    """

    finite: bool = True
    low: float = -math.inf
    words: bool = False

    def check(self, value: Any) -> None:
        given = float(value) if self.words and value in ("inf", "-inf", "nan") else value
        known = type(given) is float or (type(given) is int and abs(given) < 2**1023)
        if not known or (self.finite and not math.isfinite(given)) or given < self.low:
            least = f" of at least {self.low:g}" if self.low > -math.inf else ""
            raise ShapeError(value, f"a{' finite' if self.finite else ''} number{least}")


@dataclass(frozen=True)
class Flag:
    """Shape of the values true and false."""

    def check(self, value: Any) -> None:
        if type(value) is not bool:
            raise ShapeError(value, "true or false")


@dataclass(frozen=True)
class Maybe:
    """Shape of null, and of the values of another shape."""

    shape: Shape

    def check(self, value: Any) -> None:
        if value is not None:
            self.shape.check(value)


@dataclass(frozen=True)
class Either:
    """Shape of the values of any of several shapes. The message for another value describes the last shape."""

    shapes: tuple[Shape, ...]

    def check(self, value: Any) -> None:
        for shape in self.shapes[:-1]:
            try:
                return shape.check(value)
            except ShapeError:
                continue
        self.shapes[-1].check(value)


@dataclass(frozen=True)
class Items:
    """Shape of lists whose values all have one shape; `length` is their number, None for any number."""

    shape: Shape
    length: int | None = None

    def check(self, value: Any) -> None:
        if type(value) is not list or (self.length is not None and len(value) != self.length):
            raise ShapeError(value, "a list" if self.length is None else f"a list of {self.length}")
        place = 0
        check = self.shape.check
        try:
            for place, item in enumerate(value):  # noqa: B007 (an error names the place)
                check(item)
        except ShapeError as error:
            raise error.at(place) from None


@dataclass(frozen=True)
class Row:
    """Shape of lists of a fixed length in which every place has a shape of its own."""

    shapes: tuple[Shape, ...]

    def check(self, value: Any) -> None:
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
    """Shape of objects whose values all have one shape, under any names."""

    shape: Shape

    def check(self, value: Any) -> None:
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
    """Shape of objects with known entries.

    Attributes:
        entries: shapes by name.
        optional: names of entries that may be missing.
        others: shape of entries with other names; None refuses such entries.
    """

    entries: Mapping[str, Shape]
    optional: frozenset[str] = frozenset()
    others: Shape | None = None

    def check(self, value: Any) -> None:
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
    """Shape of any values with a depth of at most `DEEPEST` lists and objects."""

    def check(self, value: Any) -> None:
        level: list[Any] = [value]
        for _ in range(DEEPEST):
            inner = [list(v.values()) if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
            level = [item for items in inner for item in items]
            if not level:
                return
        raise ShapeError(value, f"at most {DEEPEST} lists and objects inside each other")


PLAIN = Plain()


def record_of(kind: Any) -> Record:
    """Derive the shape of the JSON object that holds a dataclass; fields with defaults may be missing."""
    hints = get_type_hints(kind)
    own = [field for field in fields(kind) if field.init]
    optional = {f.name for f in own if f.default is not MISSING or f.default_factory is not MISSING}
    return Record({f.name: shape_of(hints[f.name]) for f in own}, frozenset(optional))


def shape_of(kind: Any) -> Shape:
    """Derive the shape of the JSON values of a type: a dataclass, see `record_of`, or the type of one of its fields."""
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


def parse_json(data: bytes, shape: Shape, where: str, most: int = MAX_BYTES) -> Any:
    """Parse a JSON text and check it against a shape.

    Args:
        data: the text, UTF-8.
        shape: shape that the value must have.
        where: name of the text in messages: the file, and the line in it.
        most: largest allowed number of bytes.

    Returns:
        The value. It has the shape, so callers need no further checks of types.

    Raises:
        FileFormatError: for another shape or no JSON, naming the place in the text and the value at it.
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


def read_json(path: str | os.PathLike[str], shape: Shape, most: int = MAX_BYTES) -> Any:
    """Read a JSON file of at most `most` bytes and check it against a shape, see `parse_json`.

    Raises:
        FileFormatError: in the cases of `parse_json`.
        OSError: when the file cannot be read.
    """
    return parse_json(read_file(path, most), shape, repr(os.fspath(path)), most)


def whole_lines(data: bytes) -> Iterator[bytes]:
    """Yield the complete lines of a text, without their line ends.

    Bytes after the last line end are left out: writing that line was interrupted.
    """
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


def read_json_lines(path: str | os.PathLike[str], shape: Shape) -> list[Any]:
    """Read a file with one JSON text per line, see `parse_json`; errors name the line."""
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
    """Describe a value for a message; a large value is not written out."""
    if isinstance(value, str):
        return repr(shortened(value, _LONGEST_SHOWN))
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value):,}"
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a number of {value.bit_length():,} bits"
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
