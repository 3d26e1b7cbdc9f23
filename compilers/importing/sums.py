"""Layers for sums of values: wires, position tables, biases and constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compilers.importing.codes import Coded, distinct
from compilers.importing.drafts import DraftLayer, DraftLink
from compilers.importing.owners import InputTensor, ParameterTensor
from compilers.importing.positions import Move, move_between
from compilers.importing.reading import Piece, Reading, draft_of, grid_of, pieces, place, reading, restored, term_of
from compilers.importing.walk import ModuleWalk
from netgraph.columns import Array, digest
from netgraph.graph import Conv2d, Dense, Grid, Identity, Place


def layer_of(walk: ModuleWalk, read: Reading, name: str = "") -> DraftLayer:
    """Layer whose vertices are the features of a reading, in their order: an existing one, or a new one that sums.

    The terms of the value are replaced, so that later operations read this layer.
    """
    found = pieces(walk, read)
    if found is not None and len(found) == 1:
        piece = found[0]
        if len(piece.rows) == piece.draft.width and (piece.rows == np.arange(piece.draft.width)).all():
            return piece.draft
    return summed(walk, read, name)


def summed(walk: ModuleWalk, read: Reading, name: str = "", *, again: bool = False) -> DraftLayer:
    """Layer whose sums are the features of a reading: one that was made for equal sums, or a new one.

    Equal sums are read by several operations through different views of a value. With `again` a new layer is made.
    """
    key = digest(read.shape, *read.codes, *read.factors)
    if (known := walk.sums.get(key)) is not None and not again:
        settle(walk, read, known)
        return known
    target = walk.draft(read.width, grid_of(walk, read), name=name, of=read.value)
    constants = np.zeros((read.width, read.positions))
    parameters: list[tuple[Array, Array]] = []
    for codes, factors in zip(read.codes, read.factors, strict=True):
        number, row, position = place(walk, codes)
        for index in distinct(number[factors != 0]):
            owner, mine = walk.space.owner(index), (number == index) & (factors != 0)
            if owner is None:
                constants += np.where(mine, factors, 0.0)
            elif isinstance(owner, ParameterTensor):
                parameters.append((np.where(mine, codes, -1), factors))
            elif isinstance(owner, DraftLayer | InputTensor):
                _add_layer(walk, target, draft_of(owner), mine, row, position, factors)
    for codes, factors in parameters:  # last, since they are taken for good
        _add_parameter(walk, target, codes, factors)
    _add_constants(walk, target, constants)
    settle(walk, read, target)
    walk.sums[key] = target
    return target


def on_grid(walk: ModuleWalk, found: list[Piece], read: Reading, grid: Grid, name: str) -> list[Piece]:
    """Layers of the features of a reading on a grid: maps are placed on tokens, and tokens on maps."""
    if all(piece.draft.output_grid == grid for piece in found):
        return found
    made = walk.draft(read.width, grid, name=name)
    for piece in found:
        kind = Identity() if piece.draft.output_grid == grid else Place(0)
        link(made, piece.draft, kind, piece.rows, piece.at, 1.0, frozen=True)
    rows = np.arange(made.width)
    return [Piece(made, rows, rows)]


def settle(walk: ModuleWalk, read: Reading, draft: DraftLayer) -> None:
    """Replace the terms of a value that was read by the codes of a layer with its features."""
    codes = read.back(walk.codes_of(draft))
    read.value.terms = restored(walk, read.sampled, codes).terms


def result(walk: ModuleWalk, read: Reading, draft: DraftLayer) -> Coded:
    """Value of a layer with the features and positions of a reading, in the place of the value that was read."""
    return restored(walk, read.sampled, read.back(walk.codes_of(draft)))


def _add_layer(
    walk: ModuleWalk, target: DraftLayer, source: DraftLayer, mine: Array, row: Array, position: Array, factors: Array
) -> None:
    """Add the numbers of one layer to a sum; `mine` is their mask, `(features, positions)`."""
    some = np.flatnonzero(mine.any(axis=1))
    first = mine[some].argmax(axis=1)
    rows, weight = row[some, first], factors[some, first]
    if (mine[some] & ((row[some] != rows[:, None]) | (factors[some] != weight[:, None]))).any():
        walk.refuse(
            "a feature of its argument changes its source or its factor from position to position",
            "compute with the features of all positions in the same way (no pixel shuffle, no reshape across features)",
        )
    maps = np.where(mine[some], position[some], -1)
    unique, which = (maps[:1], np.zeros(len(maps), int)) if (maps == maps[:1]).all() else _groups(maps)
    for number, positions in enumerate(unique):
        at = np.flatnonzero(which == number)
        move = move_between(positions, source.output_grid, target.grid)
        if move is None:
            walk.refuse(
                f"it reads the positions of {source.name!r} in an order that no link has",
                "keep tokens and pixels in their order and pad by zeros; strides, crops and shifts are links",
            )
        _add_wires(walk, target, source, move, rows[at], some[at], weight[at])


def _groups(maps: Array) -> tuple[Array, Array]:
    unique, which = np.unique(maps, axis=0, return_inverse=True)
    return unique, which.reshape(-1)


def _add_wires(
    walk: ModuleWalk, target: DraftLayer, source: DraftLayer, move: Move, rows: Array, into: Array, weight: Array
) -> None:
    """Link rows of a layer to rows of a sum, moved; weights other than 1 become frozen edges."""
    walk.note_rounding(weight)
    if (weight == 1).all() and move.kind.wires:
        link(target, source, move.kind, rows, into, 1.0, frozen=True)
        return
    kind, tap = move
    if move.kind.places:  # a factor and a shift: one after the other
        moved = walk.draft(len(rows), target.grid, name="moved")
        link(moved, source, move.kind, rows, np.arange(len(rows)), 1.0, frozen=True)
        source, rows, kind = moved, np.arange(len(rows)), Dense()
    elif move.kind.wires:
        kind = Dense() if move.kind.pointwise else Conv2d((1, 1), move.kind.stride)
    link(target, source, kind, rows, into, weight, tap=tap, frozen=True)


def link(
    target: DraftLayer,
    source: DraftLayer,
    kind: Any,
    src: Array,
    dst: Array,
    weight: Any,
    *,
    tap: Any = 0,
    parameter: Any = -1,
    frozen: Any = False,
    port: int = 0,
) -> None:
    """Add a link to a draft; numbers stand for all edges."""
    n = len(src)

    def column(values: Any, dtype: Any) -> Array:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype), (n,)))

    target.links.append(
        DraftLink(
            source,
            kind,
            column(src, np.int64),
            column(dst, np.int64),
            column(tap, np.int64),
            column(weight, np.float64),
            column(parameter, np.int64),
            column(frozen, bool),
            port,
        )
    )


def _add_parameter(walk: ModuleWalk, target: DraftLayer, codes: Array, factors: Array) -> None:
    """Add a parameter to a sum: as biases where it is the same at all positions, else as a table over positions."""
    if (factors[codes >= 0] != 1).any():
        walk.refuse(
            "it multiplies a parameter by a constant",
            "put the factor into the parameter, or multiply the activations by it",
        )
    some = np.flatnonzero((codes >= 0).any(axis=1))
    even = (codes[some] == codes[some, :1]).all()
    taken = target.parameters.get("bias", np.full(target.width, -1))
    if even and (taken[some] < 0).all():
        bias = target.columns.setdefault("bias", np.zeros(target.width))
        bias[some] = take(walk, codes[some, 0])
        taken[some] = codes[some, 0]
        target.parameters["bias"] = taken
        return
    if (even and len(codes[0]) > 1) or not target.grid:
        walk.refuse("it adds two parameters to the same features", "add them up in one parameter")
    feature, position = np.nonzero(codes >= 0)
    used = codes[feature, position]
    table = walk.draft(math.prod(target.grid), target.grid, role="position")
    table.name = walk.space.owner(int(walk.space.locate(used[:1])[0][0])).name
    link(target, table, Dense(), position, feature, take(walk, used), parameter=used, frozen=not _trained(walk, used))


def _add_constants(walk: ModuleWalk, target: DraftLayer, constants: Array) -> None:
    """Add constants to a sum: as biases where they are the same at all positions, else as frozen edges."""
    if not constants.any():
        return
    walk.note_rounding(constants)
    if (constants == constants[:, :1]).all():
        if "bias" not in target.columns:
            target.columns["bias"] = constants[:, 0].copy()
            walk.notes.append(f"{target.name}: a constant of the module is a bias here, which training changes.")
            return
        added = walk.draft(target.width, target.grid, name="constant")
        added.columns["bias"] = constants[:, 0].copy()
        walk.notes.append(f"{added.name}: a constant of the module is a bias here, which training changes.")
        rows = np.arange(target.width)
        link(target, added, Identity(), rows, rows, 1.0, frozen=True)
        return
    feature, position = np.nonzero(constants)
    table = walk.draft(math.prod(target.grid), target.grid, name="constants", role="position")
    link(target, table, Dense(), position, feature, constants[feature, position], frozen=True)


# -- parameters -----------------------------------------------------------------------------------------


def take(walk: ModuleWalk, codes: Array) -> Array:
    """Values of the elements of parameters with some codes, each of which may be taken once.

    Raises:
        ImportRefused: where an element is used a second time.
    """
    number, _, offset = walk.space.locate(codes)
    values = np.zeros(codes.shape)
    for index in distinct(number):
        owner, mine = walk.space.owner(index), number == index
        at = offset[mine]
        before = np.count_nonzero(owner.used)
        if walk.taken is not None:
            walk.taken.append((owner, at[~owner.used[at]]))
        owner.used[at] = True
        if np.count_nonzero(owner.used) < before + len(at):
            walk.refuse(
                f"the parameter {owner.name!r} is used twice, and every edge has a weight of its own",
                "give each use a parameter of its own (no tied or shared weights)",
            )
        values[mine] = owner.values[at]
    return values


def _trained(walk: ModuleWalk, codes: Array) -> bool:
    number = walk.space.locate(codes)[0]
    return any(walk.space.owner(index).trained for index in distinct(number))


class Weights:
    """Weights of an operation, given as a tensor of constants or of parameters.

    Attributes:
        values: their values, float64.
        codes: code of the element of a parameter that each is, -1 for constants.
        exists: mask of the weights that are not masked away by a constant factor of 0.
        frozen: mask of the weights that training leaves as they are.
    """

    def __init__(self, walk: ModuleWalk, value: Any) -> None:
        if isinstance(value, Tensor):
            self.values = value.detach().to(torch.float64).numpy()
            self.codes = np.full(self.values.shape, -1)
            self.exists = self.frozen = np.broadcast_to(np.True_, self.values.shape)
            return
        if not isinstance(value, Coded):
            walk.refuse("it has no weights", "give it weights")
        if len(value.terms) > 1:
            walk.refuse(
                "its weights are a sum of parameters, or a parameter plus a constant, such as 1 + weight",
                "add them up in one parameter",
            )
        codes, factor = (part.numpy() for part in (value.terms[0].codes, value.terms[0].factor))
        number = walk.space.locate(codes)[0]
        owners = [walk.space.owner(index) for index in distinct(number[factor != 0])]
        if any(not isinstance(owner, ParameterTensor) for owner in owners):
            walk.refuse(
                "it multiplies two values that depend on the input, or on mixed parameters and constants",
                "multiply activations element by element (a gate), or by attention: softmax(q k) v",
            )
        if not np.isin(factor, (0.0, 1.0)).all():
            walk.refuse(
                "its weights are a parameter times a constant",
                "put the factor into the parameter, or multiply the activations by it",
            )
        self.exists = factor != 0
        self.codes = np.where(self.exists, codes, -1)
        self.values = np.zeros(codes.shape)
        self.values[self.exists] = take(walk, codes[self.exists])
        self.frozen = np.broadcast_to(np.bool_(not _trained(walk, codes[self.exists])), codes.shape)

    def map(self, move: Callable[[Array], Array]) -> Weights:
        """Move the weights by a function, such as a transposition."""
        new = object.__new__(Weights)
        new.values, new.codes, new.exists = move(self.values), move(self.codes), move(self.exists)
        new.frozen = move(self.frozen)
        return new


def set_column(walk: ModuleWalk, draft: DraftLayer, name: str, value: Any) -> None:
    """Set a vertex column of a draft from a parameter, or from constants, `(width,)`."""
    weights = Weights(walk, value)
    if weights.values.shape != (draft.width,):
        walk.refuse(
            f"{name} has the shape {weights.values.shape} and the layer {draft.width} features",
            "use one number per feature",
        )
    draft.columns[name] = weights.values.copy()
    draft.parameters[name] = weights.codes.copy()


# -- the linear operations ---------------------------------------------------------------------------------


def dense(walk: ModuleWalk, value: Coded, weights: Weights, bias: Any) -> Coded:
    """Linear layer over the last axis of a value: `weights` are `(targets, sources)`."""
    targets, sources = weights.values.shape
    read = reading(walk, value, (-1,))
    if read.width != sources:
        walk.refuse(f"it multiplies {read.width} features by {sources} columns", "let the sizes agree")
    grid = grid_of(walk, read)
    found = pieces(walk, read)
    if found is None and (flat := flattened(walk, read)) is not None:
        return _after_flatten(walk, read, flat, weights, bias)
    if found is None:
        layer = summed(walk, read)
        found = pieces(walk, reading(walk, value, (-1,)))
        assert found is not None
        grid = layer.grid
    else:
        grid = found[0].draft.output_grid
    walk.count_edges(int(weights.exists.sum()))
    target = walk.draft(targets, grid)
    for piece in found:
        part = weights.map(lambda array, at=piece.at: array[:, at])  # type: ignore[misc]
        dst, src = np.nonzero(part.exists)
        link(
            target, piece.draft, Dense(), piece.rows[src], dst, part.values[dst, src],
            parameter=part.codes[dst, src], frozen=part.frozen[dst, src],
        )  # fmt: skip
    if bias is not None:
        set_column(walk, target, "bias", bias)
    return spread(walk, read, target)


def spread(walk: ModuleWalk, read: Reading, target: DraftLayer) -> Coded:
    """Value of a layer with the positions of a reading and other features, along the only axis of features."""
    (axis,) = read.features
    codes = walk.codes_of(target)
    shape = [size for i, size in enumerate(read.sampled.shape) if i != axis]
    return restored(walk, read.sampled, np.moveaxis(codes.reshape(target.width, *shape), 0, axis))


def flattened(walk: ModuleWalk, read: Reading) -> tuple[DraftLayer, Array, Array] | None:
    """Layer of maps whose rows and positions the features of a reading are; None where they are no such numbers."""
    if read.positions != 1 or len(read.codes) > 1 or not (read.factors[0] == 1).all():
        return None
    number, row, position = (part[:, 0] for part in place(walk, read.codes[0]))
    owner = walk.space.owner(int(number[0]))
    if (number != number[0]).any() or not isinstance(owner, DraftLayer | InputTensor):
        return None
    draft = draft_of(owner)
    return (draft, row, position) if len(draft.output_grid) == 2 else None


def _after_flatten(
    walk: ModuleWalk, read: Reading, flat: tuple[DraftLayer, Array, Array], weights: Weights, bias: Any
) -> Coded:
    """Linear layer after maps: a convolution whose kernel is the whole grid."""
    source, row, position = flat
    walk.count_edges(int(weights.exists.sum()))
    target = walk.draft(len(weights.values), ())
    dst, src = np.nonzero(weights.exists)
    link(
        target, source, Conv2d(_pair(source.output_grid)), row[src], dst, weights.values[dst, src],
        tap=position[src], parameter=weights.codes[dst, src], frozen=weights.frozen[dst, src],
    )  # fmt: skip
    if bias is not None:
        set_column(walk, target, "bias", bias)
    return spread(walk, read, target)


def _pair(grid: Grid) -> tuple[int, int]:
    return int(grid[0]), int(grid[1])


def term_codes(codes: Array) -> Coded:
    """Value of codes with factors 1."""
    return Coded([term_of(codes)])
