"""Random graphs and rewrites for tests.

Weights, biases and inputs are multiples of 1/8, so that piecewise-linear graphs without norms are evaluated
without rounding in float64, and two of them can be compared bit for bit.
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from hypothesis import strategies as st

import netgraph as ng
from netgraph import testing
from netgraph.rewriting import Rule
from netgraph.testing.strategies import DOMAINS

EXACT = ("relu", "leaky_relu", "prelu", "identity")
seeds = st.integers(0, 2**20)


def dyadic(rng, size, limit=2):
    return rng.integers(-8 * limit, 8 * limit + 1, size) / 8


def with_dyadic_values(graph, rng):
    """The same topology with dyadic weights and biases; batch statistics and norms at random."""
    columns = {name for layer in graph.layers.values() for name in layer.values} - {"low", "high"}
    n = graph.num_vertices
    vertices = {name: dyadic(rng, n, 1) for name in sorted(columns)}
    if "var" in vertices:
        vertices["var"] = np.abs(vertices["var"]) + 0.5
    return graph.with_weights(dyadic(rng, len(graph.edges)), vertices=vertices)


def dense_graphs(**options):
    """DAGs of dense layers with skip links, several inputs and outputs, and missing edges."""
    return testing.graphs(kinds=("dense", "skip"), **options)


@st.composite
def conv_graphs(draw, *, exact=True):
    """Maps through a convolution, a residual block, a pool and a dense layer over the whole grid."""
    rng = np.random.default_rng(draw(seeds))
    b = ng.GraphBuilder(dtype=np.float64)
    side = draw(st.integers(5, 6))
    b.input("x", draw(st.integers(1, 2)), grid=(side, side), domain=draw(st.sampled_from([(0, 1), (-1, 1)])))
    norm = "none" if exact else draw(st.sampled_from(["none", "batch"]))
    stride = draw(st.integers(1, 2))
    half = (-(-side // stride),) * 2
    b.layer("a", draw(st.integers(1, 3)), grid=(side, side), norm=norm)
    b.conv2d("x", "a", kernel=3, padding=1, density=draw(st.sampled_from([0.5, 1.0])))
    b.layer("z", draw(st.integers(1, 3)), grid=half, activation="identity", bias=False)
    b.conv2d("a", "z", kernel=3, padding=1, stride=stride)
    pool = ng.Pool(draw(st.sampled_from(["max", "average"] if not exact else ["max"])), (2, 2), (1, 1))
    b.layer("r", draw(st.integers(1, 3)), grid=half, pool=pool)
    b.identity("z", "r")
    b.identity("a", "r", stride=stride)
    b.output("y", 2)
    b.conv2d("r", "y", kernel=(half[0] - 1, half[1] - 1), density=0.8)
    return with_dyadic_values(b.build(), rng)


def graphs(*, exact=True, domains=DOMAINS):
    """Graphs of every kind."""
    return st.one_of(testing.graphs(exact=exact, domains=domains), conv_graphs(exact=exact))


assert_same_outputs = functools.partial(testing.assert_same_outputs, exact=True)
"""Bit for bit, unless told otherwise."""


# -- random rewrites ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Meddle(Rule):
    """Every other edit that the rewriter knows, at random: values, activations, frozen edges, a new side layer."""

    seed: int = 0
    pattern: ClassVar = ng.vertex("v")

    def rewrite(self, m, rw):
        rng, graph = np.random.default_rng(self.seed), rw.graph
        edges = graph.edges
        free = np.flatnonzero(~edges.frozen)
        chosen = ng.rewriting.EdgeRows(graph, free[rng.random(len(free)) < 0.3])
        rw.set_weight(chosen, dyadic(rng, len(chosen)))
        rw.freeze(chosen.take(rng.random(len(chosen)) < 0.5), bool(rng.random() < 0.5))
        hidden = [x for x in graph.layers.values() if x.role == "hidden" and (x.merge is None or x.merge.operates)]
        for layer in graph.layers.values():
            if layer.bias is not None and rng.random() < 0.5:
                start = graph.vertices.offset(layer.id)
                rows = ng.rewriting.VertexRows(graph, start + np.arange(len(layer)))
                rw.set_bias(rows, dyadic(rng, len(layer)))
        if hidden and rng.random() < 0.5:
            rw.set_activation(hidden[int(rng.integers(len(hidden)))], str(rng.choice(EXACT)))
        if not graph.inputs[0].grid and not graph.outputs[0].grid:
            n = rw.add_layer(2, activation=str(rng.choice(EXACT)), name="side")
            rw.connect_all(layer_rows(graph, graph.inputs[0]), n, weight=0.5)
            rw.connect_all(n, layer_rows(graph, graph.outputs[0]), weight=0.25)


def layer_rows(graph, layer):
    start = graph.vertices.offset(layer.id)
    return ng.rewriting.VertexRows(graph, start + np.arange(len(layer)))


def _split(graph, rng):
    ids = graph.edges.id[~graph.edges.frozen]
    cross = str(rng.choice(["selected", "none"]))
    activation = str(rng.choice(["relu", "leaky_relu", "prelu", "gelu"]))
    rule = ng.rules.SplitEdges(cross=cross, activation=activation)
    return ng.draft(rule, graph, on=some(ids, rng)[:6])


def _add(graph, rng):
    order = rng.random(len(ng.find(ng.rules.AddEdges(), graph)))
    return ng.draft(ng.rules.AddEdges(spread=1.0), graph, limit=3, order_by=order, rng=rng)


def _widen(graph, rng):
    init = str(rng.choice(["outgoing zero", "incoming zero", "duplicate"]))
    rule = ng.rules.WidenLayer(count=int(rng.integers(1, 3)), init=init)
    return ng.draft(rule, graph, limit=2, rng=rng)


def _split_vertices(graph, rng):
    rule = ng.rules.SplitVertices(parts=int(rng.integers(2, 4)))
    return ng.draft(rule, graph, on=some(ng.find(rule, graph).v.id, rng)[:4])


def _merge_vertices(graph, rng):
    return ng.draft(ng.rules.MergeVertices(), graph)


def _insert(graph, rng):
    mix = str(rng.choice(["none", "random"]))
    rule = ng.rules.InsertLayer(mix=mix, full=bool(rng.random() < 0.5))
    order = rng.random(len(ng.find(rule, graph)))
    return ng.draft(rule, graph, limit=2, order_by=order, rng=rng)


def _skip(graph, rng):
    rule = ng.rules.AddSkip(spread=1.0)
    order = rng.random(len(ng.find(rule, graph)))
    return ng.draft(rule, graph, limit=1, order_by=order, rng=rng)


def _prune_edges(graph, rng):
    ids = some(graph.edges.id[~graph.edges.frozen], rng)
    return ng.draft(ng.rules.PruneEdges(below=None), graph, on=ids)


def _prune_vertices(graph, rng):
    matches = ng.find(ng.rules.PruneVertices(only_dead=False), graph)
    rule = ng.rules.PruneVertices(only_dead=False)
    return ng.draft(rule, graph, on=some(matches.v.id, rng))


def _meddle(graph, rng):
    return ng.draft(Meddle(seed=int(rng.integers(1000))), graph)


STEPS = (
    _split, _add, _widen, _split_vertices, _merge_vertices, _insert, _skip, _prune_edges, _prune_vertices, _meddle,
)  # fmt: skip


def some(ids, rng):
    """A random third of some ids, at least one where there is one."""
    if not len(ids):
        return ids
    return np.unique(rng.choice(ids, size=max(1, len(ids) // 3)))


def random_rewrite(graph, seed):
    """One random rewrite of any kind, of which nothing is proved; tries others until one changes something."""
    rng = np.random.default_rng(seed)
    for k in rng.permutation(len(STEPS)):
        result = STEPS[k](graph, rng)
        if len(result.matches):
            return result
    raise AssertionError("a meddling rewrite always changes something")


def history(graph, rewrite_seeds):
    """Random rewrites one after the other, of which nothing is proved."""
    results = []
    for seed in rewrite_seeds:
        results.append(random_rewrite(graph, seed))
        graph = results[-1].graph
    return results
