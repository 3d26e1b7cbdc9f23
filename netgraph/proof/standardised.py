"""Layers under layer norm or RMS norm, recognised as a whole: equal forms in equal proportions have equal values.

Such a norm divides by a mean over the vertices of the layer, so only the shares of the forms count, not the number of
vertices: `x_i / sqrt(sum x^2 / n + epsilon) = sqrt(n) x_i / sqrt(sum x^2 + n epsilon)`. Copies of all vertices, and
vertices that are always 0 under RMS norm, change `n` alone, which scale and epsilon can make up for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import NormChange, get_norm
from netgraph.graph.bounds import norm_setting, widen
from netgraph.proof.exact_sums import two_product
from netgraph.proof.forms import Rows, Terms, collect, joined
from netgraph.proof.known import alike, hashes, operation, parameters

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.recognise import Recognition

FARTHEST = 0.5
"""Largest relative difference of the epsilons, made comparable, for which values are compared."""


def standardise(decision: Recognition) -> None:
    """Decide the vertices of a layer under a norm whose old layer standardises the same forms in the same proportions.

    A vertex then has the value of an old one, or without an activation a multiple of it plus a constant. Where forms
    differ by small remainders, as by rounding, the value has an error: the norm is a Lipschitz map.
    """
    layer, walk = decision.layer, decision.walk
    old = walk.old.layers_by_id.get(layer.id)
    if old is None or not _comparable(old, layer) or len(decision.sums.rows) < len(layer):
        return
    if (labels := _Labels.of(decision, old)) is None:
        return
    ratio, room = labels.ratio, labels.room
    first, error = walk.old.vertices.offset(old.id), _error(layer, labels)
    if not np.isfinite(error).all():
        return
    open_ = decision.open.copy()
    if ratio == 1 and room == 0:
        row = _equal_rows((labels.mine, parameters(layer)), (labels.theirs, parameters(old)))
        which = np.flatnonzero(row >= 0)
        decision.symbol[which] = first + row[which]
        decision.close(which, "known")
    if layer.activation == old.activation == "identity":
        _rescale(decision, old, labels, ratio, room)
    decided = np.flatnonzero(open_ & ~decision.open)
    steepest = _steepest(decision)[decided]
    decision.add_error(decided, -steepest * error[decided], steepest * error[decided], labels.soft[decided])


def _comparable(old: Layer, new: Layer) -> bool:
    one, two = (operation(x)._replace(epsilon=None) for x in (old, new))
    return one == two and new.merge is None and new.pool is None and get_norm(new.norm).standard != ""


@dataclass(frozen=True, eq=False)
class _Labels:
    """Labels of forms: vertices of one label have one form, but for the remainders of new vertices.

    Attributes:
        mine, theirs: label of every vertex of the new and of the old layer.
        zero: label of the form 0 under a norm that does not centre, else -1.
        ratio, room: square of the factor from an old standardised value to the new one, and a bound of the factor's
            relative error; see `_stretch`.
        far: bound of the remainder of every new vertex.
        soft: whether the remainders are all due to rounding, `(vertices,)` with equal entries.
    """

    mine: Array
    theirs: Array
    zero: int
    ratio: Fraction
    room: float
    far: Array
    soft: Array

    @classmethod
    def of(cls, decision: Recognition, old: Layer) -> _Labels | None:
        """Label the forms of a layer; None where they occur in other proportions, or old ones of one label differ."""
        walk, n, size = decision.walk, len(old), len(decision.layer)
        stored = walk.index.forms(old)
        for forms in (decision.form, stored):
            walk.normal.search(forms)
        both = joined([walk.normal.of(stored), walk.normal.of(decision.form)])
        label = alike(decision.layer, both, np.sign(hashes(both)[0])[:, None], multiples=False)
        zero = np.flatnonzero(both.empty)
        counts = get_norm(decision.layer.norm).standard == "uncentred" and len(zero)
        found = int(label[zero[0]]) if counts else -1
        if (stretch := _stretch(decision.layer, old, (label[n:], label[:n], found))) is None:
            return None
        left = _difference(both, np.arange(len(both)), label, walk.epsilon, walk.space.columns)
        if not left.empty[:n].all():
            return None
        rest = left.take(np.arange(n, len(both)))
        low, high = walk.space.bounds(rest)
        low, high = widen(low + decision.sum_low, high + decision.sum_high)
        soft = bool((rest.only_rounding() & decision.sum_soft).all())
        far = np.maximum(np.abs(low), np.abs(high))
        return cls(label[n:], label[:n], found, *stretch, far, np.full(size, soft))


def _error(layer: Layer, labels: _Labels) -> Array:
    """Bound of the change of every value behind the norm by the remainders of the sums, `(vertices,)`."""
    if not labels.far.any():
        return np.zeros(len(layer))
    n, kept = len(layer), np.ones(len(layer), dtype=bool)
    wide = np.full(n, np.inf)
    setting = norm_setting(layer, "eval")
    change = NormChange(-labels.far, labels.far, -wide, wide, setting, setting, kept, whole=True)
    return np.asarray(get_norm(layer.norm).change(change)[1])


def _steepest(decision: Recognition) -> Array:
    """Lipschitz constant of the activation, `(vertices,)`."""
    wide = np.full(len(decision.layer), np.inf)
    least, most = decision.activation.slopes(-wide, wide, decision.columns, decision.layer.slope)
    return np.maximum(np.abs(least), np.abs(most))


def _difference(forms: Rows, rows: Array, models: Array, epsilon: float, columns: int) -> Rows:
    terms = [forms.take(rows).terms(), forms.take(models).terms(-1.0)]
    return collect(len(rows), Terms.join(terms), epsilon, columns)


def _stretch(new: Layer, old: Layer, labels: tuple[Array, Array, int]) -> tuple[Fraction, float] | None:
    """Square of the factor from an old standardised value to the new one, and a bound of the factor's relative error.

    None where the forms do not occur in the same proportions. Forms with the label `zero` count nowhere.
    """
    mine, theirs, zero = labels
    size = int(max(mine.max(), theirs.max())) + 1
    counts = [np.bincount(label[label != zero], minlength=size) for label in (mine, theirs)]
    used = [int(count.sum()) for count in counts]
    if 0 in used or (counts[0] * used[1] != counts[1] * used[0]).any():
        return None
    ratio = Fraction(len(mine) * used[1], len(theirs) * used[0])
    apart = abs(ratio * Fraction(new.norm_epsilon) / Fraction(old.norm_epsilon) - 1)
    return None if apart > FARTHEST else (ratio, float(apart) * (1 + 1e-9))


def _equal_rows(mine: tuple[Array, Array], theirs: tuple[Array, Array]) -> Array:
    """First old row of the same label and the same parameters as each new row, -1 for none."""
    table = np.concatenate([np.column_stack(part) for part in (theirs, mine)])
    _, first, place = np.unique(table, axis=0, return_index=True, return_inverse=True)
    row = first[place.ravel()][len(theirs[0]) :]
    return np.where(row < len(theirs[0]), row, -1)


def _rescale(decision: Recognition, old: Layer, labels: _Labels, ratio: Fraction, room: float) -> None:
    """Decide vertices as `factor * (old value - old shift) + shift`, of the old vertex of the same form."""
    mine, theirs = labels.mine, labels.theirs
    walk, open_ = decision.walk, np.flatnonzero(decision.open)
    scale, old_scale = (_column(x, "scale") for x in (decision.layer, old))
    shift, old_shift = (_column(x, "shift") for x in (decision.layer, old))
    best = np.full(int(max(mine.max(), theirs.max())) + 1, -1, dtype=np.int64)
    order = np.argsort(np.abs(old_scale), kind="stable")
    best[theirs[order]] = order  # the last one, of the largest scale, stays
    partner = best[mine[open_]]
    nothing = (scale[open_] == 0) | (mine[open_] == labels.zero)
    fits = nothing | ((partner >= 0) & (old_scale[partner] != 0))
    which, partner, nothing = open_[fits], partner[fits], nothing[fits]
    root = math.sqrt(ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(nothing, 0.0, scale[which] * root / old_scale[partner])
    high, low, missing = two_product(factor, old_scale[partner])
    exact = (ratio == 1) & (high == scale[which]) & (low == 0) & (missing == 0)
    error = np.abs(factor) * (room + np.where(exact, 0.0, 2.0**-49)) * (1 + 1e-12)
    some = np.flatnonzero(~nothing)
    one = np.full(len(which), walk.space.one)
    symbol = walk.old.vertices.offset(old.id) + partner
    decision.terms += [
        Terms.of(which[some], symbol[some], factor[some], error[some]),
        Terms.product(which[some], one[some], -old_shift[partner[some]], factor[some], error[some]),
        Terms.of(which, one, shift[which]),
    ]
    decision.close(which, "known")


def _column(layer: Layer, name: str) -> Array:
    """Column of a norm as float64, 0 where the norm has none of this name."""
    values = layer.values.get(name)
    return np.zeros(len(layer)) if values is None else values.astype(np.float64)
