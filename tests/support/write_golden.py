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
from golden_graphs import FEATURES, SEED, STARTS, architectures, attention, maps, small
from growing_heads import AddHead, GrowKeys, GrowValues

import netgraph as ng
from compilers.training import Settled, TrainingData, TrainSettings, begin, save_checkpoint, train
from netgraph.criteria import TopK
from netgraph.methods import Method, PruneToBudget, Split
from netgraph.schedules import EveryEpochs

ROOT = Path(__file__).resolve().parents[2]

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
