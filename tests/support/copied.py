"""Weights of other people's models in graphs: matrices by link, and columns by layer."""

import numpy as np


def filled(graph, weights, columns):
    """The graph with new values. All links and columns that are trained must be given.

    Args:
        graph: a graph with all edges.
        weights: by source and target, `(targets, sources)`, or `(targets, sources, height, width)` of a kernel.
        columns: by layer, then by name of the column, `(vertices,)`.
    """
    flat, left = np.array(graph.edges.weight), dict(weights)
    for link, start in zip(graph.links_by_key.values(), graph.edges.offsets.tolist(), strict=False):
        if not link.frozen.all():
            names = tuple(graph.layer(i).name for i in (link.source, link.target))
            given = np.asarray(left.pop(names))
            assert given.size == len(link), names
            flat[start : start + len(link)] = given.ravel()
    by_name = {}
    for layer, start in zip(graph.layers_by_id.values(), graph.vertices.offsets.tolist(), strict=False):
        given = columns.get(layer.name, {})
        assert given.keys() == set(layer.trainable), layer.name
        for name, values in given.items():
            by_name.setdefault(name, np.zeros(graph.num_vertices))[start : start + len(layer)] = values
    assert not left
    return graph.with_weights(flat, vertices=by_name)


def arrays(module):
    """Parameters of a module of torch, by name, in float64."""
    return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}


def linear(p, name, factor=1.0):
    """Weight and columns of a linear layer, from parameters by name."""
    return p[f"{name}.weight"] * factor, {"bias": p[f"{name}.bias"]} if f"{name}.bias" in p else {}


def norm(p, name):
    """Columns of a layer norm or an RMS norm, from parameters by name."""
    return {
        ours: p[f"{name}.{theirs}"]
        for ours, theirs in (("scale", "weight"), ("shift", "bias"))
        if f"{name}.{theirs}" in p
    }
