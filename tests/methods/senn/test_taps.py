"""Reading maps tap by tap, against loops over examples, positions and taps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.graph import Conv2d, Dense, Pool
from netgraph.methods.senn import TapReader, read_directly

KINDS = {
    "padded": (Conv2d((3, 3), padding=(1, 1)), (4, 5), None),
    "strided": (Conv2d((3, 2), stride=(2, 1), padding=(1, 0)), (5, 4), None),
    "whole grid": (Conv2d((3, 3)), (3, 3), None),
    "same grid": (Dense(), (2, 3), None),
    "vector": (Dense(), (), None),
    "behind a mean": (Conv2d((2, 2), padding=(1, 1)), (4, 4), Pool("average", (2, 2))),
    "behind a maximum": (Conv2d((2, 2)), (5, 4), Pool("max", (3, 2), (1, 1))),
    "pooled away": (Dense(), (3, 3), Pool("average", (3, 3))),
    "padded mean": (Conv2d((2, 2)), (4, 3), Pool("average", (2, 3), (2, 1), (1, 1))),
    "padded maximum": (Conv2d((2, 1)), (4, 3), Pool("max", (3, 2), (2, 2), (1, 1))),
    "a mean of tokens": (Dense(), (5,), Pool("average", (5,))),
    "a maximum of tokens": (Dense(), (5,), Pool("max", (3,), (2,), (1,))),
}


def pooled(image, pool):
    if pool is None:
        return image
    fill, reduce = (0.0, np.mean) if pool.kind == "average" else (-np.inf, np.max)
    padded = np.pad(image, [(p, p) for p in pool.pads], constant_values=fill)
    grid = pool.output_grid(image.shape) or (1,) * image.ndim
    found = np.empty(grid)
    for at in np.ndindex(*grid):
        window = tuple(slice(i * s, i * s + k) for i, k, s in zip(at, pool.size, pool.strides, strict=True))
        found[at] = reduce(padded[window])
    return found


def brute(kind, image, pool):
    """(taps, positions) of one example."""
    image = pooled(image, pool)
    if isinstance(kind, Dense):
        return image.reshape(1, -1)
    (kh, kw), (sh, sw), (ph, pw) = kind.kernel, kind.stride, kind.padding
    height, width = kind.output_grid(image.shape)
    found = np.zeros((kh * kw, height * width))
    for r, c, dr, dc in np.ndindex(height, width, kh, kw):
        y, x = r * sh + dr - ph, c * sw + dc - pw
        if 0 <= y < image.shape[0] and 0 <= x < image.shape[1]:
            found[dr * kw + dc, r * width + c] = image[y, x]
    return found


@pytest.mark.parametrize(("kind", "grid", "pool"), KINDS.values(), ids=KINDS)
@given(st.integers(0, 2**32 - 1))
def test_columns_and_their_adjoint(kind, grid, pool, seed):
    rng = np.random.default_rng(seed)
    reader, examples, size = TapReader(kind, grid, pool), 3, int(np.prod(grid, dtype=int))
    values = rng.normal(size=(2, 4, examples * size))
    columns = reader(values)

    def read(row):
        return np.concatenate([brute(kind, x.reshape(grid), pool) for x in row.reshape(examples, -1)], axis=1)

    expected = np.array([[read(row) for row in chain] for chain in values])
    np.testing.assert_allclose(columns.values, expected)
    assert columns.values.shape == (2, 4, kind.taps, examples * reader.positions)
    slopes = rng.normal(size=columns.values.shape)
    back = columns.adjoint(slopes)
    assert back.shape == values.shape
    direction = rng.normal(size=values.shape)
    step = 1e-7
    change = (reader(values + step * direction).values - reader(values - step * direction).values) / (2 * step)
    np.testing.assert_allclose(np.sum(slopes * change), np.sum(back * direction), rtol=1e-5, atol=1e-5)


def test_a_layer_reads_what_the_reader_gathers():
    """Weights times columns are the sums that the graph computes."""
    rng = np.random.default_rng(0)
    b = ng.GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 1, grid=(5, 4))
    b.output("y", 1, grid=(3, 4), bias=False)
    b.conv2d("x", "y", kernel=(3, 3), stride=(2, 1), padding=(1, 1))
    graph = b.build()
    link = graph.links["x", "y"]
    x = rng.normal(size=(6, 1, 5, 4))
    columns = TapReader(link.kind, (5, 4))(x.reshape(-1)).values
    np.testing.assert_allclose(link.weight @ columns, ng.interpret(graph, x).ravel(), rtol=1e-12, atol=1e-12)


def test_direct_reading_and_rows_that_fit_no_grid():
    values = np.arange(6.0).reshape(2, 3)
    columns = read_directly(values)
    assert columns.values.shape == (2, 1, 3)
    np.testing.assert_array_equal(columns.adjoint(columns.values), values)
    with pytest.raises(OptionError, match=r"7 rows are no number of examples on the grid \(2, 3\)"):
        TapReader(Dense(), (2, 3))(np.zeros(7))
