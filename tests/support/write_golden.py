"""Writes files of every format with the code that stands beside it: `python tests/support/write_golden.py FOLDER`.

It made `tests/golden/written`, which `tests/test_written_files.py` reads: files once written stay readable. Make others
only when a format gets a new version, and put them beside the old ones.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from growing_heads import AddHead, GrowKeys, GrowValues
from ported import as_stored

import netgraph as ng
from compilers.training import Settled, TrainingData, TrainSettings, begin, save_checkpoint, train
from netgraph.criteria import TopK
from netgraph.methods import Method, PruneToBudget, Split
from netgraph.schedules import EveryEpochs

ROOT = Path(__file__).resolve().parents[2]
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

SETTINGS = {
    "adam": {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "score_batches": 2},
    "sgd": {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "score_batches": 2, "optimizer": "sgd"},
    "convolution": {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adamw", "weight_decay": 1e-3},
}
"""How the checkpoints were trained, by the name of each."""

DATA = "points.csv"

GROW = (
    "grow", DATA, "--epochs", "6", "--seed", "3", "--target", "class",
    *(f"--set={option}" for option in (
        "plateau=10", "window=1", "spacing=1", "select=top-k", "amount=3", "scale=none", "spread=false", "start_by=1",
        "share=1", "expansions=2", "peak_edges=40", "grow_until=0.8", "prune=budget", "prune_start=0.5",
        "prune_end=0.9", "final_edges=12", "batch_size=16", "score_batches=2", "learning_rate=0.01",
    )),
)  # fmt: skip
"""The command of the two runs, which lie in `ended` and in `cut`, without the place."""

COMPARE = (
    "compare", DATA, "--methods", "erk,set", "--seeds", "1", "--budget", "2", "--densities", ".5",
    "--epochs-per-step", "1", "--model", "mlp", "--target", "class", "--set", "widths=3",
)  # fmt: skip
"""The command of the study, without the place."""


def points():
    """Two classes of points in the plane that no line parts."""
    rng = np.random.default_rng(SEED)
    x = rng.uniform(-1, 1, (96, 2)).round(3)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def data(task):
    """Points as training data: flat, as targets of a regression, or as maps of 4 x 4."""
    x, y = points()
    x = (x + 1) / 2
    if task == "maps":
        x = np.repeat(np.repeat(x, 8, axis=1).reshape(-1, 1, 4, 4), 2, axis=1) * np.linspace(0.5, 1, 4)
        return TrainingData.from_arrays(x[:80], y[:80], x[80:], y[80:], task="classification")
    targets = y if task == "classification" else np.stack([y, x[:, 0] - x[:, 1]], axis=1).astype(float)
    return TrainingData.from_arrays(x[:80], targets[:80], x[80:], targets[80:], task=task)


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


def ready(rule, graph):
    """A graph on which a rule finds something."""
    if rule == "merge-vertices":
        return ng.apply(ng.rules.SplitVertices(), graph, probe=None).graph
    if rule == "prune-edges":
        return graph.with_weights(np.where(np.arange(len(graph.edges)) % 3, graph.edges.weight, 0.0))
    if rule == "prune-vertices":
        layer = next(layer for layer in graph.layers if layer.role == "hidden")
        gone = graph.edges.id[(graph.edges.source == layer.vertex_ids[0]) & ~graph.edges.frozen]
        return ng.apply(ng.rules.PruneEdges(below=None), graph, on=gone, probe=None).graph
    return graph


def rewritten(rule, graph):
    """A shipped rule applied once."""
    return ng.apply(ng.rules.RULES[rule](), graph, rng=SEED, limit=3, probe=None)


def written_graphs(out):
    """Features, and every rule applied to every start: graph before, delta, and of dense ones the graph after."""
    (out / "graphs").mkdir(parents=True)
    (out / "rules").mkdir()
    hashes = {"graphs": {}, "rules": {}}
    for name, make in {**FEATURES, **STARTS}.items():
        graph = make()
        ng.save(graph, out / "graphs" / f"{name}.safetensors")
        hashes["graphs"][name] = graph.topology_hash
    for start, make in STARTS.items():
        for rule in ng.rules.RULES:
            before = ready(rule, make())
            result = rewritten(rule, before)
            if not result.changed:
                continue
            name, place = f"{rule}-{start}", f"graphs/{start}"
            if not before.equals(make()):
                place = f"rules/{name}.before"
                ng.save(before, out / f"{place}.safetensors")
            ng.rewriting.save_delta(result.delta, out / "rules" / f"{name}.delta.safetensors")
            if start == "dense":
                ng.save(result.graph, out / "rules" / f"{name}.after.safetensors")
            hashes["rules"][name] = {
                "before": place,
                "hash": result.graph.topology_hash,
                "lineage": result.graph.lineage,
                "certificate": result.certificate.kind,
            }
    return hashes


def written_journal(out):
    """Rewrites of several rules, and training between them in the form of other weights."""
    graph, rng = small("prelu"), np.random.default_rng(SEED)
    journal = ng.Journal.create(out / "journal", graph)
    hashes = [graph.topology_hash]
    names = ("split-edges", "widen-layer", "split-vertices", "merge-vertices", "add-skip", "insert-layer", "add-edges")
    for epoch, name in enumerate((*names, "prune-edges"), start=1):
        graph = graph.with_weights(graph.edges.weight + rng.normal(size=len(graph.edges)) * (name != "merge-vertices"))
        rule = ng.rules.PruneEdges(below=0.1) if name == "prune-edges" else ng.rules.RULES[name]()
        result = ng.apply(rule, graph, rng=epoch, limit=3, probe=None)
        assert result.changed, name
        journal.append(result, before=graph, epoch=epoch, metrics={"val_loss": 1 / epoch}, seed=epoch)
        graph = result.graph
        hashes.append(graph.topology_hash)
    return {"journal": hashes}


def written_heads(out):
    """Growth and removal of heads, keys and values, also under rotation, where frequencies are added."""
    graph, rng = attention(), np.random.default_rng(SEED)
    journal = ng.Journal.create(out / "heads", graph)
    hashes = [graph.topology_hash]
    rules = (AddHead(slots=4, channels=2), GrowKeys(), GrowValues(), ng.rules.PruneVertices(only_dead=False))
    for epoch, rule in enumerate(rules, start=1):
        weight = graph.edges.weight + rng.normal(size=len(graph.edges))
        graph = graph.with_weights(np.where(graph.edges.wired, 1.0, weight))
        on = graph.layers["queries"].vertex_ids[:1] if epoch == len(rules) else "heads"
        result = ng.apply(rule, graph, on=on, rng=epoch, probe=None)
        assert result.changed, rule
        journal.append(result, before=graph, epoch=epoch, metrics={"val_loss": 1 / epoch}, seed=epoch)
        graph = result.graph
        hashes.append(graph.topology_hash)
    return {"heads": hashes}


def method():
    """Edges are split after epoch 2, and after that the smallest ones go."""
    split = Split(selection=TopK(2), trigger=EveryEpochs(2), expansions=1)
    return Method("golden", (split, PruneToBudget(edges=14, start=0.5, end=1.0)))


def first(name):
    """The graph and the data of a checkpoint."""
    if name == "convolution":
        return maps(4), data("maps")
    if name == "adam":
        return ng.mlp([2, 3, 2], domain=(0, 1), norm="batch", seed=SEED), data("classification")
    return ng.mlp([2, 2], domain=(0, 1), seed=SEED), data("regression")


class Enough(Exception):
    """Ends a run before its last epoch."""


def written_checkpoints(out):
    """States of training after 4 of 6 epochs: after growth under Adam and SGD, and of maps under AdamW."""
    (out / "checkpoints").mkdir()
    hashes = {}
    for name, options in SETTINGS.items():
        graph, samples = first(name)
        settings = TrainSettings(**options)
        state, path = begin(graph, settings, torch.device("cpu")), out / "checkpoints" / f"{name}.safetensors"

        def stop(event, state=state, path=path):
            if isinstance(event, Settled) and event.epoch == 4:
                save_checkpoint(state, path)
                raise Enough

        try:
            train(state, samples, settings, None if name == "convolution" else method(), [stop])
        except Enough:
            hashes[name] = state.net.graph.topology_hash
    return {"checkpoints": hashes}


def command(arguments, cwd):
    """Run a command of the application."""
    done = subprocess.run(
        [sys.executable, "-m", "netgraph.app.cli", *arguments],
        cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


CUT = """
import sys
import netgraph.app.grow as app
from netgraph.app.cli import main
real = app.save_checkpoint
def save(state, path):
    real(state, path)
    if state.epoch == 4:
        raise KeyboardInterrupt
