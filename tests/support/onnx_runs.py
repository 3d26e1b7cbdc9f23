"""Files of ONNX run by onnxruntime beside the interpreter."""

import numpy as np

import netgraph as ng
from compilers.export import to_onnx

BATCHES = (1, 7)


def session(path):
    """A session on one thread of this machine's processor; onnxruntime says nothing below an error."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def drawn(graph, samples, seed=0):
    """Inputs in their domains, or near 0 where it is unbounded; each is a float32 number."""
    rng, found = np.random.default_rng(seed), {}
    for layer in graph.inputs:
        if layer.encoding == "index":
            found[layer.name] = rng.integers(0, len(layer), (samples, *layer.grid))
            continue
        low, high = (layer.values[name].reshape(-1, *(1 for _ in layer.grid)) for name in ("low", "high"))
        low, high = np.where(np.isfinite(low), low, -2.0), np.where(np.isfinite(high), high, 2.0)
        share = rng.uniform(0, 1, (samples, len(layer), *layer.grid))
        found[layer.name] = (low + (high - low) * share).astype(np.float32)
    return found


def assert_runs(graph, path, tolerance=1e-5, *, of_layers=False, **options):
    """The file of a graph gives its outputs, up to `tolerance` of the largest, for two sizes of batch.

    With `of_layers`, up to that part of the largest value of any layer: large values may cancel in an output.
    """
    additions = to_onnx(graph, path, **options)
    run = session(path)
    assert [node.name for node in run.get_inputs()] == [layer.name for layer in graph.inputs]
    for samples in BATCHES:
        x = drawn(graph, samples, samples)
        values = ng.interpret_layers(graph, x, check_domain=False)
        largest = max(float(np.abs(value).max()) for value in values.values())
        found = dict(zip([node.name for node in run.get_outputs()], run.run(None, x), strict=True))
        assert list(found) == [layer.name for layer in graph.outputs]
        for name, value in found.items():
            wanted = values[name]
            assert value.shape == wanted.shape
            scale = largest if of_layers else float(np.abs(wanted).max())
            difference = float(np.abs(value - wanted).max())
            assert difference <= tolerance * scale, f"{name}: {difference:g} of {scale:g}"
    return additions
