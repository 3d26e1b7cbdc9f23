"""Bounds of a whole graph: the domain of its inputs, propagated layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from netgraph.checks import choice
from netgraph.columns import FrozenDict, freeze
from netgraph.errors import InputError, unknown_name
from netgraph.graph.bounds import Bounds, Domains, add_bias, link_interval, operate_interval
from netgraph.graph.layer import DOMAIN_COLUMNS, Layer
from netgraph.graph.norms import Mode
from netgraph.graph.outward import LARGEST, Pair, add
from netgraph.graph.wires import port_wires

if TYPE_CHECKING:
    from netgraph.graph.graph import Graph


def bounds(graph: Graph, *, domain: Domains | None = None, mode: Mode = "eval") -> Bounds:
    """Propagate the domain of the inputs through a graph: compute the interval of every vertex.

    Args:
        graph: the network.
        domain: `(low, high)` of input layers by name, each a number or one number per vertex. A graph with one input
            layer takes one pair alone. Input layers without an entry keep their declared domain.
        mode: statistics of batch norm: the running ones ("eval"), or those of any batch ("train").

    Raises:
        InputError: when a domain does not fit the inputs, is empty, or has NaN.
        OptionError: for an unknown mode.

    Cost: O(edges + vertices), in NumPy, with a loop over layers and links only.
    """
    choice("mode", mode, ("eval", "train"))
    given = check_domain(graph, domain)
    offsets = graph.vertices.offsets
    places = {
        layer.name: slice(start, start + len(layer))
        for layer, start in zip(graph.layers_by_id.values(), offsets[:-1].tolist(), strict=True)
    }
    low, high, z_low, z_high = (np.empty(len(graph.vertices)) for _ in range(4))
    for i in graph.topological_order:
        layer = graph.layer(i)
        at = places[layer.name]
        if layer.role == "input":
            z = value = given[layer.name]
        elif layer.role == "position":
            z = value = np.full(len(layer), float(len(layer) == 1)), np.ones(len(layer))
        else:
            arriving: Pair | None = None
            if layer.merge is not None:
                arriving = _merge_interval(graph, layer, (low, high), places)
            else:
                for link in graph.incoming[i]:
                    source = graph.layer(link.source)
                    s = places[source.name]
                    part = link_interval(link, low[s], high[s], source, layer)
                    arriving = part if arriving is None else add(*arriving, *part)
            z = add_bias(layer, arriving)
            value = operate_interval(layer, *z, mode)
        z_low[at], z_high[at] = z
        low[at], high[at] = value
    return Bounds(freeze(low), freeze(high), freeze(z_low), freeze(z_high), FrozenDict(places))


def _merge_interval(graph: Graph, layer: Layer, known: Pair, places: Mapping[str, slice]) -> Pair:
    """Interval of the merge of a layer; `known` are the bounds of all vertices, of which its sources are computed."""
    assert layer.merge is not None
    pairs = []
    for wires in port_wires(graph, layer.id):
        starts = np.array([places[graph.layer(i).name].start for i in wires.sources], dtype=np.int64)
        at = starts[wires.source] + wires.src
        pairs.append((known[0][at], known[1][at]))
    return layer.merge.interval(pairs[0], pairs[1], len(layer))


def check_domain(graph: Graph, domain: Domains | None = None) -> dict[str, Pair]:
    """Return the domain of every input layer by name: the entry of `domain` if there is one, else the declared domain.

    A real input is finite. So a lower bound of inf becomes the largest float, and an upper bound of -inf the smallest.

    Returns:
        `(low, high)` float64 arrays, `(vertices of the layer,)` each.

    Raises:
        InputError: when a domain does not fit the inputs, is empty, or has NaN.
    """
    names = [layer.name for layer in graph.inputs]
    if domain is not None and not isinstance(domain, Mapping):
        if len(names) != 1:
            raise InputError(f"One domain is given for the input layers {names}; give a dict of them by name.")
        domain = {names[0]: domain}
    if unknown := set(domain or {}) - set(names):
        raise InputError(unknown_name("input layer", min(unknown), names))
    result = {}
    for layer in graph.inputs:
        pair = domain[layer.name] if domain and layer.name in domain else [layer.values[n] for n in DOMAIN_COLUMNS]
        where = f"The domain of input {layer.name!r}"
        try:
            low, high = (np.asarray(bound, dtype=np.float64) for bound in pair)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where} is {pair!r}; give a pair (low, high) of numbers or arrays.") from error
        for bound in (low, high):
            if bound.shape not in ((), (len(layer),)):
                raise InputError(
                    f"{where} has a bound of shape {bound.shape}; give a number or ({len(layer)},) of them."
                )
        low, high = (np.broadcast_to(bound, len(layer)) for bound in (low, high))
        if not (low <= high).all():  # NaN fails as well
            row = int(np.flatnonzero(~(low <= high))[0])
            raise InputError(f"{where} is [{low[row]}, {high[row]}] at vertex row {row}; low must be at most high.")
        result[layer.name] = (np.minimum(low, LARGEST), np.maximum(high, -LARGEST))
    return result
