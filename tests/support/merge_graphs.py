"""Small graphs with merging layers, which together reach every way to read, to attend and to mix."""

from functools import partial

import numpy as np
from map_graphs import with_random_columns
from tiny_transformer import tiny

from netgraph.graph import Attend, Graph, GraphBuilder, Identity, Mix, Pool, Product


def encoder_block() -> Graph:
    """Self-attention and a feed-forward network on a residual stream, twice, with layer norm."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 3, grid=(5,))
    stream = linear(b, "r0", "x", 6)
    for i in range(2):
        stream = attention_block(b, i, stream, heads=2, groups=2)
        normed = norm(b, f"n{i}", stream, "layer")
        b.layer(f"f{i}", 8, grid=(5,), activation="gelu")
        b.dense(normed, f"f{i}")
        stream = residual(b, f"r{i + 1}", stream, f"f{i}")
    b.output("y", 2, grid=(5,))
    b.dense(stream, "y")
    return b.build()


def decoder_block() -> Graph:
    """Causal and rotary attention with shared keys and values, and a gated feed-forward network."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 3, grid=(6,))
    stream = linear(b, "r0", "x", 6)
    stream = attention_block(b, 0, stream, heads=4, groups=2, width=8, causal=True, frequencies=(1.0,))
    normed = norm(b, "n", stream, "layer")
    b.layer("gate", 7, grid=(6,), activation="silu")
    b.dense(normed, "gate")
    linear(b, "up", normed, 7)
    b.product("gated", "gate", "up")
    stream = residual(b, "r1", stream, "gated")
    b.output("y", 2, grid=(6,))
    b.dense(stream, "y")
    return b.build()


def cross_attention() -> Graph:
    """Queries from one input and keys and values from another, batch norm after the mix, and heads that are seen."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 4, grid=(3,))
    b.input("z", 5, grid=(4,))
    linear(b, "q", "x", 6)
    linear(b, "k", "z", 3)
    linear(b, "v", "z", 4)
    b.attend("heads", "q", "k", heads=2, causal=True)
    b.mix("mixed", "heads", "v", groups=1, norm="batch", activation="tanh", bias=True)
    b.layer("of_heads", 3, grid=(3, 4), activation="tanh")
    b.dense("heads", "of_heads")
    b.output("y", 2, grid=(3,))
    b.dense("mixed", "y")
    b.output("seen", 2)
    b.conv2d("of_heads", "seen", kernel=(3, 4))
    return b.build()


def irregular_heads(*, output: bool = False) -> Graph:
    """Heads of unequal width that read several layers in any order, one as queries and keys, two mixes of them."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 3, grid=(4,))
    linear(b, "p", "x", 5)
    linear(b, "k", "x", 4)
    heads = Attend(0.7, frequencies=(0.5, 1.5, 0.25))
    if output:
        b.output("heads", 4, grid=(4, 4), activation="identity", bias=False, merge=heads)
    else:
        b.layer("heads", 4, grid=(4, 4), activation="identity", bias=False, merge=heads)
    wire(b, "p", "heads", [0, 1, 2, 3, 4, 2], [0, 0, 1, 1, 3, 3], [0, 1, 4, 5, 0, 1], port=0)
    wire(b, "k", "heads", [3, 2, 0, 1], [1, 1, 2, 2], [2, 3, 0, 1], port=0)
    wire(b, "k", "heads", [3, 2, 1, 0, 2, 3], [0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 4, 5], port=1)
    wire(b, "p", "heads", [1, 0, 3, 4], [2, 2, 3, 3], [0, 1, 0, 1], port=1)
    b.layer("m", 5, grid=(4,), activation="gelu", bias=True, merge=Mix())
    wire(b, "heads", "m", [2, 0, 3, 0, 0], range(5), 0, port=0)
    wire(b, "p", "m", [0, 0, 4], [0, 1, 4], 0, port=1)
    wire(b, "k", "m", [3, 1], [2, 3], 0, port=1)
    b.layer("n", 4, grid=(4,), activation="identity", bias=False, merge=Mix())
    wire(b, "heads", "n", [3, 1, 0, 2], range(4), 0, port=0)
    wire(b, "x", "n", [2, 0, 0, 1], range(4), 0, port=1)
    b.output("y", 2, grid=(4,))
    b.dense("m", "y")
    b.dense("n", "y")
    return b.build()


