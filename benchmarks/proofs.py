"""Cost of proofs, and tightness of their bounds.

python -m benchmarks.proofs                   seconds of the process and memory of certificates, beside measuring
                                              on 64 inputs; seconds of expansions of a vision transformer
python -m benchmarks.proofs --prune FILE.npz  bound over measured change when the smallest weights of a network go
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import compilers as ngc
import netgraph as ng
from benchmarks.common import machine
from compilers.training import TrainingData, TrainSettings, begin, train
from netgraph.app.data import load_dataset
from netgraph.interpret import interpret_layers
from netgraph.proof import measure, sample_inputs

SPLITS: tuple[tuple[tuple[int, ...], int, tuple[float, float], float], ...] = (
    ((784, 101, 10), 900, (0, 1), 0.0),
    ((784, 101, 10), 900, (-1, 1), 0.0),
    ((784, 101, 10), 900, (0, 1), 1e-8),
    ((1000, 1000), 1000, (0, 1), 0.0),
    ((784, 800, 400, 100, 10), 1000, (0, 1), 0.0),
    ((784, 800, 400, 100, 10), 1000, (0, 1), 1e-8),
)
"""Layer widths, edges to split, domain of the inputs, epsilon of the crossing edges."""


def cost_of_split(
    sizes: Sequence[int], count: int, domain: tuple[float, float], epsilon: float
) -> tuple[int, float, float, float, str]:
    """Return edges, seconds of a proof and of a measurement, peak MB of the process, and kind of the certificate."""
    graph = ng.mlp(sizes, domain=domain)
    ids = np.random.default_rng(0).choice(graph.edges.id, count, replace=False)
    rule = ng.rules.SplitEdges(epsilon=epsilon)
    seconds = []
    for _ in range(3):
        fresh = graph.with_weights(graph.edges.weight)  # a new graph, without the cached bounds of the last proof
        new = ng.apply(rule, fresh, on=ids, probe=None).graph
        fresh = graph.with_weights(graph.edges.weight)
        started = time.process_time()
        certificate = ng.certify(fresh, new)
        seconds.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.process_time()
    measure(graph, new, sample_inputs(graph, 64, np.random.default_rng(0)))
    return graph.num_edges, min(seconds), time.process_time() - started, peak, certificate.level


def with_wider_mlp(rw: ng.Rewriter, block: str) -> None:
    """Add 64 hidden vertices that are read with weight 0."""
    hidden = rw.add_vertices(rw.graph.layers[f"{block}.mlp"], 64)
    rw.connect_all(rw.vertices(f"{block}.norm2"), hidden, weight=rw.uniform(-0.1, 0.1))
    rw.connect_all(hidden, rw.vertices(f"{block}.output"), weight=0.0)


def _wire(rw: ng.Rewriter, source: Any, target: Any, port: int, slots: Any = 0) -> None:
    rw.connect(source, target, weight=1.0, tap=slots, kind=ng.Identity(), port=port, frozen=True)


def with_head(rw: ng.Rewriter, block: str) -> None:
    """Add a head of 64 slots and 64 channels that are read with weight 0."""
    layers = rw.graph.layers
    head = rw.add_vertices(layers[f"{block}.heads"], 1).take(np.zeros(64, dtype=int))
    queries, keys, values = (rw.add_vertices(layers[f"{block}.{n}"], 64) for n in ("queries", "keys", "values"))
    for new in (queries, keys, values):
        rw.connect_all(rw.vertices(f"{block}.norm1"), new, weight=rw.uniform(-0.1, 0.1))
    for port, new in enumerate((queries, keys)):
        _wire(rw, new, head, port, np.arange(64))
    channels = rw.add_vertices(layers[f"{block}.mix"], 64)
    _wire(rw, head, channels, 0)
    _wire(rw, values, channels, 1)
    rw.connect_all(channels, rw.vertices(f"{block}.attended"), weight=0.0)


def with_wider_keys(rw: ng.Rewriter, block: str) -> None:
    """Add 16 slots to each of the 3 heads, with keys of 0."""
    heads = rw.vertices(f"{block}.heads").take(np.repeat(np.arange(3), 16))
    for port, (name, reach) in enumerate({"queries": 0.1, "keys": 0.0}.items()):
        new = rw.add_vertices(rw.graph.layers[f"{block}.{name}"], 48)
        rw.connect_all(rw.vertices(f"{block}.norm1"), new, weight=rw.uniform(-reach, reach))
        _wire(rw, new, heads, port, 64 + np.tile(np.arange(16), 3))


def show_transformers(console: Console) -> None:
    """Prove expansions of the first, a middle and the last block of a ViT-Tiny; seconds of the process."""
    graph = ng.vit(classes=1000, input_size=(3, 224, 224), patch=16, depth=12, domain=(-1, 1))
    table = Table(title=f"certify an expansion of ViT-Tiny, {graph.num_edges:,} edges")
    for name in ("expansion", "block", "proof, s", "proved"):
        table.add_column(name, justify="left" if name in ("expansion", "proved") else "right")
    started = time.process_time()
    graph.bounds()
    table.add_row("none: intervals, once per graph", "all", f"{time.process_time() - started:.3f}", "")
    for edit in (with_wider_mlp, with_head, with_wider_keys):
        for block in (1, 6, 12):
            rw = ng.Rewriter(graph, np.random.default_rng(0))
            edit(rw, f"block{block}")
            new, seconds = rw.commit()[0], []
            for _ in range(3):
                started = time.process_time()
                certificate = ng.certify(graph, new)
                seconds.append(time.process_time() - started)
            name = edit.__name__.removeprefix("with_").replace("_", " ")
            table.add_row(name, str(block), f"{min(seconds):.3f}", certificate.level)
    console.print(table)


def show_costs(console: Console) -> None:
    """Measure each case in a process of its own, so that it has its own memory peak, graphs and rewrite included."""
    table = Table(title="certify a split, crossing edges included")
    for name in (
        "graph",
        "domain",
        "epsilon",
        "edges",
        "split",
        "proof, s",
        "measuring, s",
        "ratio",
        "peak MB",
        "proved",
    ):
        table.add_column(name, justify="left" if name in ("graph", "proved") else "right")
    context = multiprocessing.get_context("spawn")
    for case in SPLITS:
        with context.Pool(1) as pool:
            edges, seconds, measuring, peak, level = pool.apply(cost_of_split, case)
        sizes, count, domain, epsilon = case
        times = (f"{seconds:.3f}", f"{measuring:.3f}", f"{seconds / measuring:.2f}")
        name = "-".join(map(str, sizes))
        table.add_row(name, str(list(domain)), f"{epsilon:g}", f"{edges:,}", f"{count:,}", *times, f"{peak:.0f}", level)
    console.print(table)


def trained(path: str, hidden: int, epochs: int, samples: int) -> tuple[ng.Graph, np.ndarray]:
    """Train a plain network on a data set; return it, and inputs of the test set."""
    data = load_dataset(path)
    graph = ng.mlp([data.features, hidden, data.outputs], domain=data.domain)
    settings = TrainSettings(epochs=epochs)
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    tensors = TrainingData.from_arrays(*arrays, task="classification")
    state = train(begin(graph, settings, torch.device("cpu")), tensors, settings)
    return ngc.lift(state.net), data.x_test[:samples]


def show_pruning(console: Console, path: str, hidden: int, epochs: int) -> None:
    """Prune the smallest weights of a trained network, and show in which step the bound is least tight."""
    graph, x = trained(path, hidden, epochs, 2000)
    table = Table(title=f"bound over largest measured change, {path}, {graph.num_edges:,} edges")
    for name in ("pruned", "median over outputs", "least", "most", "largest bound", "of the range"):
        table.add_column(name, justify="right")
    size = np.abs(graph.edges.weight)
    for share in (0.001, 0.01, 0.03, 0.1):
        ids = graph.edges.id[np.argsort(size)[: int(share * len(size))]]
        result = ng.apply(ng.rules.PruneEdges(below=None), graph, on=ids, probe=x)
        name = graph.outputs[0].name
        bound = np.array(result.certificate.bounds[name])
        layers = [interpret_layers(g, x) for g in (graph, result.graph)]
        ratio = bound / np.abs(layers[0][name] - layers[1][name]).max(axis=0)
        evidence = result.certificate.measured
        assert evidence is not None
        assert evidence.bound is not None
        table.add_row(f"{share:.1%}", f"{np.median(ratio):.2f}", f"{ratio.min():.2f}", f"{ratio.max():.2f}",
                      f"{bound.max():.4f}", f"{evidence.bound:.4f}")  # fmt: skip
        if share == 0.01:
            _explain(console, result, layers, x)
    console.print(table)


def _explain(console: Console, result: ng.Result, layers: list[dict[str, np.ndarray]], x: np.ndarray) -> None:
    """Print bound and measured change of every layer, and the step with the largest loss of tightness."""
    table = Table(title="1 % pruned: the change on its way through the layers")
    for name in ("layer", "bound", "measured", "ratio", "lost in this step"):
        table.add_column(name, justify="left" if name == "layer" else "right")
    before, steps = 1.0, []
    for name, bound in result.certificate.layers.items():
        change = float(np.abs(layers[0][name] - layers[1][name]).max())
        steps.append((bound / change / before, name))
        table.add_row(name, f"{bound:.5f}", f"{change:.5f}", f"{bound / change:.2f}", f"{steps[-1][0]:.2f}")
        before = bound / change
    console.print(table)
    lost, name = max(steps)
    console.print(
        f"Loosest step: into {name!r}, a factor of {lost:.2f}. The bound takes every input and every sign at its "
        "worst at once; in the data the changes of different vertices partly cancel.",
        highlight=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prune", metavar="DATA", help="train on this and prune")
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=130)
    if arguments.prune:
        show_pruning(console, arguments.prune, arguments.hidden, arguments.epochs)
    else:
        show_costs(console)
        show_transformers(console)
    console.print(machine(), highlight=False)


if __name__ == "__main__":
    main()
