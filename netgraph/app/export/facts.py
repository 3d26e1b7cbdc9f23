"""Facts about an exported network, for programs: the contents of `model.json`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netgraph import __version__
from netgraph.app.data import image_layout
from netgraph.app.places import marked
from netgraph.app.report import RunFacts
from netgraph.app.verdicts import verdicts
from netgraph.columns import Array
from netgraph.graph import Graph, Layer
from netgraph.methods import METHODS
from netgraph.rewriting import JOURNAL_FILE

UNKNOWN = "unknown"


def model_facts(graph: Graph, run: RunFacts | None, export: Mapping[str, Any], files: Sequence[Path]) -> dict[str, Any]:
    """Put the facts together. Unknown ones are null, or "unknown".

    Args:
        graph: the network.
        run: the run that ended with it; None when only the graph is known.
        export: facts about the export itself.
        files: the files of the model.
    """
    return marked("export", {
        "netgraph": __version__,
        "files": {file.name: _sha256(file) for file in files},
        "network": network_facts(graph, "float32" if export["to"] == "onnx" else _dtype(graph)),
        "export": dict(export),
        "prepare": None if run is None else preparation_facts(graph, run.config),
        "outputs": None if run is None else output_facts(run),
        "data": None if run is None else data_facts(run),
        "method": None if run is None else method_facts(run.config),
        "scores": None if run is None else score_facts(run),
        "rewrites": None if run is None else rewrite_facts(run, graph),
        "trained_by": None if run is None else {key: run.config[key] for key in _VERSIONS},
    })  # fmt: skip


_VERSIONS = ("netgraph", "torch", "numpy", "python", "machine", "device")


def network_facts(graph: Graph, dtype: str) -> dict[str, Any]:
    """Sizes, hash, inputs and outputs of a graph, for a model that computes with numbers of a dtype."""
    return {
        "layers": graph.num_layers,
        "vertices": graph.num_vertices,
        "edges": graph.num_edges,
        "parameters": graph.num_parameters,
        "density": graph.density,
        "topology_hash": graph.topology_hash,
        "rewrites": graph.rewrites,
        "inputs": [_input(layer, dtype) for layer in graph.inputs],
        "outputs": [{"name": layer.name, "shape": [len(layer), *layer.output_grid]} for layer in graph.outputs],
    }


def _dtype(graph: Graph) -> str:
    """Dtype of a model with the precision of the weights: float64 where any weight has it."""
    wide = any(link.weight.dtype == np.float64 for link in graph.links_by_key.values() if not link.kind.wires)
    return "float64" if wide else "float32"


def _input(layer: Layer, dtype: str) -> dict[str, Any]:
    """Name, shape without the batch, dtype and domain of an input layer."""
    if layer.encoding == "index":
        domain = {"low": 0, "high": len(layer) - 1}
        return {"name": layer.name, "shape": list(layer.grid), "dtype": "int64", **domain}
    domain = {name: _bounds(layer.values[name]) for name in ("low", "high")}
    return {"name": layer.name, "shape": [len(layer), *layer.grid], "dtype": dtype, **domain}


def _bounds(values: Array) -> Any:
    """Return one number where all values are equal, else all; None in place of an infinite one."""
    shown = [value if math.isfinite(value) else None for value in values.tolist()]
    return shown[0] if len(set(shown)) == 1 else shown


def preparation_facts(graph: Graph, config: Mapping[str, Any]) -> dict[str, Any]:
    """Derive the way from samples as stored to inputs of the network.

    `low`, `high`, `mean` and `std` are numbers, or arrays that fit a sample: inputs are
    `((clip(x, low, high) - low) / (high - low) - mean) / std`, with 1 in place of a range of 0. `low` and `high` are
    None for runs of versions that did not record them. Then come the order of axes and the shape of an input.
    """
    shape = tuple(config["input_shape"])
    layout = image_layout(shape)
    known = config.get("preparation")
    scaling = known["scaling"] if known else {"low": None, "high": None}
    normalisation, per_sample = config["normalisation"] or {"mean": [0.0], "std": [1.0]}, shape
    if layout is not None:
        per_sample = (layout.channels,) if layout.channels_last else (layout.channels, 1, 1)
    axes = list(range(1, len(shape) + 1))
    if layout is not None and layout.channels_last and graph.inputs[0].grid:
        axes = [3, 1, 2]
    return {
        "sample_shape": list(shape),
        **scaling,
        **{name: _fitted(normalisation[name], per_sample) for name in ("mean", "std")},
        "axes": axes,
        "input_shape": [len(graph.inputs[0]), *graph.inputs[0].grid],
    }


def _fitted(values: Sequence[float], shape: tuple[int, ...]) -> Any:
    """Arrange values so that they fit a sample; a single value is a number."""
    return values[0] if len(values) == 1 else np.reshape(values, shape).tolist()


def output_facts(run: RunFacts) -> dict[str, Any]:
    """Meaning of the outputs: classes in their order, or mean and deviation of targets; None for unknown ones."""
    known = run.config.get("preparation") or {}
    classes = known.get("classes") or (list(run.summary.classes) if run.summary else None)
    return {"task": run.config["task"], "classes": classes or None, "targets": known.get("targets")}


def data_facts(run: RunFacts) -> dict[str, Any]:
    """Name, hash, split and licence of the data."""
    config = run.config
    known = config.get("preparation") or {}
    return {
        "name": run.name,
        "fingerprint": config["fingerprint"],
        "target": config.get("target"),
        "features": known.get("columns") or None,
        "samples": known.get("samples"),
        "split_seed": config["seed"],
        "licence": UNKNOWN,
    }


def method_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """Name of the method, its description, and all options of the run."""
    spec = METHODS.get(config["method"])
    return {
        "name": config["method"],
        "description": spec.description if spec else None,
        "seed": config["seed"],
        "options": config["options"],
        "training": config["training"],
        "run": config["run"],
    }


def score_facts(run: RunFacts) -> dict[str, Any] | None:
    """Scores of the exported network; None after its rewrites were undone."""
    summary = run.summary
    if summary is None:
        return None
    end = "_start" if summary.kept == "start" else ""
    found = {name: summary.scores.get(f"{name}{end}") for name in ("test", "val")}
    test = summary.test_start if summary.kept == "start" else summary.test
    return {
        "metric": summary.metric,
        "test": _finite(test),
        "validation": _finite(found["val"].score) if found["val"] else None,
        "network": summary.kept,
    }


def rewrite_facts(run: RunFacts, graph: Graph) -> dict[str, Any]:
    """Number of rewrites by effect and verdict, assumptions of their certificates, and the hash of the journal."""
    journal = run.run.path / JOURNAL_FILE
    reached = run.entries[-1].topology_hash if run.entries else run.first.topology_hash
    return {
        "count": len(run.entries),
        "verdicts": verdicts(run.entries, run.first.num_edges),
        "assumptions": sorted({text for entry in run.entries for text in entry.certificate.assumptions}),
        "journal_sha256": _sha256(journal),
        "leads_to_this_network": reached == graph.topology_hash,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
