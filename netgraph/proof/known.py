"""Known values: vertices by operation, parameters and form. Equal ones are found by hash, checked by subtraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.graph import get_activation, get_norm
from netgraph.proof.forms import Rows, Terms, scaled_terms
from netgraph.proof.keys import KEYS, WINDOW, Keys, keys_of

if TYPE_CHECKING:
    from netgraph.graph import Grid, Layer, Merge, Pool

SMALL = 1e-5
"""Coefficients below this fraction of the largest one of a form are left out of its hash."""


class LayerOperation(NamedTuple):
    """Function of a layer from form to output, without the parameters of single vertices.

    Attributes:
        merge: the core of the merge; None where the form is a sum. The forms contain its other settings.
        slope, epsilon: None where they are not used.
        activation, norm, pool, grid: attributes of the layer.
    """

    merge: Merge | None
    activation: str
    slope: float | None
    norm: str
    epsilon: float | None
    pool: Pool | None
    grid: Grid


def operation(layer: Layer) -> LayerOperation:
    """Return the operation of a layer."""
    slope = layer.slope if get_activation(layer.activation).uses_slope else None
    epsilon = None if get_norm(layer.norm).identity else layer.norm_epsilon
    merge = None if layer.merge is None else layer.merge.core
    return LayerOperation(merge, layer.activation, slope, layer.norm, epsilon, layer.pool, layer.grid)


def parameters(layer: Layer) -> Array:
    """Norm and activation parameters of every vertex, in the order of their names, `(vertices, columns)`."""
    names = sorted(set(layer.values) - {"bias", "low", "high"})
    columns = [np.asarray(layer.values[name], dtype=np.float64) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((len(layer), 0))


@dataclass(frozen=True, eq=False)
class KnownVertices:
    """Known vertices with one operation.

    Attributes:
        forms: the sum of each vertex, as an affine form.
        parameters: (vertices, columns) norm and activation parameters.
        symbol: (vertices,) symbol of the value of each vertex.
        first, second: (vertices,) hashes of the forms.
        salt: (vertices,) hash of the parameters.
        layer_salt: (vertices,) hash of the layer id.
    """

    forms: Rows
    parameters: Array
    symbol: Array
    first: Array
    second: Array
    salt: Array
    layer_salt: Array

    @classmethod
    def of(cls, forms: Rows, own: Array, symbol: Array, layer: Array) -> KnownVertices:
        """Build a block of known vertices from forms, parameters, symbols and layer ids, and hash them. O(entries)."""
        return cls(forms, own, symbol, *hashes(forms), salts(own), salts(layer[:, None]))

    def rewritten(self, forms: Rows) -> KnownVertices:
        """Return the vertices with `forms`, equal to their own, such as the normal forms, and with their hashes."""
        if forms is self.forms:
            return self
        return replace(self, forms=forms, **dict(zip(("first", "second"), hashes(forms), strict=True)))


def hashes(forms: Rows) -> tuple[Array, Array]:
    """Hash every form twice, as the sum of its coefficients times fixed pseudo-random numbers of the columns.

    Coefficients below `SMALL` times the largest of their form are left out, so that forms which agree up to such terms
    have equal hashes. The hash of `k * form` is k times the hash of the form. Costs O(entries).

    Returns:
        Two arrays, (rows,) each.
    """
    size = np.abs(forms.value)
    largest = np.zeros(len(forms))
    some = np.flatnonzero(forms.counts)
    if len(some):
        largest[some] = np.maximum.reduceat(size, forms.start[:-1][some])
    value = np.where(size >= SMALL * largest[forms.row], forms.value, 0.0)
    return forms.sums(value * _random(forms.column, 1)), forms.sums(value * _random(forms.column, 2))


def salts(own: Array) -> Array:
    """Hash every row of parameters to a number in [1, 2): `(rows, columns)` -> `(rows,)`.

    A hash of a form times this number depends on the parameters as well.
    """
    total = np.zeros(len(own))
    for number, column in enumerate(own.T):
        total += _random((column.astype(np.float64) + 0.0).view(np.uint64), number)  # adding 0 turns -0 into 0
    return 1 + total % 1


def _random(columns: Array, seed: int) -> Array:
    """Pseudo-random number in [0.5, 1.5) of every column number (splitmix64)."""
    with np.errstate(over="ignore"):
        x = columns.astype(np.uint64) * np.uint64(2) + np.uint64(seed)
        x = (x + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return 0.5 + (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of an asked form and a known vertex that may have the same value, up to a factor.

    Attributes:
        asked: (pairs,) rows of the asked forms.
        block, row: (pairs,) number of the block of the known vertex, and its row in the block.
        factor: (pairs,) ratio of the asked form to the known one.
    """

    asked: Array
    block: Array
    row: Array
    factor: Array


