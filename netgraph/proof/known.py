"""Known values: which vertices compute which function of which form, found by a hash and checked by subtraction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import get_activation, get_norm
from netgraph.proof.forms import Rows, Terms, scaled_terms

if TYPE_CHECKING:
    from netgraph.graph import Layer

WINDOW = 1e-6
"""Relative distance of hashes within which two forms are compared entry by entry."""

SMALL = 1e-5
"""Coefficients below this part of the largest are left out of the hash of a form."""

TRIES = 4

Operation = tuple[object, ...]
"""What a layer does to the sum that arrives, but for the vertices' own parameters."""


def operation(layer: Layer) -> Operation:
    """The attributes on which the value of a vertex depends."""
    slope = layer.slope if get_activation(layer.activation).uses_slope else None
    epsilon = None if get_norm(layer.norm).identity else layer.norm_epsilon
    return (layer.activation, slope, layer.norm, epsilon, layer.pool, layer.grid)


def parameters(layer: Layer) -> Array:
    """(vertices, columns) norm and activation parameters, in the order of their names."""
    names = sorted(set(layer.values) - {"bias", "low", "high"})
    columns = [np.asarray(layer.values[name], dtype=np.float64) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((len(layer), 0))


@dataclass(frozen=True, eq=False)
class KnownVertices:
    """Known vertices with one operation: their forms, parameters, symbols, and hashes of the forms and parameters."""

    forms: Rows
    parameters: Array
    symbol: Array
    first: Array
    second: Array
    salt: Array
    layer_salt: Array

    @classmethod
    def of(cls, forms: Rows, own: Array, symbol: Array, layer: Array) -> KnownVertices:
        """Hash forms, parameters and the ids of layers. O(entries)."""
        return cls(forms, own, symbol, *hashes(forms), salts(own), salts(layer[:, None]))

    def rewritten(self, forms: Rows) -> KnownVertices:
        """The same vertices with their forms in another notation."""
        return replace(self, forms=forms, **dict(zip(("first", "second"), hashes(forms), strict=True)))


def hashes(forms: Rows) -> tuple[Array, Array]:
    """Two sums of coefficients, each times a fixed pseudo-random number of its column: O(entries).

    Coefficients that are small beside the largest of their form play no part, so that they hide no likeness.
    """
    size = np.abs(forms.value)
    largest = np.zeros(len(forms))
    some = np.flatnonzero(forms.counts)
    if len(some):
        largest[some] = np.maximum.reduceat(size, forms.start[:-1][some])
    value = np.where(size >= SMALL * largest[forms.row], forms.value, 0.0)
    return forms.sums(value * _random(forms.column, 1)), forms.sums(value * _random(forms.column, 2))


def salts(own: Array) -> Array:
    """A number in [1, 2) per row: (rows, columns) -> (rows,). Hashes times it tell rows apart."""
    total = np.zeros(len(own))
    for number, column in enumerate(own.T):
        total += _random((column.astype(np.float64) + 0.0).view(np.uint64), number)  # adding 0 turns -0 into 0
    return 1 + total % 1


def _random(columns: Array, seed: int) -> Array:
    """A number in [0.5, 1.5) per column (splitmix64)."""
    with np.errstate(over="ignore"):
        x = columns.astype(np.uint64) * np.uint64(2) + np.uint64(seed)
        x = (x + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return 0.5 + (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs that may be one value: rows of the asked forms, block and row there, and the factor between the forms."""

    asked: Array
    block: Array
    row: Array
    factor: Array


class KnownValues:
    """Blocks of known vertices by operation."""

    def __init__(self) -> None:
        self._blocks: dict[Operation, list[KnownVertices]] = {}

    def add(self, what: Operation, block: KnownVertices) -> None:
        """Remember vertices."""
        self._blocks.setdefault(what, []).append(block)

    def rewritten(self, normal: Callable[[Rows], Rows]) -> KnownValues:
        """The same vertices with their forms in another notation."""
        result = KnownValues()
        for what, blocks in self._blocks.items():
            result._blocks[what] = [b.rewritten(normal(b.forms)) for b in blocks]
        return result

    def blocks(self, what: Operation) -> list[KnownVertices]:
        """Everything known under an operation."""
        return self._blocks.get(what, [])

    def candidates(self, what: Operation, layer: Layer, forms: Rows, own: Array) -> list[Candidates]:
        """Known vertices of the same parameters whose form may be a multiple of each given one, nearest hashes first.

        The factor is any number for activations with f(k x) = k f(x), k > 0; 1 or -1 where f(-x) follows from f(x);
        and 1 under a norm or a pool. O((known + asked) log known).
        """
        blocks = self.blocks(what)
        if not blocks or not len(forms):
            return []
        first = np.concatenate([b.first for b in blocks])
        second = np.concatenate([b.second for b in blocks])
        block = np.repeat(np.arange(len(blocks)), [len(b.first) for b in blocks])
        row = np.concatenate([np.arange(len(b.first)) for b in blocks])
        own_first, own_second = hashes(forms)
        salt, own_salt = np.concatenate([b.salt for b in blocks]), salts(own)
        layer_salt, same_layer = np.concatenate([b.layer_salt for b in blocks]), salts(np.array([[layer.id]]))
        first, own_first = (np.where(h == 0, 1.0, h) * s for h, s in ((first, salt), (own_first, own_salt)))
        # Equal ones of the same layer, as copies are; then those that are equal, or opposite; and then any multiples.
        keys = [(first * layer_salt, own_first * same_layer), (np.abs(first), np.abs(own_first))]
        if scales(layer):
            with np.errstate(divide="ignore", invalid="ignore"):
                keys.append((second / first * salt**2, own_second / own_first * own_salt**2))
        found = []
        for key, own_key in keys:
            for asked, known in _neighbours(key, own_key):
                factor, allowed = snap(layer, own_first[asked] / first[known])
                found.append(Candidates(asked[allowed], block[known[allowed]], row[known[allowed]], factor[allowed]))
        return found


def _neighbours(key: Array, own: Array) -> Iterator[tuple[Array, Array]]:
    """Rows of `own` and rows of `key` close to them, at most `TRIES` for each, one neighbour after the other."""
    usable = np.flatnonzero(np.isfinite(key))
    if not len(usable):
        return
    order = usable[np.argsort(key[usable], kind="stable")]
    place = np.searchsorted(key[order], own)
    for step in range(-(TRIES // 2), TRIES - TRIES // 2):
        at = np.clip(place + step, 0, len(order) - 1)
        with np.errstate(invalid="ignore"):
            near = np.abs(key[order[at]] - own) <= WINDOW * np.abs(own)
        asked = np.flatnonzero(near & (at == place + step))
        yield asked, order[at[asked]]


def quotient(one: Array, two: Array) -> Array:
    """One / two, and 1 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((one == 0) & (two == 0), 1.0, one / two)


def _plain(layer: Layer) -> bool:
    """Whether the activation sees the sums, and readers see what it makes of them."""
    return get_norm(layer.norm).identity and layer.pool is None


def scales(layer: Layer) -> bool:
    """Whether f(k x) = k f(x) for every k > 0, for the whole operation of a layer."""
    return get_activation(layer.activation).homogeneous and _plain(layer)


def snap(layer: Layer, factor: Array) -> tuple[Array, Array]:
    """Factors that the activation allows, and for which rows there is one."""
    if not _plain(layer):
        return np.ones(len(factor)), np.abs(factor - 1) <= 10 * WINDOW
    if scales(layer):
        return factor, np.isfinite(factor) & (factor != 0)
    sign = np.sign(factor)
    return sign, np.abs(factor - sign) <= 10 * WINDOW


def alike(layer: Layer, forms: Rows, own: Array, *, multiples: bool) -> Array:
    """Sort vertices of one operation into sets whose forms are alike, as far as hashes tell: equal or opposite.

    Args:
        layer: a layer with the operation.
        forms: the forms.
        own: (rows, columns) parameters of the vertices, which must agree.
        multiples: whether any multiple is alike, where the operation allows that.

    Returns:
        (rows,) the first row of each row's set. O(rows log rows).
    """
    first, second = hashes(forms)
    free = multiples and scales(layer)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = second / first if free else np.abs(first)
    ratio = np.where(np.isfinite(ratio), ratio, np.where(forms.empty, 0.0, np.inf))
    order = np.lexsort((ratio, *own.T))
    ratio, own = ratio[order], own[order]
    with np.errstate(invalid="ignore"):
        near = np.abs(ratio[1:] - ratio[:-1]) <= WINDOW * np.abs(ratio[:-1])
    near &= (own[1:] == own[:-1]).all(axis=1)
    start = np.flatnonzero(np.concatenate([[True], ~near]))
    least = np.minimum.reduceat(order, start)
    result = np.empty(len(order), dtype=np.int64)
    result[order] = np.repeat(least, np.diff(start, append=len(order)))
    return result


def factors(layer: Layer, asked: Rows, known: Rows) -> tuple[Array, Array]:
    """What each form would have to be multiplied with to give the asked one, and where the activation allows that."""
    factor, allowed = snap(layer, quotient(hashes(asked)[0], hashes(known)[0]))
    return exact_factor(asked, known, np.where(allowed, factor, 1.0)), allowed


def exact_factor(asked: Rows, known: Rows, factor: Array) -> Array:
    """The factor between two forms, read off the largest coefficient of the known one; 1 and -1 stay."""
    unit = np.abs(factor) == 1
    if unit.all():
        return factor
    row = known.row
    order = np.lexsort((-np.abs(known.value), row))
    some = np.flatnonzero(known.counts)
    largest = order[known.start[:-1][some]]
    key = int(max(asked.column.max(initial=0), known.column.max(initial=0))) + 1
    have = asked.row * key + asked.column
    want = some * key + known.column[largest]
    place = np.minimum(np.searchsorted(have, want), max(len(have) - 1, 0))
    hit = (have[place] == want) & ~unit[some] if len(have) else np.zeros(len(some), dtype=bool)
    result = factor.copy()
    result[some[hit]] = asked.value[place[hit]] / known.value[largest[hit]]
    return result


def multiples_of(
    layer: Layer, columns: Mapping[str, Array], symbol: Array, factor: Array, form: Rows, into: Array, one: int
) -> Terms:
    """The value f(t) where t is `factor` times the form of a known value f(u), as terms over that value.

    For a positive factor k, f(k u) = k f(u). For a negative one f(-v) = a f(v) + b v + c adds the form itself.

    Args:
        layer: a layer with the operation.
        columns: (rows,) activation parameters by name.
        symbol: (rows,) the known values.
        factor: (rows,) as `snap` allows them.
        form: t, row by row.
        into: (rows,) the row that each becomes.
        one: the symbol of the constant 1.
    """
    straight, turned = np.flatnonzero(factor > 0), np.flatnonzero(factor < 0)
    terms = [Terms.of(into[straight], symbol[straight], factor[straight])]
    if len(turned):
        mirror = get_activation(layer.activation).mirror
        assert mirror is not None
        own = {name: values[turned] for name, values in columns.items()}
        a, b, c, error = (np.broadcast_to(x, (len(turned),)) for x in mirror(own, layer.slope))
        rows = into[turned]
        terms.append(Terms.product(rows, symbol[turned], a, np.abs(factor[turned])))
        terms.append(scaled_terms(form.take(turned), -b, error, rows))
        terms.append(Terms.of(rows, np.full(len(rows), one), c.astype(np.float64)))
    return Terms.join(terms)


def mirrors(layer: Layer) -> bool:
    """Whether f(-t) follows from f(t)."""
    return get_activation(layer.activation).mirror is not None and _plain(layer)
