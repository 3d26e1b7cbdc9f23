"""Rule that widens a layer by new vertices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netgraph.columns import Array, FrozenDict
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Graph, Layer, Link, LinkKey, get_activation, get_norm, required_columns, weighted
from netgraph.proof import Level
from netgraph.rewriting import Matches, Rewriter, Rule, Variant, layer
from netgraph.rules.merges import attending, merges
from netgraph.rules.registry import register_rule
from netgraph.rules.residual import tied_layers, ties
from netgraph.statistics import Statistics


@register_rule("widen-layer")
@dataclass(frozen=True, kw_only=True)
class WidenLayer(Rule):
    """Add `count` vertices to every matched hidden layer, without changing the function: **exact**.

    This holds in train and in eval mode for every init:

    * "outgoing zero": incoming weights are drawn from N(0, 2 / fan-in) or given; outgoing weights are 0 and receive
    gradient from the first step. Biases and parameters of norm and activation can be given, too (the width proposal of
    SENN, whose search finds them). Neighbours that are new as well, see `since`, are read with weight 0 and are not
    counted in the fan-in (equation 1 of NAGN).
    * "incoming zero": outgoing weights are drawn from N(0, 2 / fan-in of the reader) or given; incoming weights are 0.
    The new vertices have the value f(0), so layers whose norm or activation does not map 0 to 0 are refused. They learn
    only if f has a slope at 0, which ReLU in training has not.
    * "duplicate": the new vertices are copies of random old ones, with their incoming edges, and every outgoing weight
      is divided among a vertex and its copies (Net2WiderNet, Chen et al. 2016, section 3.1). Copies are spread over the
      vertices as evenly as possible, where the paper draws with replacement.

    New vertices are joined to all vertices of the neighbouring layers, copies to the neighbours of their vertex. Unless
    given, biases are 0 and norms start at scale 1 and shift 0, or as their record says; copies have the values of their
    vertex. Two neighbouring layers that are widened in one rewrite get no edges between their new vertices.

    When a layer of a residual group is matched (see `tied_layers`), the whole group is widened once, also if several of
    its layers are matched. Wires of weight 1 join the i-th new vertices of its layers, and trainable links inside the
    group join new vertices with weight 0. Wires that tie nothing, such as a strided shortcut, get no new wires. The
    gates, the values and the product of a gated MLP are such a group. A group is refused if it contains an input or
    output layer; or a layer whose norm couples its vertices, as layer norm does, because new vertices change the values
    by which the others are normalised; or a layer that makes, mixes or feeds heads of attention, which grow by whole
    heads, keys and values; or a layer at a product that belongs to another group; or, when values are given,
    more than one layer. "incoming zero" refuses products, because of two factors 0 neither would learn. "duplicate"
    refuses every layer with identity wires, because the weight 1 of a wire cannot be divided.

    Attributes:
        count: number of vertices to add to each layer, and to the layers that are tied to it.
        init: "outgoing zero", "incoming zero" or "duplicate".
        noise: largest fraction, from 0 to 1, of its equal share that a copy may lose to its vertex; the fraction is
            drawn at random. Without noise, training changes vertex and copy alike.
        outgoing: with "incoming zero", outgoing weights by link (source id, target id, port), finite, each
            `(count, vertices of the target, taps)`. Weights of other links are drawn.
        incoming: with "outgoing zero", incoming weights by link, finite, each `(count, vertices of the source, taps)`.
            Weights of other links are drawn.
        since: with "outgoing zero", smallest vertex id that counts as new: `graph.next_ids.vertex` from before the
            growth, where neighbouring layers grow in separate rewrites. None means that all vertices of the graph are
            old.
        values: with "outgoing zero", vertex columns of the new vertices, finite, `(count,)` each, such as "bias", or
            "v", "c" and "l" of the rational activation; for layers that have these columns. Other columns start as
            usual.
    """

    count: int = 1
    init: Literal["outgoing zero", "incoming zero", "duplicate"] = "outgoing zero"
    noise: float = 0.0
    outgoing: Mapping[LinkKey, Array] | None = field(default=None, compare=False)
    incoming: Mapping[LinkKey, Array] | None = field(default=None, compare=False)
    values: Mapping[str, Array] | None = field(default=None, compare=False)
    since: int | None = None

    pattern = layer("l", role="hidden")
    promise = "exact"
    variants = (
        Variant("widen layers, outgoing weights 0", {"count": 2}, bitwise=True),
        Variant("widen layers, given biases", {"count": 2, "values": {"bias": np.array([0.25, -0.5])}}),
        Variant("widen layers, incoming weights 0", {"count": 2, "init": "incoming zero"}, bitwise=True),
        Variant("widen layers by copies", {"count": 2, "init": "duplicate"}),
        Variant("", {"init": "duplicate"}, bitwise=True),
    )
    choices = FrozenDict({"count": (1, 2, 5), "noise": (0.0, 0.5)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1:
            raise OptionError(f"count={self.count} is below 1; a layer widens by at least one vertex.")
        if not 0 <= self.noise <= 1 or (self.noise and self.init != "duplicate"):
            raise OptionError(f"noise={self.noise} is refused; it is from 0 to 1, and 0 unless init='duplicate'.")
        if self.outgoing is not None and self.init != "incoming zero":
            raise OptionError(f"outgoing weights are given, but init={self.init!r}; they need init='incoming zero'.")
        for name in ("incoming", "values", "since"):
            if getattr(self, name) is not None and self.init != "outgoing zero":
                raise OptionError(f"{name} is given, but init={self.init!r}; it needs init='outgoing zero'.")
        for name in ("outgoing", "incoming", "values"):
            if not isinstance(getattr(self, name), Mapping | None):
                raise OptionError(f"{name}={getattr(self, name)!r} is not a mapping; give arrays by name or link.")
        for name, given in (self.values or {}).items():
            if np.shape(given) != (self.count,) or not np.isfinite(given).all():
                raise OptionError(
                    f"values[{name!r}] has shape {np.shape(given)}, expected ({self.count},), one for each new vertex, "
                    "with finite values."
                )

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Conditions on the residual group (hidden, norms that act vertex by vertex), on init and on given values."""
        named = {
            "norms of the group act vertex by vertex": _all_of_group(
                m, lambda x: not get_norm(x.norm).couples_vertices
            ),
            "group has no input or output layer": _all_of_group(m, lambda x: x.role == "hidden"),
        }
        if merges(m.graph):
            heads = attending(m.graph)
            named["no attention reads it"] = _all_of_group(m, lambda x: x.id not in heads)
            named["merges at the group belong to it"] = _all_of_group(m, lambda x: _ties_merges(m.graph, x))
        if self.init == "incoming zero":
            if merges(m.graph):
                named["group has no merge"] = _all_of_group(m, lambda x: x.merge is None)
            named["norm maps 0 to 0"] = _all_of_group(m, _norm_keeps_zero)
            named["activation maps 0 to 0"] = _all_of_group(m, _keeps_zero)
        if self.init == "duplicate":
            wires = {end for k in m.graph.links if k.kind.wires for end in (k.source, k.target)}
            named["layer has no identity wires"] = ~np.isin(m.l.id, list(wires))
        if self.values:
            alone = [group[0] for group in tied_layers(m.graph) if len(group) == 1]
            named["layer with given values is tied to no other"] = np.isin(m.l.id, alone)
            named["layer has the columns of the given values"] = np.array(
                [set(self.values) <= set(x.values) for x in m.l], dtype=bool
            )
        return named

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Add the vertices of all layers first, then their edges, layer by layer."""
        if self.init == "duplicate":
            self._duplicate(m, rw)
            return
        graph, groups = m.graph, _groups(m)
        layers = sorted({i for x in m.l.id.tolist() for i in groups[x]})
        self._check_given(graph, layers)
        values = {name: np.asarray(given) for name, given in (self.values or {}).items()}
        added = {i: rw.add_vertices(graph.layer(i), self.count, **values) for i in layers}
        for i, new in added.items():
            for k in graph.incoming[i]:
                if k.kind.wires:
                    if ties(graph, k):
                        rw.connect(added[k.source], new, weight=1.0, kind=k.kind, port=k.port, frozen=True)
                    continue
                weight = self._incoming(rw, k) if self.init == "outgoing zero" else 0.0
                rw.connect_all(rw.vertices(graph.layer(k.source)), new, weight=weight, kind=k.kind, port=k.port)
                if k.source in groups[i]:
                    rw.connect_all(added[k.source], new, weight=0.0, kind=k.kind, port=k.port)
            for k in graph.outgoing[i]:
                if k.kind.wires:
                    continue
                weight = self._outgoing(rw, k) if self.init == "incoming zero" else 0.0
                rw.connect_all(new, rw.vertices(graph.layer(k.target)), weight=weight, kind=k.kind, port=k.port)

    def _outgoing(self, rw: Rewriter, link: Link) -> Array:
        """Weights from the new vertices to the target's old ones, given or drawn, in the order of `connect_all`."""
        if link.key in (self.outgoing or {}):
            return np.asarray((self.outgoing or {})[link.key]).transpose(1, 0, 2).ravel()
        return self._draw(rw, link, len(rw.graph.layer(link.target)) * self.count * link.kind.taps)

    def _incoming(self, rw: Rewriter, link: Link) -> Array:
        """Weights from the source's old vertices to the new ones, given or drawn, in the order of `connect_all`."""
        if link.key in (self.incoming or {}):
            return np.asarray((self.incoming or {})[link.key]).ravel()
        old = self._old(rw.graph.layer(link.source))
        weight = np.zeros((self.count, len(old), link.kind.taps))
        weight[:, old] = self._draw(rw, link, weight[:, old].size).reshape(self.count, -1, link.kind.taps)
        return weight.ravel()

    def _old(self, source: Layer) -> Array:
        """Mask of the vertices of a layer that are older than the growth, see `since`: `(vertices,)`."""
        return np.ones(len(source), dtype=bool) if self.since is None else source.vertex_ids < self.since

    def _check_given(self, graph: Graph, layers: list[int]) -> None:
        """Check shapes and values of the given weights."""
        for name, way, links, end in (
            ("outgoing", "out of", graph.outgoing, 1),
            ("incoming", "into", graph.incoming, 0),
        ):
            known = {k.key: k for i in layers for k in weighted(links[i])}
            for key, given in (getattr(self, name) or {}).items():
                if key not in known:
                    raise RewriteError(f"{name} names {key}, no link with weights {way} a layer that is widened.")
                shape = (self.count, len(graph.layer(key[end])), known[key].kind.taps)
                if np.shape(given) != shape or not np.isfinite(given).all():
                    other = "targets" if end else "sources"
                    raise RewriteError(
                        f"{name}[{key}] has shape {np.shape(given)}, expected {shape}, (new vertices, {other}, taps), "
                        "with finite values."
                    )

    def _draw(self, rw: Rewriter, link: Link, size: int) -> Array:
        graph = rw.graph
        fed_by = weighted(graph.incoming[link.target])
        fan_in = sum(int(self._old(graph.layer(k.source)).sum()) * k.kind.taps for k in fed_by)
        return rw.rng.normal(0.0, np.sqrt(2.0 / max(fan_in, 1)), size)

    def _duplicate(self, m: Matches, rw: Rewriter) -> None:
        parts = [np.empty(0, np.int64)]
        for x in m.l:
            extra = np.full(len(x), self.count // len(x))
            extra[rw.rng.permutation(len(x))[: self.count % len(x)]] += 1
            parts.append(1 + extra)
        rw.split_vertices(rw.vertices(m.l), np.concatenate(parts), noise=self.noise)

    def claim(self, m: Matches) -> Level | None:
        """Exact: only new vertices read the new ones, or the new ones are 0, or shares add up without rounding."""
        return "exact"


def _groups(m: Matches) -> dict[int, tuple[int, ...]]:
    """Residual group of each layer, by id."""
    return {i: group for group in tied_layers(m.graph) for i in group}


def _all_of_group(m: Matches, holds: Callable[[Layer], bool]) -> Array:
    """Mask of the matches for which `holds` is true of all layers of the group, `(matches,)`."""
    good = [i for group in tied_layers(m.graph) if all(holds(m.graph.layer(i)) for i in group) for i in group]
    return np.isin(m.l.id, good)


def _ties_merges(graph: Graph, x: Layer) -> bool:
    """Whether the wires into a layer that merges, and those from a layer into merges, tie both ends."""
    into = graph.incoming[x.id] if x.merge is not None else ()
    out = (k for k in graph.outgoing[x.id] if graph.layer(k.target).merge is not None)
    return all(ties(graph, k) for k in (*into, *out))


def _norm_keeps_zero(x: Layer) -> bool:
    """Whether the norm maps 0 to 0 in train and in eval mode, with vertex parameters at their initial values."""
    norm = get_norm(x.norm)
    start = {name: np.array([value]) for name, value in norm.columns.items()}
    return not any(norm.function(np.zeros((1, 1)), start, x.norm_epsilon, train).any() for train in (False, True))


def _keeps_zero(x: Layer) -> bool:
    """Whether the activation maps 0 to 0, with vertex parameters at their initial values."""
    activation = get_activation(x.activation)
    start = {name: np.array([value]) for name, value in required_columns("hidden", "none", x.activation).items()}
    return bool(activation.function(np.zeros(1), start, x.slope)[0] == 0)