class KnownValues:
    """Blocks of known vertices by operation."""

    def __init__(self) -> None:
        self._blocks: dict[LayerOperation, list[KnownVertices]] = {}
        self._keys: dict[LayerOperation, Keys] = {}

    def add(self, what: LayerOperation, block: KnownVertices) -> None:
        """Add a block of vertices with the operation `what`."""
        blocks = self._blocks.setdefault(what, [])
        self._keys.setdefault(what, Keys()).add(
            len(blocks), keys_of(block.first, block.second, block.salt, block.layer_salt)
        )
        blocks.append(block)

    def blocks(self, what: LayerOperation) -> list[KnownVertices]:
        """All blocks of known vertices with an operation."""
        return self._blocks.get(what, [])

    def candidates(self, what: LayerOperation, layer: Layer, forms: Rows, own: Array) -> list[Candidates]:
        """Find known vertices with the same parameters whose form may be a multiple of a given form, by hash.

        The factor is any number for activations with f(k x) = k f(x), k > 0; 1 or -1 for other activations; and 1
        under a merge, a norm or a pool. Costs O(asked log known).

        Args:
            what: the operation.
            layer: a layer with this operation.
            forms: the given forms.
            own: (rows, columns) parameters of the given forms.

        Returns:
            Lists of pairs, at most one pair per given form in each: first equal forms in `layer` itself, then equal or
            opposite forms, then multiples.
        """
        keys = self._keys.get(what)
        if keys is None or not len(forms):
            return []
        asked_keys = keys_of(*hashes(forms), salts(own), salts(np.array([[layer.id]])))
        found = []
        for name in KEYS if scales(layer) else KEYS[:-1]:
            for asked, known in keys.near(name, asked_keys[name]):
                factor, allowed = snap(layer, asked_keys["salted"][asked] / keys["salted"][known])
                asked, known = asked[allowed], known[allowed]
                found.append(Candidates(asked, keys["block"][known], keys["row"][known], factor[allowed]))
        return found


def quotient(one: Array, two: Array) -> Array:
    """`one / two`, and 1 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((one == 0) & (two == 0), 1.0, one / two)


def plain(layer: Layer) -> bool:
    """Whether a layer has neither merge, norm nor pool, so that its output is the activation of its sum."""
    return layer.merge is None and get_norm(layer.norm).identity and layer.pool is None


def scales(layer: Layer) -> bool:
    """Whether the operation f of a layer satisfies `f(k x) = k f(x)` for every `k > 0`."""
    return get_activation(layer.activation).homogeneous and plain(layer)


def snap(layer: Layer, factor: Array) -> tuple[Array, Array]:
    """Round factors to values that the operation allows: any, 1 or -1, or 1; and a mask of the rows that have one."""
    if not plain(layer):
        return np.ones(len(factor)), np.abs(factor - 1) <= 10 * WINDOW
    if scales(layer):
        return factor, np.isfinite(factor) & (factor != 0)
    sign = np.sign(factor)
    return sign, np.abs(factor - sign) <= 10 * WINDOW


def alike(layer: Layer, forms: Rows, own: Array, *, multiples: bool) -> Array:
    """Group vertices of one operation whose forms are equal or opposite, judged by their hashes.

    Args:
        layer: a layer with the operation.
        forms: the forms.
        own: (rows, columns) parameters of the vertices, equal within a group.
        multiples: whether forms that are any multiple of each other are grouped too, where the operation allows it.

    Returns:
        (rows,) first row of the group of each row. Costs O(rows log rows).
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
    """Factors with `asked = factor * known`, row by row, and a mask of the rows whose factor the operation allows."""
    factor, allowed = snap(layer, quotient(hashes(asked)[0], hashes(known)[0]))
    return exact_factor(asked, known, np.where(allowed, factor, 1.0)), allowed


def exact_factor(asked: Rows, known: Rows, factor: Array) -> Array:
    """Refine factors between forms by the ratio of coefficients, at the largest coefficient of the known form.

    Factors of 1 and -1 stay as they are.
    """
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
    """Terms of the value f(t) over a known value f(u), where t = `factor` * u.

    For a positive factor k, f(k u) = k f(u). For a negative factor, f(-v) = a f(v) + b v + c adds terms of the form t.

    Args:
        layer: a layer with the operation f.
        columns: (rows,) activation parameters by name.
        symbol: (rows,) symbols of the known values f(u).
        factor: (rows,) factors, as `snap` allows them.
        form: the forms t.
        into: (rows,) row of the terms of each value.
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
    """Whether the operation f of a layer has a mirror rule, `f(-t) = a f(t) + b t + c`."""
    return get_activation(layer.activation).mirror is not None and plain(layer)


def mirror_slope(layer: Layer, columns: Mapping[str, Array], vertices: int) -> tuple[Array, Array]:
    """Bounds of b in the mirror rule of a layer, `f(-t) = a f(t) + b t + c`, `(vertices,)` each.

    Args:
        layer: a layer with a mirror rule, see `mirrors`.
        columns: vertex columns of these vertices.
        vertices: number of vertices.
    """
    mirror = get_activation(layer.activation).mirror
    assert mirror is not None
    _, b, _, error = mirror(columns, layer.slope)
    return np.broadcast_to(b - error, (vertices,)), np.broadcast_to(b + error, (vertices,))
