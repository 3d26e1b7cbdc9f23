"""Methods on transformers: what they may thin out, grow and widen there, and what they leave alone."""

import numpy as np
import pytest
from fake_context import FakeContext
from tiny_transformer import batch, tiny

import netgraph as ng
from netgraph.analysis import density, isolated, sparse_links
from netgraph.criteria import Walker, path_scores
from netgraph.methods import METHODS, layer_profile, sparse_start

SIZES = {"width": 6, "hidden": 12, "head": "tokens"}
GRAPHS = {
    "ids": tiny(**SIZES, norm="none"),
    "rotary": tiny(**SIZES, groups=1, slots=4, frequencies=(1.0, 0.5), causal=True, ids=False),
    "gated": tiny(**SIZES, gated=True),
}
DENSE = ("q", "k", "stream", "heads", "mix", "y")
"""Layers whose edges stay: of queries and keys, the embedding, wires, and the head."""


def names(graph, ids):
    """Names of the layers to which edges of these ids lead."""
    return {graph.layer(int(i)).name for i in graph.vertices.layer[graph.vertices.rows(np.unique(ids))]}


@pytest.mark.parametrize("start", ["phew", "erk", "er", "uniform"])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_sparse_start_keeps_queries_keys_tables_and_the_head(name, start):
    graph = GRAPHS[name]
    thin = sparse_start(graph, density=0.4, start=start, seed=0).graph
    assert density(thin, sparse_links(thin)) == pytest.approx(0.4, abs=0.12)
    for layer in graph.layers_by_id.values():
        count = sum(map(len, graph.incoming[layer.id]))
        assert (sum(map(len, thin.incoming[layer.id])) == count) == (layer.name in DENSE or not _weighted(graph, layer))
    assert not isolated(thin).any()
    assert np.isfinite(ng.interpret(thin, batch(thin))).all()


def _weighted(graph, layer):
    return any(not k.kind.wires for k in graph.incoming[layer.id])


@pytest.mark.parametrize("where", ["path", "random", "gradient"])
@pytest.mark.parametrize("name", GRAPHS)
def test_growth_never_proposes_an_edge_of_queries_and_keys(name, where):
    spec = METHODS["pwmpr"]
    thin = sparse_start(GRAPHS[name], density=0.3, start="erk", seed=0).graph
    options = spec.make_options(where=where, density=1.0, ratio=1.0, every=1, stop="none", rough=1.0)
    context = FakeContext(thin)
    method = spec.build(thin, options)
    for _ in range(5):
        context.epoch(val_accuracy=0.5)
        for step, result in context.carry_out(method):
            if result is not None:
                assert names(context.graph, step.on[:, 1]).isdisjoint(DENSE)
    assert density(context.graph, sparse_links(context.graph)) == 1
    assert context.graph.num_edges == GRAPHS[name].num_edges


@pytest.mark.parametrize("name", GRAPHS)
def test_scores_of_queries_and_keys_are_0(name):
    thin = sparse_start(GRAPHS[name], density=0.5, start="uniform", seed=0).graph
    ids = {layer: thin.layers[layer].id for layer in ("norm1", "q", "k", "v")}
    chosen = thin.link((ids["norm1"], ids["q"], 0)).id[::2]
    few = ng.draft(ng.rules.PruneEdges(below=None), thin, on=chosen).graph
    assert not path_scores(few, [(ids["norm1"], ids["q"], 0)]).positive()
    assert path_scores(few, [(ids["norm1"], ids["v"], 0)]).positive()


@pytest.mark.parametrize("name", GRAPHS)
def test_walks_lead_from_inputs_to_outputs_past_queries_keys_and_positions(name):
    graph, rng = GRAPHS[name], np.random.default_rng(0)
    for forward, role in ((True, "input"), (False, "output")):
        rows = np.flatnonzero(
            np.isin(graph.vertices.layer, [x.id for x in graph.layers_by_id.values() if x.role == role])
        )
        steps = Walker(graph, forward=forward).walk(np.tile(rows, 20), rng)
        passed = names(graph, graph.edges.target[steps.edge]) | names(graph, graph.edges.source[steps.edge])
        assert passed.isdisjoint({"q", "k", "heads", "positions"})
        assert {"mix", "v", "mlp", "out", "x", "y"} <= passed


def test_walks_start_at_inputs_from_which_a_path_leads_on():
    b = ng.GraphBuilder(dtype=np.float64)
    for name in ("asked", "read"):
        b.input(name, 3, grid=(4,), domain=(-1, 1))
        b.layer(f"{name} on", 4, grid=(4,))
        b.dense(name, f"{name} on")
    for name, source in (("q", "asked on"), ("k", "read on"), ("v", "read on")):
        b.layer(name, 4, grid=(4,), activation="identity")
        b.dense(source, name)
    b.mix("mix", b.attend("heads", "q", "k", heads=2), "v")
    b.layer("h", 5, grid=(4,))
    b.dense("mix", "h")
    b.output("y", 2, grid=(4,))
    b.dense("h", "y")
    graph = b.build()
    thin = sparse_start(graph, density=0.5, start="phew", seed=0).graph
    links = {(thin.layer(s).name, thin.layer(t).name) for s, t, _port in sparse_links(thin)}
    assert links == {("read on", "v"), ("mix", "h")}
    assert len(thin.links["asked on", "q"]) == 16


def test_nagn_widens_mlps_and_not_attention():
    for name, grows in (("rotary", {"mlp"}), ("gated", {"gate", "up"})):
        graph = GRAPHS[name]
        stats = ng.Statistics(graph.topology_hash, vertices={"rms_gradient": np.ones(graph.num_vertices)}, batches=1)
        profile = layer_profile(graph, stats)
        assert {n for n, free in zip(profile.names, profile.growable, strict=True) if free} == grows


OPTIONS = {
    "ssonn": {"select": "top-k", "amount": 6.0, "plateau": 10.0, "spacing": 1, "final_edges": 150},
    "imp": {"level_epochs": 2},
    "imp-c": {"level_epochs": 2},
    "gradmax": {"every": 2, "random": True},
    **{name: {} for name in ("pwmp", "pwmpr-prune", "rigl", "set")},
}


@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize("name", GRAPHS)
def test_methods_rewrite_transformers(name, method):
    spec, graph = METHODS[method], GRAPHS[name]
    if spec.kind in ("growth", "fixed"):
        graph = sparse_start(graph, density=0.3, start="phew", seed=0).graph
    made = spec.resolve(spec.make_options(**OPTIONS[method]), graph)
    context, done = FakeContext(graph, epochs=6), []
    for _ in range(5):
        context.epoch(val_accuracy=0.5)
        done += context.carry_out(spec.build(graph, made))
    # A product that reads two vertices of value 0 has no gradient, so that GradMax widens no gated group.
    assert any(result is not None for _step, result in done) == ((name, method) != ("gated", "gradmax"))
    assert np.isfinite(ng.interpret(context.graph, batch(context.graph))).all()
