"""Random graphs over maps and tokens that reach every kernel, norm, pool and kind of link."""

import numpy as np

from netgraph.graph import ACTIVATIONS, Conv2d, Dense, Graph, GraphBuilder, Pool


def random_map_graph(
    seed: int, *, norms=("none", "none", "batch", "layer", "rms"), activations=tuple(ACTIVATIONS)
) -> Graph:
    """Convolutions, residual links, pools, a whole-grid head and a flat tail; every column is random."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder(seed=seed, dtype=np.float64)
    side = (int(rng.integers(3, 6)), int(rng.integers(3, 6)))

    def operation():
        return {
            "activation": str(rng.choice(activations)),
            "norm": str(rng.choice(norms)),
            "bias": bool(rng.random() < 0.7),
            "slope": 0.2,
        }

    b.input("x", int(rng.integers(1, 4)), grid=side)
    b.layer("a", int(rng.integers(1, 5)), grid=side, **operation())
    conv(b, rng, "x", "a", Conv2d((3, 3), padding=(1, 1)))
    stride = int(rng.integers(1, 3))
    half = tuple(-(-s // stride) for s in side)
    b.layer("b", int(rng.integers(1, 5)), grid=half, **operation())
    conv(b, rng, "a", "b", Conv2d((3, 3), (stride, stride), (1, 1)))
    pool = Pool(str(rng.choice(["max", "average"])), (2, 2), (1, 1)) if min(half) > 2 and rng.random() < 0.5 else None
    b.layer("sum", int(rng.integers(1, 5)), grid=half, pool=pool, **operation())
    b.identity("b", "sum")
    b.identity("a", "sum", stride=stride)
    if rng.random() < 0.5:
        conv(b, rng, "x", "sum", Conv2d((1, 1), (stride, stride)))
    after = tuple(h - 1 for h in half) if pool else half
    b.layer("pointwise", int(rng.integers(1, 5)), grid=after, **operation())
    conv(b, rng, "sum", "pointwise", Dense())
    b.layer("pooled", int(rng.integers(1, 5)), grid=after, pool=Pool("average", after), **operation())
    conv(b, rng, "pointwise", "pooled", Conv2d((1, 3), padding=(0, 1)))
    b.layer("head", int(rng.integers(1, 5)), **operation())
    conv(b, rng, "pointwise", "head", Conv2d(after))
    b.output("y", 3)
    conv(b, rng, "head", "y", Dense())
    conv(b, rng, "pooled", "y", Dense())
    if rng.random() < 0.5:
        b.output("maps", 2, grid=after)
        conv(b, rng, "pointwise", "maps", Dense())
    return with_random_columns(b.build(), rng)


def token_graph(seed: int) -> Graph:
    """Tokens: a dense layer at each position, a skip link, layer norm, an output over tokens."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder(seed=seed, dtype=np.float64)
    b.input("x", 3, grid=(5,))
    b.layer("h", 4, grid=(5,), norm="layer", activation="gelu")
    b.output("y", 3, grid=(5,))
    conv(b, rng, "x", "h", Dense())
    conv(b, rng, "h", "y", Dense())
    b.identity("x", "y")
    return with_random_columns(b.build(), rng)


def lopsided_graph(seed: int, *, activations=tuple(ACTIVATIONS)) -> Graph:
    """Grids, kernels, strides, padding and pools that differ between height and width, and norms of other epsilon."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder(seed=seed, dtype=np.float64)

    def operation():
        return {"activation": str(rng.choice(activations)), "slope": 0.2}

    b.input("x", 2, grid=(5, 7))
    b.layer("a", 3, grid=(3, 3), norm="batch", norm_epsilon=0.3, **operation())
    conv(b, rng, "x", "a", Conv2d((3, 2), (2, 3), (1, 1)))
    b.layer("wires", 2, grid=(5, 7), bias=False, **operation())
    b.identity("x", "wires")
    b.identity("wires", "a", stride=(2, 3))
    b.layer("b", 2, grid=(5, 6), pool=Pool("average", (1, 2), (2, 3)), norm="layer", norm_epsilon=0.2, **operation())
    conv(b, rng, "x", "b", Conv2d((1, 4), padding=(0, 1)))
    b.layer("c", 4, grid=(3, 2), pool=Pool("max", (3, 1), (1, 1)), **operation())
    conv(b, rng, "a", "c", Conv2d((1, 2)))
    b.identity("b", "c")
    b.layer("d", 3, grid=(1, 2), **operation())
    conv(b, rng, "c", "d", Dense())
    b.output("y", 2)
    conv(b, rng, "d", "y", Conv2d((1, 2)))
    return with_random_columns(b.build(), rng)


def conv(b: GraphBuilder, rng: np.random.Generator, source: str, target: str, kind: Dense | Conv2d) -> None:
    """A link with some edges missing, some of them frozen at times."""
    n, m = len(b._layers[source]), len(b._layers[target])
    density = rng.choice([0.15, 0.6, 1.0])
    dst, src, tap = np.nonzero(rng.random((m, n, kind.taps)) < density)
    frozen = rng.random(len(src)) < rng.choice([0.0, 0.0, 0.3])
    b.edges(source, target, src, dst, tap=tap, weight=rng.normal(size=len(src)), kind=kind, frozen=frozen)


def with_random_columns(graph: Graph, rng: np.random.Generator) -> Graph:
    """The graph with every trained or running vertex column drawn from 0.5..1.5."""
    columns = {name for layer in graph.layers.values() for name in layer.values} - {"low", "high"}
    return graph.with_weights(vertices={name: rng.uniform(0.5, 1.5, graph.num_vertices) for name in sorted(columns)})


def inputs_of(graph: Graph, samples: int = 4, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs by layer name."""
    rng = np.random.default_rng(seed)
    indices = {layer.name: (samples, *layer.grid) for layer in graph.inputs if layer.encoding == "index"}
    return {
        layer.name: rng.integers(len(layer), size=indices[layer.name])
        if layer.name in indices
        else rng.normal(size=(samples, len(layer), *layer.grid))
        for layer in graph.inputs
    }
