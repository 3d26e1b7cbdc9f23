"""A rule that makes wrong edits of whole layers: other merges, norms and positions, and wires at other places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer, LinkKind, Place, get_norm
from netgraph.rewriting import EdgeRows, Matches, NewVertices, Pattern, Rewriter, Rule, layer

Edit = Callable[[Rewriter, Layer, int], None]
"""Edit of a layer; the number selects one of several places or values."""


@dataclass(frozen=True, kw_only=True)
class MeddleLayer(Rule):
    """A wrong rule: it edits every matched hidden layer in one way, even if the function changes.

    Attributes:
        what: one of `LAYER_EDITS`, such as "scale" or "heads".
        at: number that selects one of several places or values.
    """

    what: str = "epsilon"
    at: int = 0

    pattern: ClassVar[Pattern] = layer("l", role="hidden")

    def where(self, m: Matches, _stats: Any) -> Any:
        """Accept layers that can be edited in this way."""
        return np.array([self.what in possible_edits(m.graph, x) for x in m.l], dtype=bool)

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Make the edit."""
        for x in m.l:
            LAYER_EDITS[self.what][1](rw, x, self.at)


def possible_edits(graph: Graph, layer: Layer) -> tuple[str, ...]:
    """Return the names in `LAYER_EDITS` that a layer can be edited by."""
    if layer.role != "hidden":
        return ()
    return tuple(name for name, (fits, _) in LAYER_EDITS.items() if fits(graph, layer))


# -- attributes -----------------------------------------------------------------------------------


def _scale(rw: Rewriter, layer: Layer, at: int) -> None:
    """Multiply the scale of attention by 2, -1 or 1/2."""
    merge: Any = layer.merge
    rw.set_merge(layer, replace(merge, scale=merge.scale * (2.0, -1.0, 0.5)[at % 3]))


def _causal(rw: Rewriter, layer: Layer, _at: int) -> None:
    """Hide or show later positions."""
    merge: Any = layer.merge
    rw.set_merge(layer, replace(merge, causal=not merge.causal))


def _frequencies(rw: Rewriter, layer: Layer, at: int) -> None:
    """Change one frequency of the rotation, or take the rotation away."""
    merge: Any = layer.merge
    one = at % (len(merge.frequencies) + 1)
    changed = [f + (k == one) for k, f in enumerate(merge.frequencies)] if one < len(merge.frequencies) else []
    rw.set_merge(layer, replace(merge, frequencies=tuple(changed)))


def _epsilon(rw: Rewriter, layer: Layer, at: int) -> None:
    """Set another epsilon of the norm."""
    rw.set_activation(layer, layer.activation, norm_epsilon=layer.norm_epsilon * 2 + (0.0, 0.5)[at % 2])


def _norm(rw: Rewriter, layer: Layer, at: int) -> None:
    """Replace the norm by another one, with the same values where both have them."""
    others = [name for name in ("layer", "rms", "none") if name != layer.norm]
    _replace(rw, layer, norm=others[at % len(others)])


def _offset(rw: Rewriter, layer: Layer, at: int) -> None:
    """Read positions one later or one earlier."""
    moves = _moves(rw.graph, layer)
    step = moves[at % len(moves)]
    _replace(rw, layer, lambda kind: Place(kind.offset + step) if kind.places else kind)


def _moves(graph: Graph, layer: Layer) -> list[int]:
    """Steps by which the wires of a layer may move and still read some position each."""
    reads = [(k.kind, graph.layer(k.source).output_grid) for k in graph.incoming[layer.id] if isinstance(k.kind, Place)]

    def fits(step: int) -> bool:
        overlaps = [Place(kind.offset + step).overlap(grid, layer.grid) for kind, grid in reads]
        return all(start < stop for start, stop in overlaps)

    return [step for step in (1, -1) if reads and fits(step)]


def _replace(rw: Rewriter, layer: Layer, kind: Callable[[Any], LinkKind] = lambda kind: kind, **changes: Any) -> None:
    """Put another layer in the place of one, with its edges, and with other attributes or kinds of incoming links."""
    attributes = {k: v for k, v in {**layer.attributes, **changes}.items() if k not in ("name", "role")}
    needed = replace(layer, values={}, **changes).required_columns()
    bias = layer.bias is not None
    values = {k: v for k, v in layer.values.items() if k in needed or k == "bias"}
    new = rw.add_layer(len(layer), name="other", bias=bias, values=values, **attributes)
    edges, graph = rw.graph.edges, rw.graph
    for link in (*graph.incoming[layer.id], *graph.outgoing[layer.id]):
        rows = edges.offset(link.key) + np.arange(len(link))
        into = link.target == layer.id
        mine = NewVertices(new.id[link.dst if into else link.src], new.layer_id, new.grid)
        others = rw.vertices(rows=(edges.source_row if into else edges.target_row)[rows])
        source, target = (others, mine) if into else (mine, others)
        rw.connect(
            source, target, weight=link.weight, tap=link.tap, kind=kind(link.kind) if into else link.kind,
            port=link.port, frozen=link.frozen,
        )  # fmt: skip
    rw.remove(layer)


# -- wires ----------------------------------------------------------------------------------------


def _ports(rw: Rewriter, layer: Layer, at: int) -> None:
    """Exchange the two ports of a vertex."""
    rows = _wires(rw.graph, layer)
    mine = rows[rw.graph.edges.target_row[rows] == _row(rw.graph, layer, at)]
    _move(rw, mine, port=1 - rw.graph.edges.port[mine])


