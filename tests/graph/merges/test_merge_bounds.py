"""Bounds of merges: of the change of their values, and of the rounding of their evaluation."""

import numpy as np
import pytest

from netgraph.graph import Attend, ComputedRead, Merge, MergeChange, Mix, PortRead, Product

mpmath = pytest.importorskip("mpmath")

KEYS, SAMPLES = 5, 200


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def ends(values):
    return values.min(axis=0), values.max(axis=0)


def change_of(old, new, *, slot=(0,), frequency=(0.0,), shifted=None):
    """The change between samples of reads, `(samples, slots)` at both ports, for one vertex."""
    n = len(slot)
    pairs = [
        tuple(ends(side) for side in sides) for sides in (old, new, [b - a for a, b in zip(old, new, strict=True)])
    ]
    return MergeChange(
        1, np.zeros(n, dtype=np.int64), np.array(slot), np.array(frequency), *pairs,
        np.zeros(n) if shifted is None else shifted,
    )  # fmt: skip


@pytest.mark.parametrize("size", [1e-9, 1e-2, 1.0])
def test_products_change_by_no_more_than_their_bound(size):
    rng = np.random.default_rng(0)
    old = [rng.normal(size=(SAMPLES, 1)) for _ in range(2)]
    new = [values + size * rng.normal(size=values.shape) for values in old]
    low, high = Product().change(change_of(old, new))
    moved = new[0] * new[1] - old[0] * old[1]
    assert (low <= moved).all()
    assert (moved <= high).all()
    assert high - low < 40 * size * (1 + size)


@pytest.mark.parametrize("turn", [0.0, 0.7])
@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0])
def test_heads_move_no_more_weight_than_their_bound(size, turn):
    rng = np.random.default_rng(1)
    merge = Attend(0.5, frequencies=(turn,) if turn else ())
    old = [rng.normal(size=(SAMPLES, 2, KEYS)) for _ in range(2)]
    new = [values + size * rng.normal(size=values.shape) for values in old]

    def heads(reads):
        at = np.arange(2)
        ports = [PortRead(values, at, np.zeros(2, dtype=np.int64), at) for values in reads]
        return merge.evaluate((ports[0], ports[1]), 1)[:, 0]

    def flat(reads):
        return [np.moveaxis(v, 1, 2).reshape(-1, 2) * merge.factor(port) for port, v in enumerate(reads)]

    low, high = merge.change(change_of(flat(old), flat(new), slot=(0, 1), frequency=(turn, turn)))
    moved = heads(new) - heads(old)
    assert np.array_equal(low, -high)
    assert np.abs(moved).max() <= high[0] <= 1
    assert np.maximum(moved, 0).sum(axis=-1).max() <= high[0] + 1e-15
    assert high[0] < 100 * size


def test_the_bound_of_a_head_is_reached():
    one, old, new = np.ones((2, 1)), np.zeros((2, 1)), np.array([[-1.0], [1.0]])
    bound = Attend(1.0).change(change_of([one, old], [one, new]))[1][0]  # logits move by -1 to 1
    widest = max(softmax(np.array([x + 1, -1]))[0] - softmax(np.array([x, 0.0]))[0] for x in np.linspace(-3, 3, 601))
    assert widest == pytest.approx(np.tanh(0.5), rel=1e-9)
    assert bound == pytest.approx(np.tanh(0.5), rel=1e-9)


def test_mixes_move_by_their_values_and_by_the_weight_that_moves():
    rng = np.random.default_rng(2)
    logits, v = rng.normal(size=(SAMPLES, KEYS)), rng.uniform(-1, 1, (SAMPLES, KEYS))
    for step, move in ((0.0, 1e-3), (0.3, 0.0), (0.3, 0.5)):
        a, b = softmax(logits), softmax(logits + step * rng.normal(size=logits.shape))
        w = v + move * rng.uniform(-1, 1, v.shape)
        shifted = np.array([np.maximum(b - a, 0).sum(axis=1).max()])
        reads = [[part.reshape(-1, 1) for part in side] for side in ((a, v), (b, w))]
        low, high = Mix().change(change_of(*reads, shifted=shifted))
        moved = (b * w - a * v).sum(axis=1)
        assert (low <= moved).all()
        assert (moved <= high).all()
        assert high - low <= 2 * move + 4 * shifted + 1e-9


