"""Runs whose every text is given, to see what a page makes of it."""

import json

import numpy as np

from netgraph.app.run_directory import RunDirectory
from netgraph.graph import GraphBuilder
from netgraph.rewriting import apply
from netgraph.rules import SplitEdges

HOSTILE = (
    '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    "'&amp;{{ 7*7 }}</pre></details>\n--><b>]]>\x00\x1b"
)
HARMLESS = "harmless" * (len(HOSTILE) // 8)


def named_run(path, config, text):
    """A run that has not ended, with a rewrite and an epoch, in which layers, data, options and proofs hold `text`."""
    builder = GraphBuilder(seed=1)
    builder.input(f"in {text}", 3, domain=(0, 1))
    builder.layer(f"hidden {text}", 4, activation="relu")
    builder.output(f"out {text}", 2)
    builder.dense(f"in {text}", f"hidden {text}")
    builder.dense(f"hidden {text}", f"out {text}")
    first = builder.build()
    named = dict.fromkeys(("data", "target", "fingerprint", "machine", "torch", "device"), text)
    options = {**config["options"], "criterion": text, f"key {text}": text}
    run = RunDirectory.create(path, {**config, **named, "options": options, "input_shape": []}, first)
    result = apply(SplitEdges(), first, order_by=np.arange(first.num_edges), limit=2, probe=np.ones((4, 3)))
    run.journal.append(result, before=first, epoch=1)
    entry = json.loads((run.path / "journal.jsonl").read_text())
    entry.update(rule=text, summary=text, parameters={f"p {text}": text, "q": [text, {"r": text}]})
    entry["certificate"].update(reason=text, assumptions=[text], stopped=[text], layers={text: 1.0})
    (run.path / "journal.jsonl").write_text(json.dumps(entry) + "\n")
    run.append_metrics({"epoch": 1, "train_loss": 1.0, "val_loss": 1.5, "val_accuracy": 0.5, "edges": 20})
    return run
