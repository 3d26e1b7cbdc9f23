"""Checked conversions: whole numbers, finite numbers, truth values, names, seeds, and arrays of them."""

import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from netgraph.errors import NetgraphError, OptionError, nearest

Array = np.ndarray[Any, Any]
"""An array of any shape and dtype; all other packages import it from `netgraph.columns`."""
ErrorType = type[NetgraphError]

LARGEST = 2**63 - 1
"""Largest whole number that the arrays of a graph can hold."""

_LARGEST_SHOWN = 10**40


# -- one value ---------------------------------------------------------------------------------------


def whole(
    name: str, value: Any, *, least: int | None = None, most: int | None = LARGEST, error: ErrorType = OptionError
) -> int:
    """Return a whole number as an int.

    Args:
        name: name of the argument for messages, with the position of the value if the name alone is not enough.
        value: the value given.
        least, most: smallest and largest allowed number; None for no limit.
        error: type of the error.

    Raises:
        NetgraphError: of the type `error`, for a fraction, a float, a truth value or a text, and outside the limits.
    """
    plain = _plain(value)
    if isinstance(plain, bool):
        raise error(f"{name}={value!r} is a truth value; give a whole number.")
    try:
        number = operator.index(plain)
    except TypeError:
        raise error(f"{name}={value!r} is not a whole number{_nearest(plain)}.") from None
    if least is not None and number < least:
        raise error(
            f"{name}={_shown(number)} is {'negative' if least == 0 else f'below {least}'}; give at least {least}."
        )
    if most is not None and number > most:
        raise error(f"{name}={_shown(number)} is above {most}; give at most {most}.")
    return number


def number(
    name: str,
    value: Any,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    infinite: bool = False,
    error: ErrorType = OptionError,
) -> float:
    """Return a real number as a float.

    Args:
        name: name of the argument for messages, with the position of the value if the name alone is not enough.
        value: the value given.
        least, most: smallest and largest allowed number.
        above: a limit that the number must exceed.
        infinite: whether infinity is allowed.
        error: type of the error.

    Raises:
        NetgraphError: of the type `error`, for NaN, a truth value or a text, and outside the limits.
    """
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, numbers.Real):
        raise error(f"{name}={value!r} is not a number; give one{_between(least, most, above)}.")
    try:
        real = float(plain)
    except OverflowError:
        real = math.copysign(math.inf, -1 if plain < 0 else 1)  # too large for a float
    if math.isnan(real) or (math.isinf(real) and not infinite):
        kind = "number" if math.isnan(real) else "finite number"
        raise error(f"{name}={_shown(value)} is not a {kind}; give one{_between(least, most, above)}.")
    if not least <= real <= most or real < above or (real == above and math.isfinite(above)):
        raise error(f"{name}={_shown(value)} is out of range; give a number{_between(least, most, above)}.")
    return real


def share(name: str, value: Any, *, error: ErrorType = OptionError) -> float:
    """Return a fraction, a density or a probability as a float: a number from 0 to 1."""
    return number(name, value, least=0.0, most=1.0, error=error)


def flag(name: str, value: Any, *, error: ErrorType = OptionError) -> bool:
    """Return a truth value as a bool; numbers and texts are refused."""
    plain = _plain(value)
    if not isinstance(plain, bool):
        raise error(f"{name}={value!r} is not a truth value; give True or False.")
    return plain


def choice(name: str, value: Any, known: Iterable[Any], *, error: ErrorType = OptionError) -> Any:
    """Return a value that is one of the known ones; refuse any other with a message that lists the known ones."""
    known = list(known)
    if not any(value is one or (type(value) is type(one) and value == one) for one in known):
        raise error(f"{name}={value!r} is none of {', '.join(map(repr, known))}.{nearest(value, map(str, known))}")
    return value


def generator(name: str, value: Any, *, error: ErrorType = OptionError) -> np.random.Generator:
    """Return a source of random numbers, made from a seed or from another source.

    A seed is a whole number of at least 0. None stands for a fresh seed. A generator is returned unchanged.
    """
    if value is None or isinstance(value, np.random.Generator | np.random.BitGenerator | np.random.SeedSequence):
        return np.random.default_rng(value)
    return np.random.default_rng(whole(name, value, least=0, most=None, error=error))


# -- arrays ------------------------------------------------------------------------------------------


def whole_numbers(
    name: str,
    values: Any,
    *,
    least: int | None = None,
    most: int | None = None,
    dtype: Any = np.int64,
    floats: bool = False,
    error: ErrorType = OptionError,
) -> Array:
    """Return whole numbers as an array of `dtype`. The limits are checked before any conversion.

    Args:
        name: name of the argument for messages.
        values: whole numbers in any shape, or none. A mask is refused.
        least, most: smallest and largest allowed number; None for the limits of `dtype`.
        dtype: integer type of the result.
        floats: whether an array of floats is allowed if each is a whole number, such as `np.zeros(3)`.
        error: type of the error.

    Raises:
        NetgraphError: of the type `error`, naming the first value that is not allowed, and its position.
    """
    array = _array(name, values, error)
    if array.dtype.kind == "b":
        raise error(
            f"{name} is a mask of booleans (shape {array.shape}), not whole numbers; give np.flatnonzero(mask)."
        )
    if array.dtype.kind == "O":
        flat = [whole(_at(name, array, i), value, most=None, error=error) for i, value in enumerate(array.flat)]
        low, high = min(flat, default=0), max(flat, default=0)
    elif not array.size:
        return array.astype(dtype)
    elif floats and array.dtype.kind == "f" and (np.abs(array) <= 2**53).all() and (array == np.trunc(array)).all():
        low, high = int(array.min()), int(array.max())
    elif array.dtype.kind not in "iu":
        bad = _first((array != np.trunc(array)) | ~(np.abs(array) <= 2**53)) if array.dtype.kind == "f" else 0
        raise error(f"{_at(name, array, bad)}={array.flat[bad]} is not a whole number; give integers.")
    elif least is None and most is None and np.can_cast(array.dtype, dtype):
        return array.astype(dtype, copy=False)
    else:
        low, high = int(array.min()), int(array.max())
    limits = np.iinfo(dtype)
    least = int(limits.min) if least is None else least
    most = int(limits.max) if most is None else most
    if low < least or high > most:
        bad = next(i for i, value in enumerate(array.flat) if not least <= int(value) <= most)
        raise error(f"{_at(name, array, bad)}={_shown(int(array.flat[bad]))} is outside {least}..{most}.")
    return array.astype(dtype, copy=False)


