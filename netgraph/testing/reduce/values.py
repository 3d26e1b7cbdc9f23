"""Cases with simpler operations and values: activations, merges, weights, options, samples and ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from netgraph.graph import DOMAIN_COLUMNS, Graph, Layer, full_columns, get_activation, get_norm
from netgraph.testing.cases import Case
from netgraph.testing.code import compact
from netgraph.testing.reduce.rebuild import parts, rebuild


def simpler_operations(case: Case) -> Iterator[Case]:
    """Yield the case with one layer simplified: no norm, pool or bias, relu, or the domain [0, 1] or [-1, 1]."""
    layers, links = parts(case)
    for place, layer in enumerate(layers):
        for other in _simpler_layers(layer):
            x = dict(case.x)
            if layer.role == "input":
                x[layer.name] = np.clip(x[layer.name], other.values["low"][0], other.values["high"][0])
            yield from rebuild(case, [*layers[:place], other, *layers[place + 1 :]], links, x)


def _simpler_layers(layer: Layer) -> Iterator[Layer]:
    values = dict(layer.values)
    if layer.role == "input":
        for low, high in ((0.0, 1.0), (-1.0, 1.0)):
            if (values["low"] == low).all() and (values["high"] == high).all():
                return
            yield replace(layer, values=full_columns({"low": low, "high": high}, len(layer)))
        return
    norm = get_norm(layer.norm)
    if not norm.identity:
        yield replace(layer, norm="none", values={k: v for k, v in values.items() if k not in norm.columns})
    if layer.pool is not None:
        yield replace(layer, pool=None)
    if layer.activation not in ("identity", "relu") and not get_activation(layer.activation).parameters:
        yield replace(layer, activation="relu", slope=Layer.slope)
    if "bias" in values and not values["bias"].any():
        del values["bias"]
        yield replace(layer, values=values)


def simpler_merges(case: Case) -> Iterator[Case]:
    """Yield the case with one attention layer simplified: no causality, fewer frequencies, or a scale of 1."""
    layers, links = parts(case)
    for place, layer in enumerate(layers):
        if layer.merge is None or not layer.merge.slotted:
            continue
        merge: Any = layer.merge
        for simple in (
            replace(merge, causal=False),
            replace(merge, frequencies=()),
            replace(merge, frequencies=merge.frequencies[:-1]),
            replace(merge, frequencies=(1.0,) * len(merge.frequencies)),
            replace(merge, scale=1.0),
        ):
            if simple != merge:
                other = replace(layer, merge=simple)
                yield from rebuild(case, [*layers[:place], other, *layers[place + 1 :]], links)


def simpler_values(case: Case) -> Iterator[Case]:
    """Yield the case with weights of 1, all at once or one at a time, or with start values in vertex columns."""
    graph = case.graph
    weight = graph.edges.weight
    other = np.flatnonzero((weight != 1) & ~graph.edges.wired)
    for chosen in ([other] if len(other) > 1 else []) + [other[k : k + 1] for k in range(len(other))]:
        changed = weight.copy()
        changed[chosen] = 1
        yield replace(case, graph=_fresh(graph.with_weights(changed)))
    yield from _simpler_columns(case)


def _simpler_columns(case: Case) -> Iterator[Case]:
    layers, links = parts(case)
    for place, layer in enumerate(layers):
        start = layer.required_columns()
        for name, values in layer.values.items():
            usual = start.get(name, 0.0)
            if name in DOMAIN_COLUMNS or (values == usual).all():
                continue
            for simple in (usual, 1.0):
                rows = np.flatnonzero((values != usual) & (values != simple))
                for chosen in ([rows] if len(rows) > 1 else []) + [rows[k : k + 1] for k in range(len(rows))]:
                    changed = values.copy()
                    changed[chosen] = simple
                    other = replace(layer, values={**layer.values, name: changed})
                    yield from rebuild(case, [*layers[:place], other, *layers[place + 1 :]], links)


def simpler_options(case: Case) -> Iterator[Case]:
    """Yield the case without a limit of matches, or with the seed 0."""
    if case.limit is not None:
        yield replace(case, limit=None)
    if case.rng:
        yield replace(case, rng=0)


def simpler_samples(case: Case) -> Iterator[Case]:
    """Yield the case with one sample, with one sample less, or with inputs of 1 or 0."""
    samples = len(next(iter(case.x.values())))
    if samples > 2:
        for k in range(samples):
            yield replace(case, x={name: v[k : k + 1] for name, v in case.x.items()})
    if samples > 1:
        for k in range(samples):
            yield replace(case, x={name: np.delete(v, k, axis=0) for name, v in case.x.items()})
    for layer in case.graph.inputs:
        values = case.x[layer.name]
        if layer.encoding == "index":
            if values.any():
                yield replace(case, x={**case.x, layer.name: np.zeros_like(values)})
            continue
        low, high = (layer.values[n].reshape(-1, *(1,) * (values.ndim - 2)) for n in DOMAIN_COLUMNS)
        if not np.isin(values, (0.0, 1.0)).all():
            for simple in (1.0, 0.0):
                yield replace(case, x={**case.x, layer.name: np.clip(np.full_like(values, simple), low, high)})


def simpler_ids(case: Case) -> Iterator[Case]:
    """Yield the case with ids counted from 0. A failure that needs other ids keeps them."""
    fresh = compact(case.graph)
    if case.stats is None and not case.graph.same_topology(fresh):
        yield replace(case, graph=fresh)


def _fresh(graph: Graph) -> Graph:
    return Graph(graph.layers_by_id.values(), graph.links_by_key.values())
