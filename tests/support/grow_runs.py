"""Small runs of the command line that really grow and prune, and a comparison of run directories."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ctrl_c import listen

GROWING = {
    "plateau": 10, "window": 1, "spacing": 1, "select": "top-k", "amount": 6, "scale": "none", "spread": "false",
    "start_by": 1, "share": 1, "expansions": 2, "peak_edges": 900, "grow_until": 0.8, "prune": "budget",
    "prune_start": 0.5, "prune_end": 0.9, "final_edges": 660, "batch_size": 128, "score_batches": 3,
    "learning_rate": 0.01,
}  # fmt: skip
"""Expansions after epochs 2 and 4, and pruning in the second half."""

EPOCHS = 6
FILES = (
    "config.json", "journal.jsonl", "metrics.jsonl", "checkpoint.safetensors", "start.safetensors",
    "graph.safetensors", "topology.svg", "summary.md", "summary.json", "report.html", "timeline.html", "explore.html",
)  # fmt: skip


def grow(out, *extra, data="digits", epochs=EPOCHS, **options):
    """Arguments of `netgraph grow`."""
    assignments = [f"--set={key}={value}" for key, value in {**GROWING, **options}.items()]
    return ["grow", str(data), "--out", str(out), "--epochs", str(epochs), *assignments, *map(str, extra)]


def start_process(arguments, cwd):
    """The same command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "netgraph.app.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=listen,
    )


def entries(run):
    """Lines of the journal."""
    return [json.loads(line) for line in (Path(run) / "journal.jsonl").read_text().splitlines()]


def snapshot(run):
    """The bytes of every file below a directory."""
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(Path(run).rglob("*")) if p.is_file()}


def without_measurements(value):
    if isinstance(value, dict):
        return {
            k: without_measurements(v)
            for k, v in value.items()
            if k not in ("seconds", "seconds_start", "seconds_rewriting", "peak_memory")
        }
    return value


def lines(file):
    return [without_measurements(json.loads(line)) for line in file.read_text().splitlines()]


def assert_same_run(one, two):
    """Equal in everything but wall time and memory: graphs and deltas byte for byte."""
    one, two = Path(one), Path(two)
    for name in ("journal.jsonl", "metrics.jsonl", "summary.json"):
        assert lines(one / name) == lines(two / name), name
    binary = [p.relative_to(one) for folder in ("journal", "epochs") for p in (one / folder).iterdir()]
    found = [p.relative_to(two) for folder in ("journal", "epochs") for p in (two / folder).iterdir()]
    assert sorted(binary) == sorted(found)
    for name in (*binary, "graph.safetensors", "start.safetensors", "topology.svg"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    litter = [p.name for p in two.rglob(".*")]
    assert not litter


def refused(result, *words):
    """Exit code 2, and a message with these words that is not a traceback."""
    code, out, err = result
    assert code == 2
    for word in words:
        assert word in err
    assert "Traceback" not in out + err
    return True
