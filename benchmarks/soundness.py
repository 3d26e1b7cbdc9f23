"""Check certificates against measurements, for many random graphs and rewrites, both right and wrong ones.

python -m benchmarks.soundness --pairs 10000 --seed 0
python -m benchmarks.soundness --pairs 10000 --seed 0 --kinds attention tokens
python -m benchmarks.soundness --pairs 10000 --seed 0 --aligned

For every pair the outputs of both graphs are compared in float64, on random inputs, on corners of the domain, and in
train mode as well where the certificate does not assume eval mode. No difference may exceed the certified bound of its
output by more than `rounding_allowance` of the two evaluations. With `--aligned` the new graph loses its ids, names and
order of rows, and gets ids by `aligned` before it is certified.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.graph import get_norm
from netgraph.proof import aligned, rounding_allowance
from netgraph.rewriting import EdgeRows, VertexRows
from netgraph.testing import KINDS, MeddleLayer, graphs, inputs, possible_edits, rewrites, shuffled

UNCERTAIN = tuple(ng.graph.ACTIVATIONS)


@dataclass(frozen=True, kw_only=True)
class SplitInto(ng.Rule):
    """Put vertices on edges, with signs that keep the function only for some sources and activations."""

    activation: str = "gelu"
    signs: tuple[tuple[float, float], ...] = ((1.0, 1.0), (-1.0, -1.0))

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m: Any, rw: ng.Rewriter) -> None:
        """Add one layer per group and sign."""
        for g in m.by("target layer", "port", "source grid", "link kind"):
            for into, out in self.signs:
                n = rw.add_layer(len(g), activation=self.activation, name="split", grid=g.p.grid)
                rw.connect(g.p, n, weight=into)
                rw.connect(n, g.c, weight=out * g.e.weight, tap=g.e.tap, kind=g.e.kind, port=g.e.port[0])
            rw.remove(g.e)


@dataclass(frozen=True, kw_only=True)
class MoveBias(ng.Rule):
    """Move the bias of a layer without activation into its readers; this keeps the function unless they pad."""

    pattern = ng.layer("l", role="hidden")

    def where(self, m: Any, stats: Any) -> Any:
        """Select layers that output their sum, and whose readers have biases."""
        graph = m.graph
        return np.array([
            x.activation == "identity" and get_norm(x.norm).identity and x.pool is None and x.bias is not None
            and all(graph.layer(k.target).bias is not None for k in graph.outgoing[x.id])
            for x in m.l
        ], dtype=bool)  # fmt: skip

    def rewrite(self, m: Any, rw: ng.Rewriter) -> None:
        """Add weights times bias to the biases of the readers, as if every tap read inside of the map."""
        graph = m.graph
        bias = {x.id: x.bias.astype(np.float64) for x in graph.layers if x.bias is not None}
        moved = set(m.l.id.tolist())
        for layer_id in m.l.id.tolist():
            for k in graph.outgoing[layer_id]:
                np.add.at(bias[k.target], k.dst, k.weight * graph.layer(layer_id).bias[k.src])
        for layer_id, values in bias.items():
            rows = graph.vertices.offset(layer_id) + np.arange(len(values))
            rw.set_bias(VertexRows(graph, rows), values - graph.layer(layer_id).bias if layer_id in moved else values)


@dataclass(frozen=True, kw_only=True)
class SetOne(ng.Rule):
    """Set one number or one activation of the graph, and nothing else."""

    what: str = "bias"
    row: int = 0
    value: float | str = 0.5

    pattern = ng.vertex("v")

    def rewrite(self, m: Any, rw: ng.Rewriter) -> None:
        """Set a weight by the row of its edge, or another value by the row of its vertex."""
        graph = m.graph
        if self.what == "weight":
            rw.set_weight(EdgeRows(graph, np.array([self.row])), self.value)
        elif self.what == "activation":
            rw.set_activation(graph.layer(int(graph.vertices.layer[self.row])), str(self.value))
        else:
            rw.set_values(VertexRows(graph, np.array([self.row])), self.what, self.value)


@dataclass(frozen=True)
class Rewritten:
    """A new graph that no rule made."""

    graph: ng.Graph
    rule: None = None


def set_one(draw: Any, graph: ng.Graph) -> ng.rewriting.Rewrite:
    """Draw a rewrite that sets one value."""
    what = draw(
        st.sampled_from(("bias", "weight", "activation", "scale", "shift", "mean", "var", "slope", "v", "c", "l"))
    )
    value: float | str = draw(st.integers(-16, 16)) / 8
    if what == "weight":
        rows = np.flatnonzero(~graph.edges.frozen)
    elif what == "activation":
        hidden = [layer.id for layer in graph.layers if layer.role == "hidden"]
        rows = np.flatnonzero(np.isin(graph.vertices.layer, hidden))
        value = draw(st.sampled_from(UNCERTAIN))
    else:
        rows = np.flatnonzero(~np.isnan(graph.vertices.column(what)))
        value = abs(float(value)) if what == "var" else value
    assume(len(rows))
    row = int(rows[draw(st.integers(0, len(rows) - 1))])
    return ng.draft(SetOne(what=what, row=row, value=value), graph)


def split_into(draw: Any, graph: ng.Graph) -> ng.rewriting.Rewrite:
    """Draw a rewrite that splits edges into pairs or single vertices, with right or wrong signs."""
    signs = draw(st.sampled_from((((1.0, 1.0), (-1.0, -1.0)), ((1.0, 1.0), (-1.0, 1.0)), ((1.0, 1.0),), ((2.0, 0.5),))))
    rule = SplitInto(activation=draw(st.sampled_from(UNCERTAIN)), signs=signs)
    ids = graph.edges.id[~graph.edges.frozen]
    assume(len(ids))
    chosen = draw(st.lists(st.sampled_from(ids.tolist()), min_size=1, max_size=4, unique=True))
    return ng.draft(rule, graph, on=chosen)


def move_bias(draw: Any, graph: ng.Graph) -> ng.rewriting.Rewrite:
    """Draw a rewrite that moves biases, also through padded convolutions."""
    result = ng.draft(MoveBias(), graph)
    assume(result.changed)
    return result


def layer_edited(draw: Any, graph: ng.Graph) -> ng.rewriting.Rewrite:
    """Draw a rewrite of a merge, a norm, an epsilon or an offset, or of the wires into a merge."""
    edits = [(layer.id, what) for layer in graph.layers for what in possible_edits(graph, layer)]
    assume(edits)
    layer_id, what = draw(st.sampled_from(edits))
    result = ng.draft(MeddleLayer(what=what, at=draw(st.integers(0, 5))), graph, on=layer_id)
    assume(result.changed)
    return result


def norms_folded(draw: Any, graph: ng.Graph) -> Rewritten:
    """Fold batch norms into weights and biases, with rounded weights, and wrongly at times: without the epsilon."""
    forgotten, dtype = draw(st.booleans()), draw(st.sampled_from((np.float32, np.float64)))
    layers, links = dict(graph.layers_by_id), dict(graph.links_by_key)
    for layer in graph.layers:
        into = graph.incoming[layer.id]
        if layer.norm != "batch" or layer.merge is not None or any(k.kind.wires for k in into):
            continue
        columns = {name: values.astype(np.float64) for name, values in layer.values.items()}
        factor = columns["scale"] / np.sqrt(columns["var"] + (0 if forgotten else layer.norm_epsilon))
        if not np.isfinite(factor).all():
            continue
        bias = (columns.get("bias", 0.0) - columns["mean"]) * factor + columns["shift"]
        values = {name: v for name, v in layer.values.items() if name not in get_norm("batch").columns}
        layers[layer.id] = replace(layer, norm="none", values={**values, "bias": bias.astype(dtype)})
        for k in into:
            links[k.key] = replace(k, weight=(k.weight * factor[k.dst]).astype(dtype))
    new = ng.Graph(layers.values(), links.values(), next_ids=graph.next_ids)
    assume(any(new.layer(i) is not layer for i, layer in graph.layers_by_id.items()))
    return Rewritten(new)


def sums_copied(draw: Any, graph: ng.Graph) -> Rewritten:
    """Copy the sums under a norm of the whole layer, add sums of 0, change scale and epsilon, rightly or wrongly."""
    fitting = [
        x for x in graph.layers
        if get_norm(x.norm).standard and x.merge is None and x.role == "hidden"
        and not any(k.kind.wires for k in (*graph.incoming[x.id], *graph.outgoing[x.id]))
    ]  # fmt: skip
    assume(fitting)
    layer = draw(st.sampled_from(fitting))
    n = len(layer)
    copied = np.arange(draw(st.sampled_from((n, n, 1, 0))))
    zeros = draw(st.sampled_from((0, 0, 1, n)))
    rows = np.concatenate([np.arange(n), copied, np.zeros(zeros, np.int64)])
    empty = np.arange(len(rows)) >= len(rows) - zeros
    right = Fraction(n + len(copied), len(rows))
    ratio = draw(st.sampled_from((right, right, Fraction(1), Fraction(2))))
    values = {name: v[rows].copy() for name, v in layer.values.items()}
    values["scale"] = (values["scale"] * float(ratio) ** 0.5).astype(values["scale"].dtype)
    if "bias" in values:
        values["bias"][empty] = 0
    epsilon = layer.norm_epsilon * draw(st.sampled_from((float(ratio), 1.0, 1.25)))
    ids = np.concatenate([layer.vertex_ids, graph.next_ids.vertex + np.arange(len(rows) - n)])
    wide = replace(layer, vertex_ids=ids, birth=layer.birth[rows], values=values, norm_epsilon=epsilon)
    shared = np.bincount(rows[~empty], minlength=n) if draw(st.booleans()) else np.ones(n)
    links = {**graph.links_by_key}
    for k in graph.incoming[layer.id]:
        edges = [np.flatnonzero(k.dst == row) for row in rows[~empty]]
        links[k.key] = _link_of(graph, k, edges, "dst", None)
    for k in graph.outgoing[layer.id]:
        edges = [np.flatnonzero(k.src == row) for row in rows]
        links[k.key] = _link_of(graph, links[k.key], edges, "src", shared[rows])
    return Rewritten(ng.Graph({**graph.layers_by_id, layer.id: wide}.values(), links.values()))


def _link_of(graph: ng.Graph, link: ng.graph.Link, edges: list[Any], end: str, shares: Any) -> ng.graph.Link:
    """Link with the given edges at the ends 0, 1, ...; weights are divided by the share of the end."""
    at, row = np.concatenate(edges), np.repeat(np.arange(len(edges)), [len(part) for part in edges])
    columns = {name: values[at] for name, values in link.columns.items()}
    columns["id"] = graph.next_ids.edge + 1000 * link.source + 100_000 * link.target + np.arange(len(at))
    if shares is not None:
        columns["weight"] = (columns["weight"] / shares[row]).astype(columns["weight"].dtype)
    return ng.graph.Link.sorted(link.source, link.target, link.kind, {**columns, end: row}, link.port)


def any_rewrite(draw: Any, graph: ng.Graph) -> ng.rewriting.Rewrite:
    """Draw a rewrite by a shipped rule with any parameters, or a change of a few values."""
    return draw(rewrites(graph))  # type: ignore[no-any-return]


SOURCES: dict[str, Callable[[Any, ng.Graph], ng.rewriting.Rewrite | Rewritten]] = {
    "shipped rules": any_rewrite,
    "one value set": set_one,
    "vertices on edges": split_into,
    "bias moved": move_bias,
    "layers edited": layer_edited,
    "norms folded": norms_folded,
    "sums copied": sums_copied,
}


@dataclass
class Tally:
    """Counts of the checked pairs, and the largest change relative to its bound.

    Attributes:
        pairs: number of pairs.
        levels: number of pairs by source and level of the certificate.
        graphs: number of old graphs by feature, see `features`.
        edits: number of pairs by edit of a layer, see `MeddleLayer`, and level of the certificate.
        closest: largest ratio of a measured change to its bound, for bounds above 1e-6.
        train: number of pairs that were checked in train mode as well.
        align: whether the new graph gets its ids by `aligned`.
    """

    pairs: int = 0
    levels: Counter[tuple[str, str]] = field(default_factory=Counter)
    graphs: Counter[str] = field(default_factory=Counter)
    edits: Counter[tuple[str, str]] = field(default_factory=Counter)
    closest: float = 0.0
    train: int = 0
    align: bool = False

    LEVELS: ClassVar[tuple[str, ...]] = ng.proof.LEVELS

    def add(self, source: str, old: ng.Graph, new: ng.Graph, x: dict[str, Any], edit: str = "") -> None:
        """Check one pair; raises AssertionError where a difference exceeds its bound."""
        certificate = ng.certify(old, aligned(old, new) if self.align else new)
        self.pairs += 1
        self.levels[source, certificate.level] += 1
        self.edits[edit, certificate.level] += bool(edit)
        self.graphs.update(features(old))
        modes: tuple[Literal[False, True], ...] = (False,) if certificate.assumptions else (False, True)
        for train in modes:
            self.train += train
            room = [rounding_allowance(graph, x, train=train) for graph in (old, new)]
            one, two = (by_name(graph, ng.interpret(graph, x, train=train)) for graph in (old, new))
            for name, values in one.items():
                change = np.abs(values - two[name]).reshape(*values.shape[:2], -1).max(axis=(0, 2))
                allowed = np.array(certificate.bounds[name]) + room[0][name] + room[1][name]
                assert (change <= allowed).all(), (source, name, train, change, allowed, certificate)
                bound = np.array(certificate.bounds[name])
                tight = (bound > 1e-6) & np.isfinite(bound)
                if tight.any():
                    self.closest = max(self.closest, float((change[tight] / bound[tight]).max()))


def by_name(graph: ng.Graph, values: Any) -> dict[str, Any]:
    """Outputs by layer name, also for a single output layer."""
    return values if isinstance(values, dict) else {graph.outputs[0].name: values}


def features(graph: ng.Graph) -> set[str]:
    """Features of a graph that are hard for proofs."""
    layers = list(graph.layers)
    found = {get_norm(layer.norm).label for layer in layers} - {""}
    found |= {layer.activation for layer in layers if layer.role == "hidden"}
    found |= {f"{layer.pool.kind} pool" for layer in layers if layer.pool}
    kinds = [k.kind for k in graph.links]
    found |= {type(k).__name__ for k in kinds}
    merges = [layer.merge for layer in layers if layer.merge is not None]
    found |= {type(merge).__name__ for merge in merges}
    found |= {"causal attention" for merge in merges if getattr(merge, "causal", False)}
    found |= {"rotary attention" for merge in merges if getattr(merge, "frequencies", ())}
    found |= {"learned positions" for layer in layers if layer.role == "position"}
    found |= {"ids" for layer in graph.inputs if layer.encoding == "index"}
    found |= {"padding" for k in kinds if k.padded}
    infinite = any(np.isinf(layer.values.get("low", 0)).any() for layer in graph.inputs)
    return found | ({"unbounded domain"} if infinite else set())


def run(pairs: int, number: int, tally: Tally, kinds: Sequence[str] | None = None) -> None:
    """Generate and check pairs in both directions: old to new graph, and new to old.

    Graphs are of the given kinds, see `netgraph.testing.graphs`, or of all.
    """
    source_of = st.sampled_from(sorted(SOURCES))
    domains = ((0.0, 1.0), (-1.0, 1.0), (-np.inf, np.inf), (0.0, np.inf), (-3.0, 2.0))

    @seed(number)
    @settings(max_examples=max(20, pairs // 2), deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def check(data: st.DataObject) -> None:
        source = data.draw(source_of)
        graph = data.draw(graphs(kinds=kinds, exact=data.draw(st.booleans()), domains=domains))
        try:
            result = SOURCES[source](data.draw, graph)
        except RewriteError:
            assume(False)
        x = data.draw(inputs(graph, samples=8, dyadic=data.draw(st.booleans())))
        edit = result.rule.what if isinstance(result.rule, MeddleLayer) else ""
        new = result.graph
        if tally.align:
            new = shuffled(new, np.random.default_rng(data.draw(st.integers(0, 999))))
        tally.add(source, graph, new, x, edit)
        tally.add(f"{source}, undone", new, graph, x, edit)

    check()


def levels_table(title: str, name: str, levels: Counter[tuple[str, str]]) -> Table:
    """Table of the number of pairs by name and level of the certificate."""
    table = Table(title=title)
    table.add_column(name)
    for level in Tally.LEVELS:
        table.add_column(level, justify="right")
    for row in sorted({row for row, _ in levels} - {""}):
        table.add_row(row, *(f"{levels[row, level]:,}" for level in Tally.LEVELS))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--aligned", action="store_true", help="find out what corresponds, and not by id")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=None, help="kinds of graphs; by default all")
    arguments = parser.parse_args()
    tally, started, console = Tally(align=arguments.aligned), time.perf_counter(), Console(width=120)
    number = arguments.seed
    while tally.pairs < arguments.pairs:  # one round may reject too many of its draws
        run(arguments.pairs - tally.pairs, number, tally, arguments.kinds)
        number += 1_000_003
    title = f"{tally.pairs:,} pairs of graphs, seed {arguments.seed}: no difference exceeds its bound"
    console.print(levels_table(title, "rewrite", tally.levels))
    console.print(levels_table("edits of layers", "edit", tally.edits))
    console.print(
        f"{tally.train:,} pairs in train mode as well; largest measured change over its bound: {tally.closest:.3f}; "
        f"{time.perf_counter() - started:.0f} s", highlight=False,
    )  # fmt: skip
    console.print("graphs with " + ", ".join(f"{k} {n:,}" for k, n in tally.graphs.most_common()), highlight=False)


if __name__ == "__main__":
    main()
