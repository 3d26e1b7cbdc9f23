"""Random graphs that reach every kernel, norm and activation, and helpers on them."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from netgraph.graph import ACTIVATIONS, Graph, GraphBuilder, Identity

MakeGraph = Callable[..., Graph]


def _random_graph(
    seed: int, *, dtype=np.float64, norms=("none", "none", "batch", "layer", "rms"), activations=tuple(ACTIVATIONS)
) -> Graph:
    """3 to 7 layers with skip links of random density, wires and frozen edges; every vertex column is random."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder(seed=seed, dtype=dtype)
    names = [b.input("x", int(rng.integers(2, 8)))]
    for i in range(int(rng.integers(1, 6))):
        attributes = {"activation": str(rng.choice(activations)), "norm": str(rng.choice(norms)), "slope": 0.2}
        names.append(b.layer(f"h{i}", int(rng.integers(1, 9)), bias=bool(rng.random() < 0.8), **attributes))
        _link(b, rng, names)
    names.append(b.output("y", int(rng.integers(1, 5)), bias=bool(rng.random() < 0.8)))
    _link(b, rng, names)
    graph = b.build()
    columns = {name for layer in graph.layers.values() for name in layer.values if name not in ("low", "high")}
    random = {name: rng.uniform(0.5, 1.5, graph.num_vertices) for name in sorted(columns)}
    return graph.with_weights(rng.normal(size=len(graph.edges)), vertices=random)


def _link(b: GraphBuilder, rng: np.random.Generator, names: list[str]) -> None:
    """Link the last layer to one or more earlier ones."""
    *earlier, target = names
    count = int(rng.integers(1, len(earlier) + 1))
    for source in rng.choice(earlier, size=count, replace=False):
        n, m = len(b._layers[source]), len(b._layers[target])
        if rng.random() < 0.2:
            rows = np.flatnonzero(rng.random(min(n, m)) < 0.7)
            b.edges(source, target, rng.permutation(n)[rows], rows, weight=1.0, kind=Identity(), frozen=True)
            continue
        density = rng.choice([0.1, 0.3, 0.7, 1.0])
        dst, src = np.nonzero(rng.random((m, n)) < density)
        frozen = rng.random(len(src)) < rng.choice([0.0, 0.0, 0.3])
        b.edges(source, target, src, dst, weight=rng.normal(size=len(src)), frozen=frozen)


@pytest.fixture
def make_graph() -> MakeGraph:
    return _random_graph


@pytest.fixture
def batch_of() -> Callable[..., torch.Tensor]:
    """`batch_of(graph, n)`: (n, vertices) random float64 inputs of the input layer."""

    def make(graph: Graph, n: int = 6, *, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
        values = np.random.default_rng(seed).normal(size=(n, len(graph.inputs[0])))
        return torch.from_numpy(values).to(dtype)

    return make


@pytest.fixture(
    params=[
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")),
    ]
)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
