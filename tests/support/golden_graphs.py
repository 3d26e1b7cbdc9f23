"""Graphs of the files in `tests/golden/written`, with every feature together or to be rewritten, and architectures."""

import json

import numpy as np
from ported import as_stored

import netgraph as ng

SEED = 5

ARCHITECTURES = (
    ("mlp", {"sizes": [4, 3]}),
    ("mlp", {"sizes": [6, 5, 4, 2], "domain": [0, 1], "activation": "gelu", "norm": "batch", "seed": 3}),
    ("mlp", {"sizes": [64, 96, 10], "density": 0.25, "norm": "layer", "bias": False, "seed": 1}),
    ("convnet", {"widths": [[3, 4], [5]], "classes": 3, "input_size": [2, 8, 8], "hidden": [6], "seed": 2}),
    ("convnet", {"widths": [[8], [8]], "activation": "silu", "batch_norm": False}),
    ("vgg", {"depth": 11, "width": 4}),
    ("vgg", {"depth": 16, "width": 2, "hidden": [12], "batch_norm": False, "domain": [-1, 1]}),
    ("resnet", {"depth": 8, "width": 4}),
    ("resnet", {"depth": 20, "width": 3, "input_size": [1, 28, 28], "classes": 4}),
    ("transformer_encoder", {"depth": 1, "tokens": 4, "vocabulary": 7, "width": 8, "heads": 2, "outputs": 3}),
    ("vit", {"input_size": [2, 8, 8], "width": 6, "depth": 1, "heads": 2, "key_width": 2, "value_width": 3}),
    (
        "gpt",
        {
            "vocabulary": 9,
            "tokens": 5,
            "width": 8,
            "depth": 2,
            "heads": 4,
            "groups": 2,
            "gated": True,
            "activation": "silu",
            "norm": "rms",
            "positions": "rotary",
            "bias": False,
        },
    ),
)
"""Calls by which graphs are made."""


def shuffled(graph):
    """A graph whose biases, norms and activations are all away from where they start."""
    rng = np.random.default_rng(SEED)
    names = {name for layer in graph.layers if layer.role != "input" for name in layer.values}
    drawn = {name: rng.uniform(0.5, 1.5, graph.num_vertices) for name in sorted(names)}
    return graph.with_weights(vertices=drawn)


ACTIVATIONS = (
    "gelu", "identity", "leaky_relu", "prelu", "rational", "relu", "sigmoid", "silu", "softplus", "tanh",
)  # fmt: skip
"""Activations of the version that wrote the files that are kept."""


def flat():
    """Activations of vertices, two inputs with domains, two outputs, skips, port 1, frozen and missing edges."""
    b = ng.GraphBuilder(seed=SEED)
    b.input("left", 3, domain=(0, 1))
    b.input("right", 2, domain=([-np.inf, -2.0], [0.5, np.inf]))
    last = "left"
    for name in ACTIVATIONS:
        b.layer(name, 3, activation=name, slope=0.125, bias=name != "tanh")
        b.dense(last, name, density=0.7)
        last = name
    b.output("first", 2)
    b.output("second", 1, activation="tanh")
    b.dense(last, "first")
    b.dense("left", "first")
    b.dense("right", "gelu")
    b.dense("right", "gelu", port=1)
    b.dense("right", "second")
    b.edges(last, "second", [0, 2], [0, 0], weight=[0.5, -0.25], frozen=True)
    return shuffled(as_stored(b))


def normed():
    """Batch and layer norm with an epsilon and a momentum of their own, in 64 bits."""
    b = ng.GraphBuilder(seed=SEED, dtype=np.float64, init="kaiming")
    b.input("x", 4, domain=(-1, 1))
    b.layer("batch", 3, norm="batch", norm_epsilon=1e-3, norm_momentum=0.25)
    b.layer("layer", 3, norm="layer", activation="rational", bias=False)
    b.output("y", 2)
    b.dense("x", "batch")
    b.dense("batch", "layer")
    b.identity("batch", "layer", port=1)
    b.dense("layer", "y")
    return shuffled(as_stored(b))


