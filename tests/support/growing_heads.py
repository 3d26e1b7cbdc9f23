"""Growth of attention by plain code of the rewriter: heads, keys and values. The new parts change no output."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


def _read(graph, layer, port):
    """The one layer that a merging layer reads at a port."""
    (source,) = {k.source for k in graph.incoming[layer.id] if k.port == port}
    return graph.layer(source)


def _mix(graph, heads):
    (mix,) = {k.target for k in graph.outgoing[heads.id]}
    return graph.layer(mix)


def _feed(rw, graph, layer, new, weight):
    """Join new vertices of a layer to all vertices that its weighted links read."""
    for k in graph.incoming[layer.id]:
        if not k.kind.wires:
            rw.connect_all(rw.vertices(graph.layer(k.source)), new, weight=weight)


def _lead(rw, graph, layer, new):
    """Join new vertices of a layer to all vertices that read it, at weight 0."""
    for k in graph.outgoing[layer.id]:
        rw.connect_all(new, rw.vertices(graph.layer(k.target)), weight=0.0)


def _wire(rw, source, target, port, slots=0):
    rw.connect(source, target, weight=1.0, tap=slots, kind=ng.Identity(), port=port, frozen=True)


@dataclass(frozen=True, kw_only=True)
class _Grow(ng.Rule):
    pattern = ng.layer("h", role="hidden")

    def where(self, m, stats):
        return {"it makes heads": np.array([x.merge is not None and x.merge.gives_heads for x in m.h], dtype=bool)}


@dataclass(frozen=True, kw_only=True)
class AddHead(_Grow):
    """Add a head with slots and channels of its own; its channels are read with weight 0."""

    slots: int = 2
    channels: int = 2

    def rewrite(self, m, rw):
        for heads in m.h:
            graph, mix = m.graph, _mix(m.graph, heads)
            values = _read(graph, mix, 1)
            head = rw.add_vertices(heads, 1)
            for port in (0, 1):
                source = _read(graph, heads, port)
                new = rw.add_vertices(source, self.slots)
                _feed(rw, graph, source, new, rw.uniform(-0.5, 0.5))
                _wire(rw, new, head.take(np.zeros(self.slots, int)), port, np.arange(self.slots))
            value, channel = (rw.add_vertices(x, self.channels) for x in (values, mix))
            _feed(rw, graph, values, value, rw.uniform(-0.5, 0.5))
            _wire(rw, head.take(np.zeros(self.channels, int)), channel, 0)
            _wire(rw, value, channel, 1)
            _lead(rw, graph, mix, channel)


@dataclass(frozen=True, kw_only=True)
class GrowKeys(_Grow):
    """Add a slot to every head, or with frequencies a pair of slots; the keys are 0."""

    frequency: float = 0.125

    def rewrite(self, m, rw):
        for heads in m.h:
            merge, graph = heads.merge, m.graph
            old = max(int(k.tap.max()) for k in graph.incoming[heads.id]) + 1
            count = 2 if merge.frequencies else 1
            row, slot = np.divmod(np.arange(count * len(heads)), count)
            if merge.frequencies:
                more = (*merge.frequencies, self.frequency)
                rw.set_merge(heads, ng.Attend(merge.scale, merge.causal, more))
            for port, weight in ((0, rw.uniform(-0.5, 0.5)), (1, 0.0)):
                source = _read(graph, heads, port)
                new = rw.add_vertices(source, count * len(heads))
                _feed(rw, graph, source, new, weight)
                _wire(rw, new, rw.vertices(heads).take(row), port, old + slot)


@dataclass(frozen=True, kw_only=True)
class GrowValues(_Grow):
    """Add a channel to every head, which is read with weight 0."""

    def rewrite(self, m, rw):
        for heads in m.h:
            graph, mix = m.graph, _mix(m.graph, heads)
            values = _read(graph, mix, 1)
            value, channel = (rw.add_vertices(x, len(heads)) for x in (values, mix))
            _feed(rw, graph, values, value, rw.uniform(-0.5, 0.5))
            _wire(rw, rw.vertices(heads), channel, 0)
            _wire(rw, value, channel, 1)
            _lead(rw, graph, mix, channel)