def lone_heads(scale: float = -2.0) -> Graph:
    """Causal heads of one slot and one channel, whose channels are in another order."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 3, grid=(4,))
    linear(b, "q", "x", 2)
    b.attend("heads", "q", "q", heads=2, scale=scale, causal=True)
    b.layer("m", 2, grid=(4,), activation="identity", bias=True, merge=Mix())
    wire(b, "heads", "m", [1, 0], range(2), 0, port=0)
    wire(b, "q", "m", [0, 1], range(2), 0, port=1)
    b.output("y", 2, grid=(4,))
    b.dense("m", "y")
    return b.build()


def gated_rows() -> Graph:
    """Products on vectors: of two layers, of an input with a layer, and of a layer with itself."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 4)
    b.input("z", 3)
    for name in ("gate", "up"):
        b.layer(name, 3, activation="silu")
        b.dense("x", name)
    b.product("gated", "gate", "up")
    b.product("seen", "z", "gated", activation="tanh", bias=True, norm="layer")
    b.product("square", "seen", "seen")
    b.layer("picked", 3, bias=False, activation="identity", merge=Product())
    wire(b, "gated", "picked", [2, 2], [0, 2], 0, port=0)
    wire(b, "x", "picked", [1], [1], 0, port=0)
    wire(b, "square", "picked", [0, 1, 0], range(3), 0, port=1)
    b.output("y", 2)
    b.dense("picked", "y")
    b.dense("gated", "y")
    return b.build()


def gated_maps() -> Graph:
    """A product of maps that is pooled, of some vertices in any order."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 2, grid=(4, 4))
    for name in ("gate", "up"):
        b.layer(name, 3, grid=(4, 4), activation="tanh")
        b.conv2d("x", name, kernel=3, padding=1)
    b.layer("gated", 4, grid=(4, 4), activation="tanh", norm="batch", pool=Pool("max", (4, 4)), merge=Product())
    wire(b, "gate", "gated", [2, 0, 1, 1], range(4), 0, port=0)
    wire(b, "up", "gated", [0, 1], [0, 1], 0, port=1)
    wire(b, "x", "gated", [1, 0], [2, 3], 0, port=1)
    b.output("y", 2)
    b.dense("gated", "y")
    return b.build()


MERGE_GRAPHS = {
    "encoder": encoder_block,
    "decoder": decoder_block,
    "cross": cross_attention,
    "irregular": irregular_heads,
    "output": partial(irregular_heads, output=True),
    "lone": lone_heads,
    "even": partial(lone_heads, scale=0.0),
    "language": partial(tiny, tokens=4, heads=4, groups=2, causal=True, frequencies=(0.7,), gated=True, norm="rms"),
    "classifier": partial(tiny, ids=True, causal=False),
    "rows": gated_rows,
    "maps": gated_maps,
}


def merge_graph(name: str, seed: int = 0) -> Graph:
    """One of the graphs, with random columns."""
    return with_random_columns(MERGE_GRAPHS[name](), np.random.default_rng(seed))


# -- parts --------------------------------------------------------------------------------------------


def linear(b: GraphBuilder, name: str, source: str, width: int) -> str:
    b.layer(name, width, grid=b._get(source).output_grid, activation="identity")
    b.dense(source, name)
    return name


def norm(b: GraphBuilder, name: str, source: str, kind: str) -> str:
    layer = b._get(source)
    b.layer(name, len(layer), grid=layer.output_grid, activation="identity", norm=kind, bias=False)
    b.identity(source, name)
    return name


def residual(b: GraphBuilder, name: str, stream: str, branch: str) -> str:
    linear(b, name, branch, len(b._get(stream)))
    b.identity(stream, name)
    return name


def attention_block(b: GraphBuilder, i: int, stream: str, *, heads: int, groups: int, width=None, **options) -> str:
    """Norm, queries, keys, values, heads and mix, added to the stream."""
    width = len(b._get(stream)) if width is None else width
    normed = norm(b, f"attention_norm{i}", stream, "layer")
    linear(b, f"q{i}", normed, width)
    linear(b, f"k{i}", normed, width // heads * groups)
    linear(b, f"v{i}", normed, width // heads * groups)
    b.attend(f"heads{i}", f"q{i}", f"k{i}", heads=heads, **options)
    b.mix(f"mixed{i}", f"heads{i}", f"v{i}", groups=groups)
    return residual(b, f"s{i}", stream, f"mixed{i}")


def wire(b: GraphBuilder, source: str, target: str, src, dst, slot, *, port: int) -> None:
    b.edges(source, target, src, list(dst), weight=1.0, tap=slot, kind=Identity(), frozen=True, port=port)
