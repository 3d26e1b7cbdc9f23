"""Norms from outside of the package, in one file: evaluated, bounded, proved, rewritten, drawn, saved and loaded."""

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from toy_norm import TOYS, registered

import netgraph as ng
from netgraph import testing
from netgraph.errors import FileFormatError, RewriteError
from netgraph.graph import NORMS, register_norm
from netgraph.proof import rounding_allowance
from netgraph.rewriting import Rewriter
from netgraph.rules import MergeVertices, PruneEdges, PruneVertices, SplitVertices, WidenLayer
from netgraph.testing.compare import default_inputs

NAMES = tuple(TOYS)
EVAL = ("centred norm in eval mode",)


@pytest.fixture(autouse=True, scope="module")
def toys():
    known = list(NORMS)
    with registered(*NAMES, tensors=False):
        yield
    assert list(NORMS) == known


def net(*norms, activation="tanh", domain=(-1, 1)):
    """A hidden layer of each norm, with edges of weight 0 among the others."""
    b = ng.GraphBuilder(seed=0, dtype=np.float64)
    last = b.input("x", 3, domain=domain)
    for name in norms:
        b.layer(name, 4, activation=activation, norm=name)
        b.dense(last, name)
        last = name
    b.output("y", 2)
    b.dense(last, "y")
    graph = b.build()
    rng = np.random.default_rng(0)
    weight = rng.normal(size=len(graph.edges)) * (rng.random(len(graph.edges)) < 0.7)
    names = {name for layer in graph.layers for name in layer.values} & {"factor", "centre", "bias"}
    return graph.with_weights(weight, vertices={name: rng.normal(size=graph.num_vertices) for name in sorted(names)})


ANY = st.deferred(lambda: testing.graphs(exact=False, norms=NAMES, min_layers=1))


@pytest.mark.parametrize("train", [False, True])
def test_the_interpreter_evaluates_them(train):
    graph = net(*NAMES)
    x = np.random.default_rng(1).uniform(-1, 1, (5, 3))

    def sums(source, target, values):
        matrix = np.zeros((len(graph.layers[target]), values.shape[1]))
        link = graph.links[source, target]
        matrix[link.dst, link.src] = link.weight
        return values @ matrix.T + graph.layers[target].bias

    h = np.tanh(sums("x", "gain", x) * graph.layers["gain"].values["factor"])
    z = sums("gain", "peak", h)
    h = np.tanh(z / (np.abs(z).max(axis=1, keepdims=True) + 1e-5))
    z = sums("peak", "centred", h)
    h = np.tanh(z - (z.mean(axis=0) if train else graph.layers["centred"].values["centre"]))
    np.testing.assert_allclose(ng.interpret(graph, x, train=train), sums("centred", "y", h), rtol=1e-12)


@given(graph=ANY, train=st.booleans())
@settings(max_examples=25)
def test_values_lie_in_their_bounds(graph, train):
    x = default_inputs(graph)
    values = ng.interpret_layers(graph, x, train=train)
    bounds = graph.bounds(mode="train" if train else "eval")
    for layer in graph.layers.values():
        low, high = (np.reshape(end, (1, -1, *[1] * len(layer.output_grid))) for end in bounds[layer.name])
        room = 1e-9 * (1 + np.abs(values[layer.name]).max())
        assert (values[layer.name] >= low - room).all()
        assert (values[layer.name] <= high + room).all()


def test_rounding_is_allowed_for_where_the_record_knows_it():
    """Of `centred` nothing is said: it may be anything."""
    assert (rounding_allowance(net("gain"))["y"] < 1e-13).all()
    assert (rounding_allowance(net("gain", "peak"))["y"] < 1e-7).all()
    assert np.isinf(rounding_allowance(net("centred"))["y"]).all()


def test_paths_are_multiplied_by_the_factor_of_the_record():
    graph = net("gain")
    layer = graph.layers["gain"]
    other = graph.with_weights(vertices={"factor": np.full(graph.num_vertices, 3.0)})
    ones = graph.with_weights(vertices={"factor": np.ones(graph.num_vertices)})
    totals = [ng.analysis.path_analysis(g).log_total for g in (ones, other)]
    assert totals[1] - totals[0] == pytest.approx(np.log(3.0))
    assert set(layer.values) == {"factor", "bias"}


# -- proof ------------------------------------------------------------------------------------------