def real_numbers(
    name: str,
    values: Any,
    *,
    shape: tuple[int, ...] | None = None,
    dtype: Any = np.float64,
    infinite: bool = False,
    nan: bool = False,
    error: ErrorType = OptionError,
) -> Array:
    """Return real numbers as an array of floats.

    Args:
        name: name of the argument for messages.
        values: numbers in any shape, or in `shape`.
        shape: required shape; None for any.
        dtype: floating type of the result.
        infinite: whether infinity is allowed.
        nan: whether all floats are allowed, NaN included, because the caller checks them with a better message.
        error: type of the error.

    Raises:
        NetgraphError: of the type `error`, for another shape, and naming the first value that is not allowed.
    """
    array = _array(name, values, error)
    if array.dtype.kind == "O":
        flat = [
            number(_at(name, array, i), value, infinite=infinite, error=error) for i, value in enumerate(array.flat)
        ]
        array = np.array(flat, dtype=np.float64).reshape(array.shape)
    if array.dtype.kind not in "iuf" and array.size:
        raise error(f"{name} is an array of {array.dtype}, not of numbers; give numbers.")
    if shape is not None and array.shape != shape:
        raise error(f"{name} has shape {array.shape}, expected {shape}.")
    with np.errstate(over="ignore"):
        floats = array.astype(dtype, copy=False)
    wrong = np.isnan(floats) if infinite else ~np.isfinite(floats)
    if wrong.any() and not nan:
        bad = _first(wrong)
        reason = "not finite" if not np.isfinite(array.flat[bad]) else f"too large for {np.dtype(dtype)}"
        raise error(f"{_at(name, array, bad)}={array.flat[bad]!s} is {reason}; give finite numbers.")
    return floats


def truth_values(name: str, values: Any, *, error: ErrorType = OptionError) -> Array:
    """Return truth values as an array of booleans; numbers are refused."""
    array = _array(name, values, error)
    if array.dtype.kind != "b" and array.size:
        raise error(f"{name} is an array of {array.dtype}, not of booleans; give True and False.")
    return array.astype(np.bool_, copy=False)


def mask(name: str, values: Any, rows: int, *, of: str = "edge", error: ErrorType = OptionError) -> Array:
    """Return a mask, `(rows,)` booleans. Row numbers are refused, because as a mask they would choose other rows.

    `of` is the word for one row in the message.
    """
    array = truth_values(name, values, error=error)
    if array.shape != (rows,):
        raise error(f"{name} has shape {array.shape}; give ({rows},) booleans, one per {of}.")
    return array


# -- words -------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Convert a number of NumPy or of a tensor to one of Python."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _shown(value: Any) -> str:
    """Format a value for a message; Python refuses to write out whole numbers of thousands of digits."""
    large = isinstance(value, int) and abs(value) > _LARGEST_SHOWN
    return f"a whole number of {value.bit_length():,} bits" if large else repr(value)


def _nearest(value: Any) -> str:
    """Remedy for a value that is no whole number: the whole numbers around a float, else an example."""
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        return "; give one, such as 1"
    low, high = math.floor(value), math.ceil(value)
    return f"; give {low}" if low == high else f"; give {low} or {high}"


def _between(least: float, most: float, above: float) -> str:
    """Describe limits in words that follow "a number"; '' without limits."""
    low = f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
    return (
        f" from {least:g} to {most:g}"
        if least > -math.inf and most < math.inf
        else (low + (f"{' and' if low else ''} of at most {most:g}" if most < math.inf else ""))
    )


def _array(name: str, values: Any, error: ErrorType) -> Array:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        raise error(f"{name} is no array; give numbers in rows of one length.") from None
    if isinstance(values, list | tuple) and array.dtype.kind in "iuf":  # NumPy converts truth values, too
        for i, value in enumerate(np.asarray(values, dtype=object).flat):
            if isinstance(value, bool | np.bool_):
                raise error(f"{_at(name, array, i)}={value!r} is a truth value among numbers; give a number.")
    return array


def _first(mask: Array) -> int:
    return int(np.argmax(mask.ravel()))


def _at(name: str, array: Array, position: int) -> str:
    """Name of one value of an array, such as `ids[2, 0]`."""
    if not array.ndim:
        return name
    return f"{name}[{', '.join(str(int(i)) for i in np.unravel_index(position, array.shape))}]"
