"""A small transformer, with all parts of larger ones by choice, for tests."""

import numpy as np

import netgraph as ng


def tiny(*, tokens=3, width=4, heads=2, slots=2, channels=2, groups=None, hidden=6, causal=False, frequencies=(),
         gated=False, norm="layer", ids=True, positions=True, head="last", seed=0, dtype=np.float64):  # fmt: skip
    """One block before a head, "last", "mean" or "tokens"; `groups` is the number of groups of keys and values."""
    b, rng = ng.GraphBuilder(seed=seed, dtype=dtype), np.random.default_rng(seed + 1)
    grid, groups = (tokens,), groups or heads

    def linear(name, size, *sources, activation="identity", at=grid):
        b.layer(name, size, bias=rng.normal(size=size) / 4, activation=activation, grid=at)
        for source in sources:
            b.dense(source, name)
        return name

    def normed(name, source):
        b.layer(name, width, norm=norm, bias=False, activation="identity", grid=grid)
        b.identity(source, name)
        return name

    first = b.input("x", 5, grid=grid, **({"encoding": "index"} if ids else {"domain": (-1, 1)}))
    linear("stream", width, first)
    if positions:
        b.dense(b.positions("positions", grid), "stream")
    normed("norm1", "stream")
    for name, size in (("q", heads * slots), ("k", groups * slots), ("v", groups * channels)):
        linear(name, size, "norm1")
    b.attend("heads", "q", "k", heads=heads, causal=causal, frequencies=frequencies)
    b.mix("mix", "heads", "v", groups=groups)
    b.identity("stream", linear("attended", width, "mix"))
    normed("norm2", "attended")
    if gated:
        b.product("mlp", linear("gate", hidden, "norm2", activation="silu"), linear("up", hidden, "norm2"))
    else:
        linear("mlp", hidden, "norm2", activation="gelu")
    pool = ng.Pool("average", grid) if head == "mean" else None
    b.layer("out", width, bias=rng.normal(size=width) / 4, activation="identity", grid=grid, pool=pool)
    b.dense("mlp", "out")
    b.identity("attended", "out")
    if head == "mean":
        b.output("y", 2)
        b.dense("out", "y")
    elif head == "tokens":
        b.output("y", 2, grid=grid)
        b.dense("out", "y")
    else:
        b.layer("token", width, bias=False, activation="identity")
        b.place("out", "token", 1 - tokens)
        b.output("y", 2)
        b.dense("token", "y")
    return b.build()


def batch(graph, size=4, seed=0):
    """Some inputs of the graph."""
    first, rng = graph.inputs[0], np.random.default_rng(seed)
    if first.encoding == "index":
        return rng.integers(len(first), size=(size, *first.grid))
    return rng.uniform(-1, 1, (size, len(first), *first.grid))