def _slots(rw: Rewriter, layer: Layer, at: int) -> None:
    """Exchange the slots of a head at one port, or at both: with the second slot the first, and so on."""
    edges, rows = rw.graph.edges, _wires(rw.graph, layer)
    for port in ((0,), (1,), (0, 1))[at % 3]:
        mine = rows[(edges.target_row[rows] == _row(rw.graph, layer, at)) & (edges.port[rows] == port)]
        mine = mine[np.argsort(edges.tap[mine])]
        _move(rw, mine, tap=np.roll(edges.tap[mine], 1))


def _heads(rw: Rewriter, layer: Layer, at: int) -> None:
    """Exchange what two vertices read at one port."""
    edges, rows = rw.graph.edges, _wires(rw.graph, layer)
    one, two = _row(rw.graph, layer, at), _row(rw.graph, layer, at + 1)
    mine = rows[np.isin(edges.target_row[rows], (one, two)) & (edges.port[rows] == at // len(layer) % 2)]
    slots = [set(edges.tap[mine[edges.target_row[mine] == row]].tolist()) for row in (one, two)]
    mine = mine[np.isin(edges.tap[mine], list(slots[0] & slots[1]))]
    _move(rw, mine, target_row=one + two - edges.target_row[mine])


def _biases(rw: Rewriter, layer: Layer, at: int) -> None:
    """Exchange the biases of what two ports read in one slot."""
    edges, rows = rw.graph.edges, _wires(rw.graph, layer)
    mine = rows[edges.target_row[rows] == _row(rw.graph, layer, at)]
    mine = mine[edges.tap[mine] == edges.tap[mine[0]]]
    ends = rw.vertices(rows=edges.source_row[mine])
    rw.set_bias(ends, ends.column("bias")[::-1])


def _move(rw: Rewriter, rows: Array, **places: Array) -> None:
    """Remove wires, given by rows, and connect them at other ports, taps or targets."""
    edges = rw.graph.edges
    port, tap, target = (places.get(k, getattr(edges, k)[rows]) for k in ("port", "tap", "target_row"))
    old = list(zip(edges.port[rows], edges.source_row[rows], edges.target_row[rows], edges.tap[rows], strict=True))
    new = list(zip(port, edges.source_row[rows], target, tap, strict=True))
    rw.remove(EdgeRows(rw.graph, rows[[place not in set(new) for place in old]]))  # others change places unseen
    moved = np.array([place not in set(old) for place in new], dtype=bool)
    for p in np.unique(port[moved]).tolist():
        chosen = moved & (port == p)
        source = edges.source_row[rows[chosen]]
        kinds = list(rw.graph.links_by_key.values())
        rw.connect(
            rw.vertices(rows=source), rw.vertices(rows=target[chosen]), weight=1.0, tap=tap[chosen],
            kind=kinds[int(edges.link[rows[chosen]][0])].kind, port=int(p), frozen=True,
        )  # fmt: skip


def _wires(graph: Graph, layer: Layer) -> Array:
    """Rows of the edges into a layer."""
    return np.flatnonzero(graph.vertices.layer[graph.edges.target_row] == layer.id)


def _row(graph: Graph, layer: Layer, at: int) -> int:
    return int(graph.vertices.offset(layer.id) + at % len(layer))


# -- which edits fit ------------------------------------------------------------------------------


def _merges(_graph: Graph, layer: Layer) -> bool:
    return layer.merge is not None


def _attends(_graph: Graph, layer: Layer) -> bool:
    return layer.merge is not None and layer.merge.slotted


def _rotates(graph: Graph, layer: Layer) -> bool:
    return _attends(graph, layer) and bool(layer.merge.frequencies)  # type: ignore[union-attr]


def _normed(_graph: Graph, layer: Layer) -> bool:
    return not get_norm(layer.norm).identity


def _coupled(_graph: Graph, layer: Layer) -> bool:
    return layer.norm in ("layer", "rms")


def _reads_positions(graph: Graph, layer: Layer) -> bool:
    return bool(_moves(graph, layer))


def _exchangeable(graph: Graph, layer: Layer) -> bool:
    """Whether both ports read the same grids from layers that may be read at either."""
    reads = {graph.layer(k.source).output_grid for k in graph.incoming[layer.id]}
    return layer.merge is not None and len(reads) == 1


def _several(_graph: Graph, layer: Layer) -> bool:
    return layer.merge is not None and len(layer) > 1


def _biased(graph: Graph, layer: Layer) -> bool:
    return layer.merge is not None and all(graph.layer(k.source).bias is not None for k in graph.incoming[layer.id])


Fits = Callable[[Graph, Layer], bool]

LAYER_EDITS: Mapping[str, tuple[Fits, Edit]] = {
    "scale": (_attends, _scale),
    "causal": (_attends, _causal),
    "frequencies": (_rotates, _frequencies),
    "slots": (_attends, _slots),
    "heads": (_several, _heads),
    "ports": (_exchangeable, _ports),
    "biases": (_biased, _biases),
    "epsilon": (_normed, _epsilon),
    "norm": (_coupled, _norm),
    "offset": (_reads_positions, _offset),
}
"""Edits of layers by name, each with the layers that it fits."""
