"""Reading of values: samples, features and positions of a tensor, and the layers that hold its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from compilers.importing.codes import Coded, CodedTerm, distinct
from compilers.importing.drafts import DraftLayer
from compilers.importing.owners import IndexTensor, InputTensor, ParameterTensor
from compilers.importing.walk import ModuleWalk
from netgraph.columns import Array
from netgraph.graph import Grid


@dataclass(frozen=True, eq=False)
class Sampled:
    """A value as numbers of the first sample.

    Attributes:
        codes, factors: codes and factors of each term, of the shape of one sample.
        axis: axis of the value that runs over samples.
        held: sizes of what else this axis holds, before and behind the sample; `(1, 1)` where it holds samples alone.
    """

    codes: tuple[Array, ...]
    factors: tuple[Array, ...]
    axis: int
    held: tuple[int, int]

    @property
    def shares(self) -> bool:
        """Whether the axis of samples holds more than samples; one sample then has what remains of the axis."""
        return self.held != (1, 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.codes[0].shape)

    def axis_of(self, dim: int) -> int:
        """Axis of one sample for an axis of the value, which may be negative; -1 for the axis of samples."""
        ndim = len(self.shape) + (0 if self.shares else 1)
        dim %= ndim
        if dim == self.axis and not self.shares:
            return -1
        return dim - (0 if self.shares or dim < self.axis else 1)


def sampled(walk: ModuleWalk, value: Coded) -> Sampled:
    """Find the axis of samples and return the numbers of the first sample.

    Raises `ImportRefused` where samples are mixed, or where numbers of one sample are read in another.
    """
    located = [(term, walk.space.locate(term.codes.numpy())[1], term.exists.numpy()) for term in value.terms]
    sample = np.full(value.shape, -1)
    for _, own, exists in located:
        mine = np.where(exists, own, -1)
        if ((mine >= 0) & (sample >= 0) & (mine != sample)).any():
            walk.refuse("it adds numbers of different samples", "keep every sample of a batch apart")
        sample = np.maximum(sample, mine)
    axis, held = _axis_of_samples(walk, sample) if (sample >= 0).any() else _axis_of_copies(walk, value)
    codes, factors = [], []
    for term, _, _ in located:
        moved = [by_sample(part, axis, held, walk.samples) for part in (term.codes, term.factor)]
        whole_codes, whole_factors = (part.numpy() for part in moved)
        codes.append(np.array(whole_codes[0]))
        factors.append(np.array(whole_factors[0], dtype=np.float64))
        strides = walk.space.strides(codes[-1])
        for number in range(1, walk.samples):
            same = whole_codes[number] == codes[-1] + number * strides
            if not (same | (factors[-1] == 0)).all() or not (whole_factors[number] == factors[-1]).all():
                walk.refuse("it treats the samples of a batch differently", "compute the same for every sample")
    return Sampled(tuple(codes), tuple(factors), axis, held)


def _axis_of_samples(walk: ModuleWalk, sample: Array) -> tuple[int, tuple[int, int]]:
    """Axis that runs over samples, and the sizes of its other parts before and behind them."""
    known = sample >= 0
    for axis, size in enumerate(sample.shape):
        if size % walk.samples:
            continue
        rest = size // walk.samples
        for inner in [rest, 1] + [n for n in range(2, rest) if rest % n == 0]:
            wanted = np.arange(size) // inner % walk.samples
            shaped = wanted.reshape([-1 if i == axis else 1 for i in range(sample.ndim)])
            if (np.broadcast_to(shaped, sample.shape)[known] == sample[known]).all():
                return axis, (rest // inner, inner)
    walk.refuse(
        "no axis of its argument runs over the samples of the batch",
        "give an example whose tensors have the batch as their first axis, and keep samples apart",
    )


def _axis_of_copies(walk: ModuleWalk, value: Coded) -> tuple[int, tuple[int, int]]:
    """Axis along which a value that depends on no input has a copy for each sample, such as a learned token."""
    for axis, size in enumerate(value.shape):
        if size == walk.samples and all(
            torch.equal(part, part.narrow(axis, 0, 1).expand(part.shape))
            for term in value.terms
            for part in (term.codes, term.factor)
        ):
            return axis, (1, 1)
    walk.refuse(
        "its argument depends on no input and has no axis for the samples of the batch",
        "expand the parameter to the batch first, such as token.expand(len(x), -1, -1)",
    )


def by_sample(part: Tensor, axis: int, held: tuple[int, int], samples: int) -> Tensor:
    """Move the samples to an axis of their own, the first one; what else their axis held stays where it was."""
    outer, inner = held
    part = part.reshape(*part.shape[:axis], outer, samples, inner, *part.shape[axis + 1 :]).movedim(axis + 1, 0)
    part = part.flatten(axis + 1, axis + 2)
    return part.squeeze(axis + 1) if held == (1, 1) else part


def restored(walk: ModuleWalk, like: Sampled, codes: Array) -> Coded:
    """Value of codes of the first sample, `(*shape)` of as many axes as `like`, with the samples where they were."""
    strides = walk.space.strides(codes)
    full = torch.from_numpy(np.stack([codes + number * strides for number in range(walk.samples)]))
    if not like.shares:
        return Coded.of(full.movedim(0, like.axis))
    apart = full.reshape(*full.shape[: like.axis + 1], *like.held, *full.shape[like.axis + 2 :])
    full = apart.movedim(0, like.axis + 1)
    return Coded.of(full.flatten(like.axis, like.axis + 2))


class Piece(NamedTuple):
    """Features that a layer has at all positions: `at[i]` is row `rows[i]` of `draft`."""

    draft: DraftLayer
    rows: Array
    at: Array


@dataclass(frozen=True, eq=False)
class Reading:
    """Numbers of the first sample as features by positions.

    Attributes:
        value: the value.
        sampled: its numbers of the first sample.
        features: axes of one sample that are features; all others are positions.
        codes, factors: of each term, `(features, positions)`.
        shape: sizes of the axes of positions.
    """

    value: Coded
    sampled: Sampled
    features: tuple[int, ...]
    codes: tuple[Array, ...]
    factors: tuple[Array, ...]
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.codes[0])

    @property
    def positions(self) -> int:
        """Number of positions."""
        return int(self.codes[0].shape[1])

    def back(self, codes: Array) -> Array:
        """Put codes `(features, positions)` of the same sizes back into the shape of one sample."""
        places = [axis for axis in range(len(self.sampled.shape)) if axis not in self.features]
        order = [*self.features, *places]
        shaped = codes.reshape([self.sampled.shape[axis] for axis in order])
        return shaped.transpose(np.argsort(order)) if order else shaped


def reading(walk: ModuleWalk, value: Coded | Tensor, features: Sequence[int] | None = None) -> Reading:
    """Read a value as features by positions.

    Args:
        walk: the import.
        value: the value.
        features: axes of the value that are features, negative ones from the end; None to find them: the axes along
            which positions stay the same.

    Raises:
        ImportRefused: where an axis holds both features and positions.
    """
    if isinstance(value, Tensor):
        walk.refuse("it computes with constants and parameters alone", "store its result as a parameter")
    found = sampled(walk, value)
    axes = None if features is None else tuple(found.axis_of(axis) for axis in features)
    if axes is not None and -1 in axes:
        walk.refuse("it computes along the batch", "keep every sample of a batch apart")
    decide_inputs(walk, found, axes)
    if axes is None:
        axes = _feature_axes(walk, found)
    places = [axis for axis in range(len(found.shape)) if axis not in axes]
    shape = tuple(found.shape[axis] for axis in places)
    width = math.prod(found.shape[axis] for axis in axes)
    codes, factors = (
        tuple(np.ascontiguousarray(part.transpose(*axes, *places)).reshape(width, -1) for part in parts)
        for parts in (found.codes, found.factors)
    )
    return Reading(value, found, axes, codes, factors, shape)


def _feature_axes(walk: ModuleWalk, found: Sampled) -> tuple[int, ...]:
    """Axes of one sample that are features: along the others, numbers of one layer change their position.

    Axes along which neither rows nor positions change are positions as far as the grids of the layers have more axes
    than were found: single tokens, and tokens with zeros around them.
    """
    owners = _drafts(walk, found)
    parts = []
    for codes, factors in zip(found.codes, found.factors, strict=True):
        number, row, position = place(walk, codes)
        exists = factors != 0
        for index in distinct(number[exists]) if owners else []:
            if isinstance(walk.space.owner(index), ParameterTensor) and not _repeats(codes, number == index):
                exists &= number != index  # a table over features and positions shows neither
        parts.append((number, row, position, exists))
    axes = range(len(found.shape))
    places = [axis for axis in axes if any(_changes(2, part, axis) for part in parts)]
    rows = [axis for axis in axes if axis not in places and any(_changes(1, part, axis) for part in parts)]
    open_axes = [axis for axis in axes if axis not in places and axis not in rows]
    if not owners:  # parameters alone: copies of them lie at several positions
        return tuple(axis for axis in axes if axis in rows or found.shape[axis] == 1)
    most = max(len(owner.output_grid) for owner in owners)
    flat = most == 1 or len(found.shape) < 3  # tokens, perhaps with zeros around them; else maps, channels first
    open_axes.sort(key=lambda axis: ((found.shape[axis] == 1) == flat, axis if most == 1 else -axis))
    while len(places) < most and open_axes and len(rows) + len(open_axes) > 1:
        places.append(open_axes.pop(0))
    return tuple(axis for axis in axes if axis not in places)


def _repeats(codes: Array, mine: Array) -> bool:
    """Whether some codes are the same at neighbours along an axis, as those of a bias at all positions."""
    for axis in range(codes.ndim):
        values, some = np.moveaxis(codes, axis, 0), np.moveaxis(mine, axis, 0)
        if (some[1:] & some[:-1] & (values[1:] == values[:-1])).any():
            return True
    return int(np.count_nonzero(np.array(codes.shape) > 1)) < 2


def _changes(what: int, part: tuple[Array, ...], axis: int) -> bool:
    """Whether the rows (1) or the positions (2) of the numbers of one owner change along an axis."""
    number, values, exists = (np.moveaxis(part[i], axis, 0) for i in (0, what, 3))
    both = exists[1:] & exists[:-1] & (number[1:] == number[:-1])
    return bool((both & (values[1:] != values[:-1])).any())


def _drafts(walk: ModuleWalk, found: Sampled) -> set[DraftLayer]:
    drafts = set()
    for codes, factors in zip(found.codes, found.factors, strict=True):
        for number in distinct(walk.space.locate(codes[factors != 0])[0]):
            owner = walk.space.owner(number)
            owner = owner.draft if isinstance(owner, InputTensor) else owner
            if isinstance(owner, DraftLayer):
                drafts.add(owner)
    return drafts


def decide_inputs(walk: ModuleWalk, found: Sampled, axes: Sequence[int] | None) -> None:
    """Decide which axes of the inputs in a value are features, if that is still open."""
    for codes, factors in zip(found.codes, found.factors, strict=True):
        number, _, offset = walk.space.locate(codes)
        for index in distinct(number[factors != 0]):
            owner = walk.space.owner(index)
            if isinstance(owner, IndexTensor):
                walk.refuse(
                    "it computes with whole numbers of an input", "give them to an embedding, or as floating numbers"
                )
            if not isinstance(owner, InputTensor) or owner.draft is not None:
                continue
            whole = offset[(number == index) & (factors != 0)]
            if axes is not None and len(whole) == owner.size and offset.size == owner.size:
                _decide(walk, owner, offset, axes)
            else:
                owner.decide_by_shape(unusual=walk.unusual)


def _decide(walk: ModuleWalk, owner: InputTensor, offset: Array, axes: Sequence[int]) -> None:
    """Take features and positions of an input from a value that has all of its numbers once."""
    places = [axis for axis in range(offset.ndim) if axis not in axes]
    grid = tuple(offset.shape[axis] for axis in places)
    if len(grid) > 2 or len(np.unique(offset)) != owner.size:
        owner.decide_by_shape(unusual=walk.unusual)
        return
    width = math.prod(offset.shape[axis] for axis in axes)
    numbers = offset.transpose(*axes, *places).reshape(width, -1)
    row, position = np.empty(owner.size, np.int64), np.empty(owner.size, np.int64)
    row[numbers], position[numbers] = np.arange(width)[:, None], np.arange(numbers.shape[1])
    owner.decide(DraftLayer(owner.name, width, grid, role="input", domain=owner.domain), row, position)


def undecided(walk: ModuleWalk, found: Sampled) -> bool:
    """Whether a value reads an input whose features are not known yet."""
    numbers = distinct(np.concatenate([walk.space.locate(codes)[0].reshape(-1) for codes in found.codes]))
    owners = [walk.space.owner(number) for number in numbers]
    return any(isinstance(owner, InputTensor) and owner.draft is None for owner in owners)


def place(walk: ModuleWalk, codes: Array) -> tuple[Array, Array, Array]:
    """Number of the owner, row and position of codes of the first sample; position 0 for parameters and constants."""
    number, _, offset = walk.space.locate(codes)
    row, position = offset.copy(), np.zeros_like(offset)
    for index in distinct(number):
        owner, mine = walk.space.owner(index), number == index
        if isinstance(owner, DraftLayer):
            row[mine], position[mine] = np.divmod(offset[mine], math.prod(owner.output_grid))
        elif isinstance(owner, InputTensor) and owner.draft is not None:
            row[mine], position[mine] = owner.row[offset[mine]], owner.position[offset[mine]]
    return number, row, position


def draft_of(owner: DraftLayer | InputTensor) -> DraftLayer:
    """Layer of an owner of codes."""
    if isinstance(owner, InputTensor):
        assert owner.draft is not None
        return owner.draft
    return owner


def pieces(walk: ModuleWalk, read: Reading) -> list[Piece] | None:
    """Layers that have the features at the same positions, or None where a layer must be made first."""
    if len(read.codes) > 1 or not (read.factors[0] == 1).all():
        return None
    number, row, position = place(walk, read.codes[0])
    if (number != number[:, :1]).any() or (row != row[:, :1]).any():
        return None
    if (position != np.arange(read.positions)).any():
        return None
    found = []
    for index in distinct(number[:, 0]):
        owner = walk.space.owner(index)
        if not isinstance(owner, DraftLayer | InputTensor) or math.prod(draft_of(owner).output_grid) != read.positions:
            return None
        at = np.flatnonzero(number[:, 0] == index)
        found.append(Piece(draft_of(owner), row[at, 0], at))
    return found if len({piece.draft.output_grid for piece in found}) == 1 else None


def grid_of(walk: ModuleWalk, read: Reading) -> Grid:
    """Grid for a layer with the positions of a reading: that of a layer with as many, else the sizes above 1."""
    made = {draft: i for i, draft in enumerate(walk.drafts)}
    drafts = [draft for draft in _drafts(walk, read.sampled) if math.prod(draft.output_grid) == read.positions]
    order = sorted(
        drafts, key=lambda draft: (draft.output_grid != read.shape, draft.role == "input", made.get(draft, 0))
    )
    if order:
        return order[0].output_grid
    grid = read.shape if len(read.shape) <= 2 else tuple(size for size in read.shape if size > 1)
    return grid if len(grid) <= 2 else (read.positions,)


def parameter_at(walk: ModuleWalk, codes: Array) -> tuple[ParameterTensor | None, Array]:
    """Owner and values of codes that all belong to one parameter; None and zeros for other codes."""
    number, _, offset = walk.space.locate(codes)
    owner = walk.space.owner(int(number.flat[0])) if codes.size and (number == number.flat[0]).all() else None
    if not isinstance(owner, ParameterTensor):
        return None, np.zeros(codes.shape)
    return owner, owner.values[offset]


def term_of(codes: Array) -> CodedTerm:
    """Term of codes with the factor 1."""
    return Coded.of(torch.from_numpy(codes)).terms[0]