def test_reads_that_do_not_change_move_nothing():
    rng = np.random.default_rng(3)
    reads = [rng.normal(size=(SAMPLES, 1)) for _ in range(2)]
    for merge in (Product(), Attend(0.5), Mix()):
        low, high = merge.change(change_of(reads, reads))
        assert low == high == 0


def test_a_merge_of_ones_own_has_no_bounds_by_default():
    change = change_of([np.ones((2, 1))] * 2, [np.ones((2, 1))] * 2)
    low, high = Merge.change(Product(), change)
    assert low == -np.inf
    assert high == np.inf
    read = ComputedRead(*(np.zeros(1, dtype=np.int64),) * 2, *(np.zeros(1),) * 4, 1)
    assert Merge.rounding(Product(), read, read, 1)[0] == np.inf


# -- rounding -----------------------------------------------------------------------------------------


def real_head(q, k, scale, frequencies, causal):
    """A head in 40 digits, for reads `(slots, positions)`."""

    def turned(values):
        rows = [[mpmath.mpf(float(x)) for x in row] for row in values]
        for i, f in enumerate(frequencies):
            for t in range(len(rows[0])):
                a, b, angle = rows[2 * i][t], rows[2 * i + 1][t], mpmath.mpf(f) * t
                rows[2 * i][t] = a * mpmath.cos(angle) - b * mpmath.sin(angle)
                rows[2 * i + 1][t] = a * mpmath.sin(angle) + b * mpmath.cos(angle)
        return rows

    q, k = turned(q), turned(k)
    result = []
    for t in range(len(q[0])):
        seen = range(t + 1 if causal else len(k[0]))
        weights = [
            mpmath.exp(mpmath.mpf(scale) * mpmath.fsum(a[t] * b[s] for a, b in zip(q, k, strict=True))) for s in seen
        ]
        result.append([w / mpmath.fsum(weights) for w in weights] + [mpmath.mpf(0)] * (len(k[0]) - len(weights)))
    return result


@pytest.mark.parametrize("frequencies", [(), (0.7, 3.0)], ids=["plain", "rotary"])
@pytest.mark.parametrize("size", [1.0, 30.0])
def test_heads_and_mixes_are_computed_within_their_rounding(frequencies, size):
    rng = np.random.default_rng(4)
    merge = Attend(0.3, causal=True, frequencies=frequencies)
    slots = np.arange(4)
    with mpmath.workdps(40):
        for _ in range(5):
            q, k, v = size * rng.normal(size=(4, KEYS)), rng.normal(size=(4, KEYS)), rng.normal(size=KEYS)
            ports = [PortRead(values[None], slots, np.zeros(4, dtype=np.int64), slots) for values in (q, k)]
            found = merge.evaluate((ports[0], ports[1]), 1)[0, 0]
            real = real_head(q, k, merge.scale, frequencies, causal=True)
            zero = np.zeros(4)
            reads = [
                ComputedRead(np.zeros(4, dtype=np.int64), slots, *ends(values.T), zero, zero, KEYS) for values in (q, k)
            ]
            error, spread = merge.rounding(reads[0], reads[1], 1)
            off = np.array(
                [[abs(float(f - r)) for f, r in zip(*rows, strict=True)] for rows in zip(found, real, strict=True)]
            )
            assert off.max() <= error[0]
            assert off.sum(axis=1).max() <= spread[0] < 1e-9
            mixed = found @ v
            exact = [mpmath.fsum(r * mpmath.mpf(float(x)) for r, x in zip(row, v, strict=True)) for row in real]
            one = np.zeros(1, dtype=np.int64)
            head = ComputedRead(one, one, np.zeros(1), np.ones(1), error, spread, KEYS)
            value = ComputedRead(one, one, v.min(keepdims=True), v.max(keepdims=True), np.zeros(1), np.zeros(1), KEYS)
            room, _ = Mix().rounding(head, value, 1)
            assert max(abs(float(m - e)) for m, e in zip(mixed, exact, strict=True)) <= room[0]


def test_reads_without_bounds_have_no_bound_of_their_rounding():
    one = np.zeros(1, dtype=np.int64)
    wide = ComputedRead(one, one, np.array([-np.inf]), np.array([np.inf]), np.zeros(1), np.zeros(1), KEYS)
    zero = ComputedRead(one, one, np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), KEYS)
    for merge in (Product(), Attend(0.5)):
        for reads in ((wide, wide), (wide, zero), (zero, wide)):
            assert merge.rounding(*reads, 1)[0] == np.inf
