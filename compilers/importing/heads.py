"""Layers of attention: heads that read queries and keys by wires, and mixes of values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compilers.importing.codes import Coded
from compilers.importing.drafts import DraftLayer
from compilers.importing.owners import InputTensor
from compilers.importing.reading import Piece, Reading, Sampled, draft_of, pieces, place, reading, sampled
from compilers.importing.rotary import NoRotation, Slots, slots_of
from compilers.importing.sums import link, on_grid, summed
from compilers.importing.walk import ModuleWalk
from netgraph.columns import Array
from netgraph.graph import Attend, Identity, Mix


@dataclass(frozen=True, eq=False)
class HeadSide:
    """Queries, keys or values of heads, as wires from layers of tokens.

    Attributes:
        pieces: sources of the slots; slot `s` of head `h` is number `h * slots + s`.
        slots: number of slots of a head.
        turn: channel, frequency and phase of the slots.
        factor: common factor of all slots.
    """

    pieces: list[Piece]
    slots: int
    turn: Slots
    factor: float


def tokens_read(walk: ModuleWalk, value: Coded) -> Reading:
    """Read `(..., tokens, channels)` as features of all other axes but that of samples, at the positions of tokens."""
    found = sampled(walk, value)
    last = len(value.shape) - 1
    if found.axis >= last - 1:
        walk.refuse("it attends along the batch", "keep every sample of a batch apart")
    features = [axis for axis in range(last + 1) if axis != last - 1 and found.axis_of(axis) >= 0]
    return reading(walk, value, features)


def side_of(walk: ModuleWalk, read: Reading, name: str, *, turns: bool = True) -> HeadSide:
    """Find the layers of queries or keys, or of values, which do not turn; make a layer where they are a sum."""
    slots = read.value.shape[-1]
    if turns and any(_changes(factor) for factor in read.factors):
        return _turning(walk, read, slots, name)
    one = float(read.factors[0].flat[0])
    even = len(read.factors) == 1 and one != 0 and (read.factors[0] == one).all() and turns
    plain = replace(read, factors=(np.ones_like(read.factors[0]),)) if even else read
    found = pieces(walk, plain)
    if found is None:
        one = 1.0
        layer = summed(walk, read, name)
        rows = np.arange(layer.width)
        found = [Piece(layer, rows, rows)]
    none = np.zeros(0)
    still = Slots(np.zeros((0, slots)), np.zeros((0, slots)), np.arange(slots), none, none)
    return HeadSide(on_grid(walk, found, read, (read.positions,), name), slots, still, one if even else 1.0)


def _changes(factor: Array) -> bool:
    """Whether factors other than 0 change from position to position."""
    some = factor != 0
    first = factor[np.arange(len(factor)), some.argmax(axis=1)]
    return bool((some & (factor != first[:, None])).any())


def _turning(walk: ModuleWalk, read: Reading, slots: int, name: str) -> HeadSide:
    """Queries or keys whose factors change from position to position: they turn in pairs."""
    remedy = "use rotary positions whose tables are cos(position * frequency) and sin(position * frequency)"
    number, row, position = place(walk, np.stack(read.codes))
    factor = np.stack(read.factors)
    owners = [walk.space.owner(index) for index in np.unique(number[factor != 0]).tolist()]
    exact = all(isinstance(owner, DraftLayer | InputTensor) for owner in owners)
    if not exact or ((position != np.arange(read.positions)) & (factor != 0)).any():
        walk.refuse("queries or keys are multiplied by a table and read other positions or parameters", remedy)
    span = int(row.max()) + 1
    each = (len(factor), read.width // slots, slots, read.positions)
    try:
        turn = slots_of(*((part.reshape(each).transpose(1, 3, 2, 0)) for part in (number * span + row, factor)))
    except NoRotation as fault:
        walk.refuse(f"its queries or keys are multiplied by tables that are no rotary positions: {fault}", remedy)
    if turn.rounding:
        walk.round(turn.rounding)
        walk.notes.append(
            f"{walk.path or 'the module'}: tables of rotary positions are rounded by up to {turn.rounding:.1g}; "
            "here angles are exact."
        )
    if not np.allclose(turn.factor, turn.factor.flat[0], rtol=max(1e-12, turn.rounding)):
        walk.refuse("rotary positions have different factors for different channels", "use one scale for all channels")
    source = turn.source.reshape(-1)
    found = []
    for index in np.unique(source // span).tolist():
        at = np.flatnonzero(source // span == index)
        found.append(Piece(draft_of(walk.space.owner(index)), source[at] % span, at))
    return HeadSide(on_grid(walk, found, read, (read.positions,), name), slots, turn, float(turn.factor.mean()))


def attending(walk: ModuleWalk, queries: Reading, keys: Reading, scale: float, *, causal: bool) -> DraftLayer:
    """Heads of queries and keys, both `(heads, tokens, channels)`."""
    sides = [side_of(walk, read, name) for read, name in ((queries, "queries"), (keys, "keys"))]
    for i, read in enumerate((queries, keys)):
        if read.positions == 1 and not len(sides[i].turn.frequency):
            sides[i] = _at_start(sides[i], sides[1 - i].turn)
    one, two = (side.turn for side in sides)
    alike = len(one.frequency) == len(two.frequency) and (one.channel == two.channel).all()
    if not alike or not _alike(one.frequency, two.frequency) or not _alike(one.phase, two.phase):
        walk.refuse(
            "queries and keys turn by different rotary positions",
            "turn both by the same angles, with positions that start at the same number",
        )
    tokens = (queries.positions, keys.positions)
    merge = Attend(scale * sides[0].factor * sides[1].factor, causal, tuple(one.frequency.tolist()))
    made = walk.draft(queries.width // sides[0].slots, tokens, name="heads", merge=merge)
    for port, side in enumerate(sides):
        for piece in side.pieces:
            head, slot = np.divmod(piece.at, side.slots)
            link(made, piece.draft, Identity(), piece.rows, head, 1.0, tap=slot, frozen=True, port=port)
    return made


def _at_start(side: HeadSide, other: Slots) -> HeadSide:
    """Side of a single position, where nothing shows that it turns, in the order of slots of the other side."""
    slot = np.argsort(other.channel)
    found = [
        piece._replace(at=piece.at // side.slots * side.slots + slot[piece.at % side.slots]) for piece in side.pieces
    ]
    turn = replace(side.turn, channel=other.channel, frequency=other.frequency, phase=np.zeros_like(other.phase))
    return replace(side, pieces=found, turn=turn)


def _alike(one: Array, two: Array) -> bool:
    return bool(np.allclose(one, two, rtol=1e-9, atol=1e-12))


def mixing(walk: ModuleWalk, heads: DraftLayer, rows: Array, like: Sampled, values: Coded) -> Array:
    """Mix values by heads.

    Args:
        walk: the import.
        heads: layer of the heads.
        rows: row of the head of each matrix of values, of the shape of the axes before tokens and channels.
        like: where the samples are.
        values: the values, `(..., tokens, channels)`.

    Returns:
        Codes of the result in the first sample, `(*rows.shape, tokens, channels)`.
    """
    read = tokens_read(walk, values)
    if (read.sampled.axis, read.sampled.held) != (like.axis, like.held):
        walk.refuse("it mixes numbers of different samples", "keep every sample of a batch apart")
    side = side_of(walk, read, "values", turns=False)
    made = walk.draft(read.width, heads.grid[:1], name="mix", merge=Mix())
    link(made, heads, Identity(), rows.reshape(-1).repeat(side.slots), np.arange(read.width), 1.0, frozen=True)
    for piece in side.pieces:
        link(made, piece.draft, Identity(), piece.rows, piece.at, 1.0, frozen=True, port=1)
    codes = walk.codes_of(made).reshape(*rows.shape, side.slots, -1)
    return codes.swapaxes(-1, -2)
