"""An activation from outside of the package, in one file: bounded, proved, split, drawn, saved and loaded."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from toy_activation import BENT, SOFTSIGN, SQUAREPLUS, registered

import netgraph as ng
from compilers import lower
from netgraph import testing
from netgraph.errors import FileFormatError, GraphError, OptionError
from netgraph.graph import ACTIVATIONS, get_activation, register_activation
from netgraph.graph.activations import contradiction
from netgraph.proof.rounding import rounding_allowance
from netgraph.rules import InsertLayer, PruneEdges, SplitEdges
from netgraph.testing.compare import default_inputs

TOYS = ("squareplus", "softsign")


@pytest.fixture(autouse=True, scope="module")
def toys():
    known = list(ACTIVATIONS)
    with registered(SQUAREPLUS, SOFTSIGN):
        yield
    assert list(ACTIVATIONS) == known


def net(*, activations=TOYS, domain=(-1, 1)):
    """A hidden layer of each activation, with edges of weight 0 among the others."""
    b = ng.GraphBuilder(seed=0, dtype=np.float64)
    last = b.input("x", 3, domain=domain)
    for name in activations:
        b.layer(name, 4, activation=name)
        b.dense(last, name)
        last = name
    b.output("y", 2)
    b.dense(last, "y")
    graph = b.build()
    rng = np.random.default_rng(0)
    weight = rng.normal(size=len(graph.edges)) * (rng.random(len(graph.edges)) < 0.7)
    names = {name for layer in graph.layers for name in layer.values} & {"gain", "bias"}
    return graph.with_weights(weight, vertices={name: rng.normal(size=graph.num_vertices) for name in sorted(names)})


ANY = st.deferred(lambda: testing.graphs(kinds=("dense", "skip", "conv"), exact=False, activations=TOYS, min_layers=1))


def test_the_interpreter_evaluates_it():
    graph = net()
    x = np.random.default_rng(1).uniform(-1, 1, (5, 3))
    x_to, to_y, mid = (graph.links[ends] for ends in (("x", "squareplus"), ("softsign", "y"), TOYS))
    a, b, y = (graph.layers[name] for name in (*TOYS, "y"))

    def sums(link, target, values):
        matrix = np.zeros((len(target), values.shape[1]))
        matrix[link.dst, link.src] = link.weight
        return values @ matrix.T + target.bias

    z = sums(x_to, a, x)
    z = sums(mid, b, (z + np.sqrt(z * z + 4)) / 2)
    wanted = sums(to_y, y, b.values["gain"] * z / (1 + np.abs(z)))
    np.testing.assert_allclose(ng.interpret(graph, x), wanted, rtol=1e-12)


@given(graph=ANY)
@settings(max_examples=15)
def test_its_values_lie_in_their_bounds_and_rounding_in_its_allowance(graph):
    x = default_inputs(graph)
    values = ng.interpret_layers(graph, x)
    bounds = graph.bounds()
    for layer in graph.layers.values():
        low, high = (np.reshape(end, (1, -1, *[1] * len(layer.output_grid))) for end in bounds[layer.name])
        room = 1e-9 * (1 + np.abs(values[layer.name]).max())
        assert (values[layer.name] >= low - room).all()
        assert (values[layer.name] <= high + room).all()
    assert all(np.isfinite(v).all() for v in rounding_allowance(graph).values()) or np.isinf(bounds.high).any()


def test_a_prune_of_edges_of_weight_0_is_exact():
    result = ng.apply(PruneEdges(), net(), require="exact")
    assert result.changed


@pytest.mark.parametrize("name", TOYS)
def test_a_change_of_a_weight_is_bounded_soundly(name):
    graph = net(activations=(name,))
    moved = graph.with_weights(graph.edges.weight + np.where(graph.edges.id == 1, 0.125, 0.0))
    certificate = ng.certify(graph, moved)
    x = np.random.default_rng(2).uniform(-1, 1, (500, 3))
    change = np.abs(ng.interpret(moved, x) - ng.interpret(graph, x)).max()
    assert certificate.level == "bounded"
    assert 0 < change <= certificate.bound < 1


def test_what_a_rule_can_do_with_it_follows_from_its_record():
    graph = net(activations=("squareplus",))
    rule = SplitEdges(activation="squareplus", cross="none")
    result = ng.apply(rule, graph, limit=3, require="exact")
    assert result.rule.claim(result.matches) == "exact"
    assert len(result.delta.vertices_added) == 6  # a pair each
    with pytest.raises(
        OptionError, match=r"activation='softsign' of SplitEdges splits no edge: .* 'relu', .*'squareplus'"
    ):
        SplitEdges(activation="softsign")
    with pytest.raises(OptionError, match="activation='squareplus' is none of 'identity'"):
        InsertLayer(activation="squareplus")


def test_the_smallest_record_of_the_docs_is_complete():
    try:
        from smallest_activation import ARCTAN

        assert get_activation("arctan") is ARCTAN
        assert not contradiction(ARCTAN)
        graph = net(activations=("arctan",))
        x = np.random.default_rng(0).uniform(-1, 1, (20, 3))
        trained = lower(graph)(torch.tensor(x, dtype=torch.float32)).detach().numpy()
        assert np.abs(trained - ng.interpret(graph, x)).max() < 1e-5
        assert ng.apply(ng.rules.PruneEdges(below=0.1), graph).certificate.level in ("bounded", "exact")
        with pytest.raises(OptionError, match="activation='arctan' of SplitEdges splits no edge: its record has no"):
            SplitEdges(activation="arctan")
    finally:
        ACTIVATIONS.remove("arctan")
        sys.modules.pop("smallest_activation", None)


def test_rules_keep_their_promises_with_it():
    for rule in (SplitEdges(activation="squareplus"), PruneEdges(), PruneEdges(below=0.5)):
        testing.check_rule(rule, graphs=ANY, max_examples=8)


def test_an_identity_is_inserted_from_its_record():
    with registered(BENT):
        graph = net(activations=("tanh",))
        result = ng.apply(InsertLayer(activation="bent"), graph, require="exact")
        added = [layer for layer in result.graph.layers if layer.activation == "bent"]
        assert len(added) == 2
        assert all((layer.values["bend"] == 0).all() for layer in added)


def test_strategies_draw_it():
    some = testing.graphs(kinds="dense", exact=False, min_layers=1, max_layers=1, norms="none")
    quick = settings(phases=[Phase.generate], database=None, max_examples=500)
    for name in TOYS:
        found = find(some, lambda graph, name=name: graph.layers["h"].activation == name, settings=quick)
        assert f"activation='{name}'" in testing.to_code(found)


def test_a_file_with_it_is_read_where_it_is_registered(tmp_path):
    graph = net()
    ng.save(graph, tmp_path / "toy.ngraph")
    assert ng.load(tmp_path / "toy.ngraph").equals(graph)


def test_a_file_with_an_activation_that_is_not_registered_says_how_to_register_it(tmp_path):
    with registered(BENT):
        ng.save(net(activations=("bent",)), tmp_path / "bent.ngraph")
    with pytest.raises(FileFormatError, match=r"Unknown activation 'bent'.*netgraph\.graph\.register_activation"):
        ng.load(tmp_path / "bent.ngraph")


# -- registration -----------------------------------------------------------------------------------


def test_no_shipped_record_contradicts_itself():
    for activation in ACTIVATIONS.values():
        assert contradiction(activation) == "", activation


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(OptionError, match="There is an activation 'relu' already"):
        register_activation(replace(SQUAREPLUS, name="relu"))
    with pytest.raises(OptionError, match="cannot be called 'my activation'"):
        register_activation(replace(SQUAREPLUS, name="my activation"))
    with pytest.raises(OptionError, match="takes an Activation, not 'relu'"):
        register_activation("relu")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"function": lambda z, p, s: z[:, 0]}, "function gives an array of shape"),
        ({"function": lambda z, p, s: 1 / 0}, "fails on a few numbers: ZeroDivisionError"),
        ({"derivatives": lambda z, p, s: (np.ones_like(z), {})}, r"derivatives gives df/dz = 1 at z = -6, where diff"),
        ({"derivatives": lambda z, p, s: ((1 + z / np.sqrt(z * z + 4)) / 2, {"v": z})}, r"\['v'\] by parameters, exp"),
        (
            {"interval": lambda low, high, p, s: (np.zeros(len(low)), np.ones(len(low)))},
            "interval .* leaves out values",
        ),
        ({"interval": lambda low, high, p, s: (low[:1], high)}, "interval gives ends of shapes"),
        ({"slopes": lambda low, high, p, s: (low * 0, low * 0)}, "slopes gives NaN"),
        ({"slopes": lambda low, high, p, s: (np.zeros(len(low)), np.zeros(len(low)))}, "slopes gives .* quotients"),
        ({"terms": lambda low, high, p, s: np.full(len(low), -1.0)}, "terms gives no"),
        ({"affine": lambda low, high, p, s: (np.ones(len(low)), np.zeros(len(low)))}, r"affine says f\(t\) = 1 t"),
        ({"mirror": lambda p, s: (-1.0, 0.0, 0.0, 0.0)}, r"mirror says f\(-t\) = -1 f\(t\)"),
        ({"homogeneous": True}, "homogeneous=True, but"),
        ({"exact": True}, "exact=True, but"),
        ({"function": lambda z, p, s: (z + np.sqrt(z * z + 4)) / 2 + (s - 0.01)}, "depend on the slope of the layer"),
        ({"identity_at": {}}, r"identity_at=\{\}, but there f\(t\) is not t"),
        ({"identity_at": {"v": 1.0}}, "identity_at names"),
        ({"at_once": lambda z, p, s: ACTIVATIONS["relu"].value_and_derivatives(z, p, s)}, "at_once disagrees"),
        ({"parameters": {"bias": 0.0}}, "parameter 'bias' is a vertex column"),
        ({"parameters": {"scale": 0.0}}, "parameter 'scale' is a vertex column"),
        ({"parameters": {"v": np.inf}}, "parameter 'v' starts at inf"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes, words):
    with pytest.raises(OptionError, match=f"Activation 'other'.*{words}"):
        register_activation(replace(SQUAREPLUS, name="other", **changes))
    assert "other" not in ACTIVATIONS
    with pytest.raises(GraphError, match="Unknown activation 'other'"):
        get_activation("other")