def maps(size=8):
    """Strides, padding, both pools, residual wires that stride and leave maps unfed, taps that are missing."""
    b = ng.GraphBuilder(seed=SEED)
    b.input("x", 2, grid=(size, size), domain=(0, 1))
    b.layer("wide", 3, grid=(size, size), norm="batch", pool=ng.Pool("max", (3, 2), (1, 2)))
    grid = (size - 2, size // 2)
    b.layer("body", 4, grid=grid, activation="prelu", bias=False)
    b.layer("sum", 4, grid=(grid[0] // 2, grid[1] // 2), pool=ng.Pool("average", (grid[0] // 2, grid[1] // 2)))
    b.output("y", 2)
    b.conv2d("x", "wide", kernel=3, padding=1, density=0.6)
    b.conv2d("wide", "body", kernel=(3, 1), padding=(1, 0))
    b.conv2d("body", "sum", kernel=2, stride=2)
    b.identity("wide", "sum", stride=2)
    b.dense("sum", "y")
    return shuffled(b.build())


def tokens():
    """A grid of one axis."""
    b = ng.GraphBuilder(seed=SEED)
    b.input("x", 2, grid=(5,))
    b.output("y", 3, grid=(5,))
    b.dense("x", "y", density=0.5)
    return b.build()


def attention():
    """Merges of every kind, symbols, positions, places, pools over tokens, RMS norm, shared keys, rotation, a mask."""
    b, grid = ng.GraphBuilder(seed=SEED), (4,)
    b.input("symbols", 5, grid=grid, encoding="index")
    b.input("image", 2, grid=(4, 4), domain=(0, 1))
    b.layer("patches", 6, grid=(2, 2))
    b.conv2d("image", "patches", kernel=2, stride=2)
    b.layer("stream", 6, grid=grid, activation="identity")
    b.dense("symbols", "stream")
    b.dense(b.positions("places", grid), "stream", density=0.75)
    b.place("patches", "stream", 1)
    b.layer("normed", 6, grid=grid, norm="rms", norm_epsilon=1e-6, activation="identity", bias=False)
    b.identity("stream", "normed")
    for name, size in (("queries", 8), ("keys", 4), ("values", 3)):
        b.layer(name, size, grid=grid, activation="identity")
        b.dense("normed", name)
    b.attend("heads", "queries", "keys", heads=2, scale=0.375, causal=True, frequencies=(1.0, 0.25))
    b.mix("mix", "heads", "values", groups=1, bias=True)
    for name, activation in (("gate", "silu"), ("up", "identity")):
        b.layer(name, 3, grid=grid, activation=activation)
        b.dense("mix", name)
    b.product("product", "gate", "up", activation="gelu_tanh", bias=True)
    b.layer("pooled", 4, grid=grid, pool=ng.Pool("max", (3,), (2,), (1,)))
    b.dense("product", "pooled", density=0.75)
    b.identity("normed", "pooled")
    b.layer("mean", 2, grid=(2,), pool=ng.Pool("average", (2,)))
    b.dense("pooled", "mean")
    b.output("first", 2)
    b.dense("mean", "first")
    b.layer("last", 6, activation="identity", bias=False)
    b.place("stream", "last", -3)
    b.output("second", 1)
    b.dense("last", "second")
    return shuffled(b.build())


def transformer():
    """A small block on which every rule finds something that it leaves alone."""
    b, grid = ng.GraphBuilder(seed=2), (3,)
    b.input("x", 3, grid=grid, domain=(0, 1))
    b.layer("stream", 4, grid=grid, activation="relu")
    b.dense("x", "stream")
    for name in ("queries", "keys", "values"):
        b.layer(name, 4, grid=grid, activation="identity")
        b.dense("stream", name, density=0.8)
    b.attend("heads", "queries", "keys", heads=2)
    b.mix("mix", "heads", "values")
    b.layer("attended", 4, grid=grid)
    b.dense("mix", "attended")
    b.identity("stream", "attended")
    for name in ("gate", "up"):
        b.layer(name, 3, grid=grid, activation="silu" if name == "gate" else "identity")
        b.dense("attended", name)
    b.product("product", "gate", "up")
    b.layer("hidden", 4, grid=grid)
    b.dense("product", "hidden", density=0.8)
    b.output("y", 2, grid=grid)
    b.dense("hidden", "y")
    b.dense("stream", "y", density=0.6)
    return b.build()


def small(activation="relu"):
    """A dense graph with a skip link, on which every rule for dense layers finds something."""
    b = ng.GraphBuilder(seed=2)
    b.input("x", 3, domain=(0, 1))
    b.layer("a", 4, activation=activation)
    b.layer("b", 3, activation=activation)
    b.output("y", 2)
    b.dense("x", "a", density=0.8)
    b.dense("a", "b", density=0.8)
    b.dense("b", "y")
    b.dense("x", "y", density=0.6)
    return b.build()


FEATURES = {"flat": flat, "normed": normed, "maps": maps, "tokens": tokens, "attention": attention}
"""Graphs that have every feature together."""

STARTS = {"dense": small, "small-maps": lambda: maps(4), "transformer": transformer}
"""Graphs to which every rule is applied."""


def architectures():
    """Hashes of all architectures by their calls."""
    return {
        f"{call} {json.dumps(arguments)}": getattr(ng, call)(**arguments).topology_hash
        for call, arguments in ARCHITECTURES
    }
