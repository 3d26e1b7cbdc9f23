"""Check of the record of a norm against its own function, on a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from netgraph.columns import Array
from netgraph.graph.norms.record import Mode, Norm, NormChange, NormSetting

EPSILON = 1e-5
NEAR = 1e-9
"""Relative distance of numbers that are equal up to rounding."""

RESTORED = 1e-3
"""Relative distance of numbers that are equal up to the effect of `epsilon`."""

SAMPLES, WIDTH = 4, 3
MODES: tuple[Mode, ...] = ("eval", "train")
GRIDS = ((), (2, 3))


def contradiction(norm: Norm) -> str:
    """Describe the first disagreement of the record with its function, with the remedy; '' when there is none."""
    with np.errstate(all="ignore"):
        for grid in GRIDS:
            for columns in _columns(norm):
                trial = _NormTrial(norm, columns, grid)
                for check in CHECKS:
                    if reason := check(trial):
                        return f"{reason} (Tried on sums of shape {trial.z.shape}.)"
    return ""


def _columns(norm: Norm) -> Iterator[dict[str, Array]]:
    """Yield columns of the norm, `(vertices,)` each: at their starting values, then at other values."""
    steps = np.array([0.5, 0.25, 1.0])
    yield {name: np.full(WIDTH, start) for name, start in norm.columns.items()}
    yield {name: start + steps for name, start in norm.columns.items()}


class _NormTrial:
    """A norm with sums of a small layer, `(batch, vertices, *grid)`, and columns, on which checks evaluate it."""

    def __init__(self, norm: Norm, columns: dict[str, Array], grid: tuple[int, ...]) -> None:
        self.norm, self.columns, self.grid = norm, columns, grid
        rng = np.random.default_rng(0)
        self.z = rng.normal(size=(SAMPLES, WIDTH, *grid)) * 2 + 0.5
        self.step = rng.normal(size=self.z.shape) * 0.125

    def value(self, z: Array, *, train: bool, vertices: Array | slice = slice(None)) -> Array:
        """Evaluate the function of the norm, with the columns of the chosen vertices."""
        shape = (-1, *(1,) * len(self.grid))
        columns = {name: values[vertices].reshape(shape) for name, values in self.columns.items()}
        return np.asarray(self.norm.function(z.copy(), columns, EPSILON, train))

    def setting(self, mode: Mode) -> NormSetting:
        """Make the setting of all vertices for a batch of unknown size."""
        return NormSetting(self.columns, EPSILON, WIDTH, mode)

    def ends(self, values: Array) -> tuple[Array, Array]:
        """Least and largest value of each vertex, `(vertices,)` each."""
        by_vertex = np.moveaxis(values, 1, 0).reshape(WIDTH, -1)
        return by_vertex.min(axis=1), by_vertex.max(axis=1)


def _shape(t: _NormTrial) -> str:
    for train in (False, True):
        found = t.value(t.z, train=train)
        if found.shape != t.z.shape or not np.isfinite(found).all():
            return f"function gives an array of shape {found.shape}, or NaN; it gives a finite value for every sum."
    return ""


def _identity(t: _NormTrial) -> str:
    if t.norm.identity and (t.norm.columns or not np.array_equal(t.value(t.z, train=True), t.z)):
        return "it says identity=True, but has columns, or changes the sums; leave identity out."
    return ""


def _samples(t: _NormTrial) -> str:
    alone = np.concatenate([t.value(t.z[i : i + 1], train=False) for i in range(SAMPLES)])
    if not _near(alone, t.value(t.z, train=False)):
        return "in eval mode the value of a sample depends on the others of its batch; take running statistics there."
    if not t.norm.couples_samples and not _near(t.value(t.z, train=True), t.value(t.z, train=False)):
        return "its values differ between train and eval mode; say couples_samples=True."
    return ""


def _vertices(t: _NormTrial) -> str:
    for train in (False, True):
        every = t.value(t.z, train=train)
        if t.norm.couples_vertices:
            turned = np.arange(WIDTH)[::-1]
            if not _near(t.value(t.z[:, turned], train=train, vertices=turned), every[:, turned]):
                return "the value of a vertex depends on its row in the layer, which a rewrite may change."
            continue
        alone = [t.value(t.z[:, i : i + 1], train=train, vertices=slice(i, i + 1)) for i in range(WIDTH)]
        if not _near(np.concatenate(alone, axis=1), every):
            return "the value of a vertex depends on others of its layer, or on its row; say couples_vertices=True."
    return ""


def _centres(t: _NormTrial) -> str:
    if t.norm.centres and not _near(t.value(t.z + 3.0, train=True), t.value(t.z, train=True)):
        return "it says centres=True, but a constant that is added to all sums changes its values; leave centres out."
    return ""


def _interval(t: _NormTrial) -> str:
    for mode in MODES:
        bounds = t.norm.interval(*t.ends(t.z), t.setting(mode))
        if not _within(t.ends(t.value(t.z, train=mode == "train")), bounds):
            return f"in {mode} mode its values leave the interval; bounds are wide enough for all sums."
        infinite = np.full(WIDTH, np.inf)
        if np.isnan(t.norm.interval(-infinite, infinite, t.setting(mode))).any():
            return "interval gives NaN for sums without bounds; an end of which nothing is known is infinite."
    return ""


def _change(t: _NormTrial) -> str:
    """Check `change` in eval mode, for changes of the sums and of the columns."""
    moved = _NormTrial(t.norm, {name: values + 0.125 for name, values in t.columns.items()}, t.grid)
    for after in (t, moved):
        kept = np.full(WIDTH, after is t or not t.columns)
        change = NormChange(
            *t.ends(t.step), *t.ends(t.z), t.setting("eval"), after.setting("eval"), kept=kept, whole=True
        )
        found = after.value(t.z + t.step, train=False) - t.value(t.z, train=False)
        if not _within(t.ends(found), t.norm.change(change)):
            return "its values move by more than change says; bounds are wide enough for all sums."
    return ""


def _rest(t: _NormTrial) -> str:
    for mode in MODES:
        error = t.norm.rounding(*t.ends(t.z), np.full(WIDTH, NEAR), t.setting(mode))
        if np.shape(error) != (WIDTH,) or not (np.asarray(error) >= 0).all():
            return "rounding gives no (k,) numbers of at least 0."
    if t.norm.factor is not None and np.shape(t.norm.factor(t.columns, EPSILON)) != (WIDTH,):
        return "factor gives no (k,) numbers, one for each vertex."
    return ""


def _formulas(t: _NormTrial) -> str:
    """Check the formulas that proofs compute with, in eval mode."""
    shape, found = (-1, *(1,) * len(t.grid)), t.value(t.z, train=False)
    if t.norm.affine is not None:
        factor, _, centre, shift = (np.reshape(part, shape) for part in t.norm.affine(t.columns, EPSILON))
        if not _near(factor * (t.z - centre) + shift, found):
            return "in eval mode its values are not factor * (z - centre) + shift, as affine says; leave affine out."
    if t.norm.standard:
        scale, shift = (np.reshape(t.columns.get(n, np.zeros(WIDTH)), shape) for n in ("scale", "shift"))
        z = t.z - t.z.mean(axis=1, keepdims=True) if t.norm.standard == "centred" else t.z
        given = scale * z / np.sqrt(np.square(z).mean(axis=1, keepdims=True) + EPSILON) + shift
        if not _near(given, found):
            return f"its values have not the formula of standard={t.norm.standard!r}; leave standard out."
    return ""


def _restoring(t: _NormTrial) -> str:
    if t.norm.restoring is None:
        return ""
    z = t.z[:, :1]
    given = t.norm.restoring(z.ravel())
    if stray := sorted(given.keys() - t.norm.columns.keys()):
        return f"restoring gives values for {stray}, which are no columns of it."
    start = {name: np.full(1, given.get(name, value)) for name, value in t.norm.columns.items()}
    alone = _NormTrial(t.norm, start, t.grid)
    if not np.allclose(alone.value(z, train=True), z, rtol=RESTORED, atol=RESTORED):
        return "with the columns of restoring it does not hand sums on as they are; leave restoring out."
    return ""


CHECKS: tuple[Callable[[_NormTrial], str], ...] = (
    _shape, _identity, _samples, _vertices, _centres, _interval, _change, _rest, _formulas, _restoring,
)  # fmt: skip


def _near(one: Array, two: Array) -> bool:
    return bool(np.allclose(one, two, rtol=NEAR, atol=NEAR))


def _within(values: tuple[Array, Array], bounds: tuple[Array, Array]) -> bool:
    (least, most), (low, high) = values, bounds
    room = NEAR * (1 + np.maximum(np.abs(least), np.abs(most)))
    return bool((low <= least + room).all() and (high >= most - room).all())
