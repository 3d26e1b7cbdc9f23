"""The file of a model of ONNX: its inputs, outputs and facts around the operations, checked before it is written."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import netgraph
from compilers.export.forms import Additions
from compilers.export.onnx.layers import written
from compilers.export.onnx.parts import ModelParts
from netgraph.checks import checked
from netgraph.errors import CompileError, OptionError, not_installed
from netgraph.graph import Graph, Layer
from netgraph.storage import readable, write_atomically

OPSET = 20
"""Version of the operators: the first one with GELU, which onnxruntime runs since version 1.17 (January 2024)."""
IR_VERSION = 9
"""Version of the file format that came with these operators."""


@checked
def to_onnx(graph: Graph, path: str | os.PathLike[str], *, strict: bool = False) -> Additions:
    """Write a graph as a file of ONNX, in inference: batch norms use their running statistics.

    The file is written straight from the graph, without tracing. Its inputs and outputs have the names of their layers
    and the shape `(batch, vertices, *grid)` with any size of the batch; inputs of encoding "index" are int64,
    `(batch, *grid)`. All other numbers are float32, also those of float64 graphs, since onnxruntime convolves float32
    alone. Operations and weights have the names of their layers. The checker of onnx must pass the model before it
    replaces a file.

    Args:
        graph: the graph.
        path: path of the file, usually with the ending `.onnx`.
        strict: whether to refuse a graph whose missing edges would be zeros of a matrix, which training changes.

    Returns:
        Differences of the model from the graph: its added zeros, and notes.

    Raises:
        CompileError: for norms, activations and merges without operations here, for a model above 2 GB, and under
            `strict`.
        OptionError: when onnx is not installed.

    Cost: O(edges + places of the matrices and kernels).

    Example:
        >>> import netgraph
        >>> from compilers.export import to_onnx
        >>> to_onnx(netgraph.mlp([4, 8, 3]), "net.onnx")  # doctest: +SKIP
    """
    try:
        import onnx
    except ImportError:
        raise OptionError(not_installed("Files of ONNX need", "onnx", "onnx")) from None
    parts = written(graph)
    if strict and parts.zeros:
        raise CompileError(
            f"{parts.zeros:,} missing edges would be zeros of matrices and kernels, which training changes: "
            f"{parts.notes[0]} Export with strict=False, or keep the graph with netgraph.save."
        )
    data = _model(graph, parts).SerializeToString()
    onnx.checker.check_model(data, full_check=True)
    write_atomically(path, data)
    rounded = ["Numbers of float64 are rounded to float32 here."] if _has_double(graph) else []
    return Additions(zeros=parts.zeros, notes=(*parts.notes, *rounded))


def _has_double(graph: Graph) -> bool:
    """Whether some weight or vertex column of a graph is float64."""
    arrays = [link.weight for link in graph.links_by_key.values() if not link.kind.wires]
    arrays += [v for layer in graph.layers_by_id.values() if layer.role != "input" for v in layer.values.values()]
    return any(array.dtype == np.float64 for array in arrays)


def _model(graph: Graph, parts: ModelParts) -> Any:
    """Put the model together."""
    from onnx import helper, numpy_helper

    nodes = [helper.make_node(o.kind, o.inputs, [o.output], name=o.name, **o.attributes) for o in parts.operations]
    made = {operation.output for operation in parts.operations}
    hidden = [layer for layer in graph.layers_by_id.values() if layer.role == "hidden" and parts.layer(layer) in made]
    counts = f"{graph.num_layers} layers, {graph.num_vertices:,} vertices and {graph.num_edges:,} edges"
    content = helper.make_graph(
        nodes,
        name="netgraph",
        inputs=[_value(parts, layer) for layer in graph.inputs],
        outputs=[_value(parts, layer) for layer in graph.outputs],
        initializer=[numpy_helper.from_array(values, name) for name, values in parts.constants.items()],
        value_info=[_value(parts, layer) for layer in hidden],
        doc_string=f"Network of {counts}.",
    )
    model = helper.make_model(
        content,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="netgraph",
        producer_version=netgraph.__version__,
    )
    facts = {"edges": graph.num_edges, "added_zeros": parts.zeros, "topology_hash": graph.topology_hash}
    helper.set_model_props(
        model, {"producer": "netgraph", "version": netgraph.__version__, **{k: str(v) for k, v in facts.items()}}
    )
    return model


def _value(parts: ModelParts, layer: Layer) -> Any:
    """Name, type and shape of the values of a layer."""
    from onnx import TensorProto, helper

    if layer.encoding == "index":
        kind, shape, doc = TensorProto.INT64, layer.grid, f"Whole numbers from 0 to {len(layer) - 1}."
    else:
        kind, shape, doc = TensorProto.FLOAT, (len(layer), *layer.output_grid), _domain(layer)
    return helper.make_tensor_value_info(parts.layer(layer), kind, ["batch", *shape], doc_string=readable(doc))


def _domain(layer: Layer) -> str:
    """Text for the domain of an input that is the same for all of its vertices."""
    low, high = (layer.values.get(name, np.array([np.inf])) for name in ("low", "high"))
    if layer.role != "input" or not (np.isfinite(low).all() and np.isfinite(high).all()):
        return ""
    return f"Numbers from {low.min():g} to {high.max():g}."
