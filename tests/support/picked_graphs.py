"""Random graphs with inputs of indices, positions, places, tokens and pools of them."""

import numpy as np
from map_graphs import conv, with_random_columns

from netgraph import Place, Pool
from netgraph.graph import ACTIVATIONS, Conv2d, Dense, Graph, GraphBuilder


def picked_graph(seed: int, *, activations=tuple(ACTIVATIONS)) -> Graph:
    """Tokens of a text behind tokens of a picture, learned positions, and two ways out of the tokens."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder(seed=seed, dtype=np.float64)
    tokens = int(rng.integers(4, 8))

    def operation(norm=("none", "layer", "batch")):
        return {"activation": str(rng.choice(activations)), "slope": 0.2, "norm": str(rng.choice(norm))}

    b.input("ids", int(rng.integers(3, 9)), grid=(tokens,), encoding="index")
    b.input("class", 4, encoding="index")
    b.input("picture", 2, grid=(2, 3))
    b.input("labels", 3, grid=(2, 3), encoding="index")
    b.positions("place", (tokens,))
    b.positions("cells", (2, 3))
    b.layer("patches", 3, grid=(2, 3), **operation())
    for source, kind in (("picture", Dense()), ("labels", Dense()), ("cells", Conv2d((3, 3), padding=(1, 1)))):
        conv(b, rng, source, "patches", kind)
    b.layer("numbers", 3, **operation())
    conv(b, rng, "class", "numbers", Dense())
    b.layer("stream", 4, grid=(tokens,), bias=bool(rng.integers(2)), activation="identity")
    conv(b, rng, "ids", "stream", Dense())
    conv(b, rng, "place", "stream", Dense())
    wires(b, rng, "patches", "stream", Place(int(rng.integers(-3, tokens - 1))))
    wires(b, rng, "numbers", "stream", Place(int(rng.integers(tokens))))
    b.layer("plain", 4, grid=(tokens,), bias=False, **operation())
    b.identity("stream", "plain")
    b.layer("hidden", 5, grid=(tokens,), **operation())
    conv(b, rng, "plain", "hidden", Dense())
    conv(b, rng, "stream", "hidden", Dense())
    pool = (
        Pool(str(rng.choice(["max", "average"])), (3,), (2,), (1,)) if rng.integers(2) else Pool("average", (tokens,))
    )
    b.layer("pooled", 5, grid=(tokens,), pool=pool, activation="identity", bias=False)
    wires(b, rng, "hidden", "pooled", Place(0))
    b.layer("moved", 4, grid=(tokens,), **operation())
    wires(b, rng, "stream", "moved", Place(int(rng.integers(-2, 3))))
    wires(b, rng, "ids", "moved", Place(1))
    b.identity("hidden", "moved")
    b.output("last", 4)
    wires(b, rng, "moved", "last", Place(1 - tokens))
    conv(b, rng, "numbers", "last", Dense())
    if not pool.output_grid((tokens,)):
        conv(b, rng, "pooled", "last", Dense())
    b.output("map", 4, grid=(3, 2), pool=Pool("max", (2, 2), (1, 2), (1, 0)), activation=str(rng.choice(activations)))
    wires(b, rng, "moved", "map", Place(int(rng.integers(-1, 3))))
    if pool.output_grid((tokens,)):
        wires(b, rng, "pooled", "map", Place(int(rng.integers(3))))
    return with_random_columns(b.build(), rng)


def wires(b: GraphBuilder, rng: np.random.Generator, source: str, target: str, kind: Place) -> None:
    """Wires between some vertices in any order, or row by row."""
    n, m = len(b._layers[source]), len(b._layers[target])
    rows = np.arange(min(n, m))
    if rng.integers(2):
        rows = rows[rng.random(len(rows)) < 0.7]
        b.edges(source, target, rng.permutation(n)[rows], rows, weight=1.0, kind=kind, frozen=True)
    else:
        b.edges(source, target, rows, rows, weight=1.0, kind=kind, frozen=True)


def picked_inputs(graph: Graph, samples: int = 4, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs by layer name; whole numbers where they are indices."""
    rng = np.random.default_rng(seed)
    return {
        layer.name: rng.integers(0, len(layer), (samples, *layer.grid))
        if layer.encoding == "index"
        else rng.normal(size=(samples, len(layer), *layer.grid))
        for layer in graph.inputs
    }