app.save_checkpoint = save
assert main(sys.argv[1:]) == 130
"""
"""A program that interrupts a run after epoch 4."""

UNREAD = ("*.html", "*.svg", "*.md", "*.previous", ".*")
"""Files of runs and studies that nothing reads again."""


def written_runs(out):
    """A run that has ended, one that was interrupted after 4 of 6 epochs, and a study of two methods."""
    x, y = points()
    rows = "".join(f"{a},{b},{'in' if c else 'out'}\n" for (a, b), c in zip(x.tolist(), y.tolist(), strict=True))
    (out / DATA).write_text(f"a,b,class\n{rows}")
    command([*GROW, "--out", "ended"], out)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", CUT, *GROW, "--out", "cut"], cwd=out, env=environment, check=True)
    command([*COMPARE, "--out", "study"], out)
    for place in ("ended", "cut", "study"):
        for pattern in UNREAD:
            for file in (out / place).glob(pattern):
                file.unlink()
        without_machine(out / place, out)
    runs = {}
    for place in ("ended", "cut"):
        journal = ng.Journal(out / place)
        runs[place] = [journal.first().topology_hash, *(entry.topology_hash for entry in journal.entries())]
    return {"runs": runs}


def without_machine(folder, place):
    """Take the processor, and the place at which the data lay, out of the texts of a run or a study."""
    config = json.loads((folder / "config.json").read_text())
    for file in folder.iterdir():
        if file.suffix in (".json", ".jsonl"):
            text = file.read_text().replace(config["machine"], "a processor")
            file.write_text(text.replace(json.dumps(f"{place.resolve() / DATA}"), "null"))


def architectures():
    """Hashes of all architectures by their calls."""
    return {
        f"{call} {json.dumps(arguments)}": getattr(ng, call)(**arguments).topology_hash
        for call, arguments in ARCHITECTURES
    }


def main(out):
    """Write everything."""
    torch.set_num_threads(1)
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    hashes = {"netgraph": ng.__version__, "architectures": architectures(), **written_graphs(out)}
    hashes |= written_journal(out) | written_heads(out) | written_checkpoints(out) | written_runs(out)
    (out / "hashes.json").write_text(json.dumps(hashes, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