def test_a_prune_of_edges_of_weight_0_is_exact_in_both_modes():
    result = ng.apply(PruneEdges(), net(*NAMES), require="exact")
    assert result.changed
    assert result.certificate.assumptions == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_a_weight_is_bounded_soundly(name):
    graph = net(name)
    moved = graph.with_weights(graph.edges.weight + np.where(graph.edges.id == 1, 0.125, 0.0))
    certificate = ng.certify(graph, moved)
    x = np.random.default_rng(2).uniform(-1, 1, (500, 3))
    change = np.abs(ng.interpret(moved, x) - ng.interpret(graph, x)).max()
    assert certificate.level == "bounded"
    assert 0 < change <= certificate.bound < 20
    assert certificate.assumptions == (EVAL if name == "centred" else ())


@pytest.mark.parametrize(("name", "column"), [("gain", "factor"), ("centred", "centre")])
def test_a_change_of_a_column_is_bounded_soundly(name, column):
    graph = net(name)
    moved = graph.with_weights(vertices={column: graph.vertices.column(column) + 0.0625})
    certificate = ng.certify(graph, moved)
    x = np.random.default_rng(2).uniform(-1, 1, (500, 3))
    change = np.abs(ng.interpret(moved, x) - ng.interpret(graph, x)).max()
    assert 0 < change <= certificate.bound < 2


@given(data=st.data())
@settings(max_examples=40)
def test_certificates_of_any_rewrite_are_sound(data):
    graph = data.draw(ANY)
    result = data.draw(testing.rewrites(graph))
    certificate, x = result.certificate, default_inputs(graph)
    if certificate.kind == "unknown":
        return
    for train in (False,) if certificate.eval_only else (False, True):
        old, new = (ng.interpret(g, x, train=train) for g in (graph, result.graph))
        old, new = ({"y": v} if not isinstance(v, dict) else v for v in (old, new))
        for name, bound in certificate.bounds.items():
            if name not in old:
                continue
            change = np.abs(old[name] - new[name]).reshape(len(old[name]), len(bound), -1).max(axis=(0, 2))
            assert (change <= np.asarray(bound) + 1e-7 * (1 + np.abs(old[name]).max())).all()


# -- rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gain", "centred"])
@pytest.mark.parametrize(
    "rule", [SplitVertices(), WidenLayer(), WidenLayer(init="incoming zero"), WidenLayer(init="duplicate")], ids=str
)
def test_vertices_are_added_exactly_where_a_norm_acts_vertex_by_vertex(name, rule):
    result = ng.apply(rule, net(name), rng=0, require="exact")
    assert result.changed
    assert result.certificate.assumptions == ()
    assert len(result.graph.layers[name]) > 4


def test_rules_refuse_a_norm_that_couples_vertices():
    graph = net("peak")
    alone = "norm acts vertex by vertex"
    for rule in (SplitVertices(), MergeVertices(), PruneVertices()):
        assert (alone, 0) in ng.explain(rule, graph).stages
    assert ("norms of the group act vertex by vertex", 0) in ng.explain(WidenLayer(), graph).stages
    rw = Rewriter(graph, np.random.default_rng(0))
    with pytest.raises(RewriteError, match="Layer 'peak' is under peak norm; its vertices cannot be split"):
        rw.split_vertices(rw.vertices(graph.layers["peak"]), 2)


def test_rules_keep_their_promises_with_them():
    for rule in (SplitVertices(), WidenLayer(), PruneEdges(below=0.5)):
        testing.check_rule(rule, graphs=ANY, max_examples=4)


# -- strategies, pictures and files -----------------------------------------------------------------


def test_strategies_draw_them():
    some = testing.graphs(kinds="dense", exact=False, min_layers=1, max_layers=1, activations="relu")
    quick = settings(phases=[Phase.generate], database=None, max_examples=300)
    for name in NAMES:
        found = find(some, lambda graph, name=name: graph.layers["h"].norm == name, settings=quick)
        assert f"norm='{name}'" in testing.to_code(found)
        assert f"{name} norm" in repr(found.layers["h"])
    assert not testing.is_exact(net("gain"))


def test_files_and_hashes_hold_the_name_alone(tmp_path):
    graph = net(*NAMES)
    ng.save(graph, tmp_path / "toy.ngraph")
    assert ng.load(tmp_path / "toy.ngraph").equals(graph)
    assert ng.Graph.from_networkx(graph.to_networkx()).topology_hash == graph.topology_hash


def test_a_file_with_a_norm_that_is_not_registered_says_how_to_register_it(tmp_path):
    from toy_norm import GAIN

    ng.save(net("gain"), tmp_path / "gain.ngraph")
    NORMS.remove("gain")
    try:
        with pytest.raises(FileFormatError, match=r"Unknown norm 'gain'.*netgraph\.graph\.register_norm"):
            ng.load(tmp_path / "gain.ngraph")
    finally:
        register_norm(GAIN)
