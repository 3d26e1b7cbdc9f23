"""Damage to JSON texts and to containers whose checksums stay right, so that only the content is wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.storage import STRUCTURE, container_bytes

_HOLE, _TWICE = "hole 5f2b7c", "twice 5f2b7c"

DEEP = 100_000
"""Nesting depth of lists or objects in deeply nested values."""

TEXTS: dict[str, bytes] = {
    "null": b"null", "true": b"true", "negative": b"-1", "zero": b"0", "fraction": b"1.5", "31 bits": b"2147483648",
    "64 bits": b"18446744073709551616", "huge": b"1e308", "tiny": b"5e-324", "beyond floats": b"1e999", "NaN": b"NaN",
    "infinite": b"-Infinity", "400 digits": b"9" * 400, "minus 400 digits": b"-" + b"9" * 400,
    "5,000 digits": b"9" * 5000, "number as text": b'"7"', "no text": b'""', "text": b'"x"',
    "control": b'"\\u001b[31m\\n\\u0000\\u202e"', "markup": b'"</script><b>[bold]{{7*7}}|`*"', "path": b'"../../x"',
    "surrogate": b'"\\ud800"', "infinite in words": b'"inf"', "long text": b'"' + b"x" * 100_000 + b'"',
    "no UTF-8": b'"\xff"', "no list": b"[]", "list": b"[1]", "lists": b"[[], [[]]]", "no object": b"{}",
    "object": b'{"a": 1}', "names twice": b'{"a": 1, "a": 2}', "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP, "long list": b"[" + b"1," * 5000 + b"1]",
}  # fmt: skip
"""Texts that replace a value, by a description."""


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a value, itself first."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*at, key))


def _drop(holder: Any, key: Any, other: Any) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, other: Any) -> None:
    if isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    else:
        holder.reverse()


def _repeat(holder: Any, key: Any, other: Any) -> None:
    if isinstance(holder, dict):
        holder[_TWICE + key] = holder[key]
    else:
        holder.insert(key, holder[key])


def _further(holder: Any, key: Any, other: Any) -> None:
    if isinstance(holder, dict):
        holder["further"] = holder[key]
    else:
        holder.extend([holder[key]] * 1000)


def _other(holder: Any, key: Any, other: Any) -> None:
    holder[key] = other


SHAPES: dict[str, Callable[[Any, Any, Any], None]] = {
    "dropped": _drop, "renamed": _rename, "repeated": _repeat, "further": _further, "of another place": _other,
}  # fmt: skip
"""Changes of the list or object that holds a value, by a description."""

KINDS = (*TEXTS, *SHAPES)


def damaged(value: Any, path: tuple[Any, ...], kind: str, rng: random.Random) -> bytes:
    """Return the JSON text of a value with one damage of this kind at this path."""
    if not path:
        return TEXTS.get(kind) or json.dumps([value]).encode()
    text = json.dumps(value)
    other = json.loads(text)
    for key in rng.choice(list(places(value))):
        other = other[key]
    whole = holder = json.loads(text)
    for key in path[:-1]:
        holder = holder[key]
    if kind in TEXTS:
        holder[path[-1]] = _HOLE
    else:
        SHAPES[kind](holder, path[-1], other)
    return json.dumps(whole).replace(_TWICE, "").encode().replace(f'"{_HOLE}"'.encode(), TEXTS.get(kind, b""))


def damages(value: Any, number: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield `number` damaged texts of a value, each with a description: all paths and kinds, then random pairs."""
    paths = list(places(value))
    pairs = [(path, kind) for path in paths for kind in KINDS]
    rng.shuffle(pairs)
    # The first texts cover all paths and all kinds.
    first = [(paths[k % len(paths)], KINDS[k % len(KINDS)]) for k in range(max(len(paths), len(KINDS)))]
    todo = [*first, *pairs] if len(first) < number else rng.sample(first, number)
    while len(todo) < number:
        todo.append(rng.choice(pairs))
    for path, kind in todo[:number]:
        if rng.random() < 0.02:
            yield "cut or overwritten", _torn(json.dumps(value).encode(), rng)
        else:
            yield f"{kind} at {'.'.join(map(str, path)) or 'the root'}", damaged(value, path, kind, rng)


def _torn(data: bytes, rng: random.Random) -> bytes:
    """Truncate a text, or change one of its bytes."""
    at = rng.randrange(len(data))
    return data[:at] if rng.random() < 0.5 else data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def damaged_arrays(arrays: Mapping[str, Array], rng: random.Random) -> tuple[str, dict[str, Array]]:
    """Damage arrays: change length, type, order or content of one, remove one, or add one; with a description."""
    changed = {name: values.copy() for name, values in arrays.items()}
    name = rng.choice(sorted(changed))
    values = changed[name]
    flat = values.reshape(-1)
    whole = values.dtype.kind in "iu"

    def one(value: Any) -> Array:
        found = flat.copy()
        if found.size:
            found[rng.randrange(found.size)] = value
        return found.reshape(values.shape)

    most: Any = np.iinfo(values.dtype).max if whole else np.nan
    kinds: dict[str, Callable[[], Array | None]] = {
        "missing": lambda: None,
        "of bytes": lambda: np.zeros(values.shape, np.int8),
        "of float64": lambda: values.astype(np.float64),
        "of int32": lambda: np.zeros(values.shape, np.int32),
        "a row": lambda: values.reshape(1, -1),
        "a number": lambda: np.zeros((), values.dtype),
        "empty": lambda: flat[:0],
        "shorter": lambda: flat[:-1],
        "longer": lambda: np.concatenate([flat, flat[:1]]),
        "backwards": lambda: flat[::-1].copy(),
        "shuffled": lambda: flat[rng.sample(range(flat.size), flat.size)],
        "filled": lambda: np.full_like(values, most),
        "with the largest": lambda: one(most),
        "with a negative": lambda: one(-1 if values.dtype.kind != "u" else 0),
        "with a neighbour": lambda: one(flat[rng.randrange(flat.size)] if flat.size else 0),
        "with a huge one": lambda: one(values.dtype.type(1e30) if not whole else most - 1),
        "with an infinite one": lambda: one(-np.inf if not whole else 0),
    }
    kind = rng.choice(list(kinds))
    found = kinds[kind]()
    if found is None:
        del changed[name]
    else:
        changed[rng.choice([name, name, name, f"{name}x"])] = found
    return f"{name} {kind}", changed


def damaged_containers(
    kind: str, version: int, structure: Any, arrays: Mapping[str, Array], number: int, rng: random.Random
) -> Iterator[tuple[str, bytes]]:
    """Yield `number` containers with right checksums: half with a damaged structure, half with other damage."""
    texts = damages(structure, number, rng)
    whole = container_bytes(kind, version, structure, arrays)
    size = int.from_bytes(whole[:8], "little")
    headers = damages(json.loads(whole[8 : 8 + size]), number, rng)
    for _ in range(number):
        draw = rng.random()
        if draw < 0.5:
            words, text = next(texts)
            content = {**arrays, STRUCTURE: np.frombuffer(text, np.uint8)}
            yield f"structure: {words}", container_bytes(kind, version, None, content)
        elif draw < 0.85:
            words, changed = damaged_arrays(arrays, rng)
            yield f"array {words}", container_bytes(kind, version, structure, changed)
        else:
            words, text = next(headers)
            yield f"header: {words}", len(text).to_bytes(8, "little") + text + whole[8 + size :]
