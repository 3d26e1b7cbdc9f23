"""Graphs as code, and the comparison of functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph.errors import GraphError, NetgraphError, OptionError
from netgraph.testing import (
    Case,
    RuleCheckError,
    assert_same_outputs,
    check_rule,
    graphs,
    rewrites,
    rule_check,
    to_code,
    with_ids,
)


def built(code):
    names = {}
    exec(code, names)
    return names["graph"]


@settings(max_examples=80)
@given(st.booleans().flatmap(lambda exact: graphs(exact=exact)))
def test_code_builds_the_same_graph(graph):
    assert built(to_code(graph)).equals(graph)


@settings(max_examples=80)
@given(graphs(exact=False).flatmap(rewrites))
def test_code_of_a_rewritten_graph_builds_it_with_its_ids(result):
    again = built(to_code(result.graph))
    assert again.equals(result.graph)
    if result.changed:  # as its history goes on: the delta leads back
        assert ng.apply_delta(again, result.delta.inverse())[0].equals(
            ng.apply_delta(result.graph, result.delta.inverse())[0]
        )


@settings(max_examples=40)
@given(graphs().flatmap(rewrites), st.data())
def test_code_keeps_any_ids(result, data):
    graph = result.graph

    def ids(n):
        return data.draw(st.lists(st.integers(0, 3 * n), min_size=n, max_size=n, unique=True))

    other = with_ids(graph, layers=sorted(ids(graph.num_layers)), vertices=ids(graph.num_vertices),
                     edges=ids(len(graph.edges)))  # fmt: skip
    assert built(to_code(other)).equals(other)


def test_ids_are_written_only_where_they_are_not_those_of_a_fresh_graph():
    graph = ng.mlp([2, 1], bias=False).with_weights([1.0, 0.5])
    assert "with_ids" not in to_code(graph)
    other = with_ids(graph, vertices=[0, 5, 4])
    assert to_code(other) == (
        "import numpy as np\n"
        "from netgraph import GraphBuilder\n"
        "from netgraph.testing import with_ids\n"
        "\n"
        "b = GraphBuilder(dtype=np.float32)\n"
        "b.input('input', 2)\n"
        "b.output('output', 1, bias=False)\n"
        "b.edges('input', 'output', [0, 1], [0, 0], weight=[1.0, 0.5])\n"
        "graph = b.build()\n"
        "graph = with_ids(\n"
        "    graph,\n"
        "    vertices=[0, 5, 4],\n"
        ")\n"
    )


def test_ids_that_do_not_fit_are_refused():
    graph = ng.mlp([2, 1])
    with pytest.raises(GraphError, match=r"vertices has shape \(2,\), expected \(3,\)"):
        with_ids(graph, vertices=[0, 1])
    with pytest.raises(GraphError, match="not ascending"):
        with_ids(graph, layers=[3, 1])
    with pytest.raises(GraphError, match="5"):
        with_ids(graph, edges=[5, 5])


class IdsForRows(ng.Rule):
    """Wrong: takes ids for rows. Right only where they are the same numbers."""

    pattern = ng.vertex("v", role="hidden")

    def rewrite(self, m, rw):
        rw.set_bias(rw.vertices(rows=m.v.id % rw.graph.num_vertices), 1.0)

    def claim(self, m):
        return None


@rule_check
def check_only_matches_change(case):
    changed = case.result.graph.vertices.column("bias") != case.graph.vertices.column("bias")
    changed &= ~np.isnan(case.graph.vertices.column("bias"))
    assert np.isin(np.flatnonzero(changed), case.found.v.rows).all(), "another vertex changed"


def test_a_counterexample_that_needs_its_ids_fails_when_it_is_pasted():
    rewritten = graphs(kinds="dense", bias=True, min_layers=1).flatmap(rewrites).map(lambda result: result.graph)
    with pytest.raises(RuleCheckError) as error:
        check_rule(IdsForRows(), graphs=rewritten, checks=[check_only_matches_change], max_examples=30)
    (failure,) = error.value.failures
    assert "with_ids(" in str(failure)
    pasted = built(to_code(failure.graph))
    assert pasted.equals(failure.graph)
    case = Case(IdsForRows(), pasted, {}, limit=failure.limit, rng=failure.rng)
    with pytest.raises((AssertionError, NetgraphError)):
        check_only_matches_change.on_case(case)


def test_ids_that_a_counterexample_does_not_need_are_left_out():
    with pytest.raises(RuleCheckError) as error:
        check_rule(IdsForRows(), graphs=graphs(min_layers=1).flatmap(rewrites).map(lambda result: result.graph),
                   checks=[never], max_examples=5)  # fmt: skip
    (failure,) = error.value.failures
    assert "with_ids" not in to_code(failure.graph)


@rule_check
def never(case):
    raise AssertionError("always")


def test_code_of_a_small_graph_is_short():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(0, 1))
    b.layer("h", 1, activation="leaky_relu", slope=0.25)
    b.output("y", 1, bias=False)
    b.edges("x", "h", [0], [0], weight=[1.0])
    b.identity("h", "y")
    graph = b.build().with_weights(vertices={"bias": np.array([0, 0.5, 0])})
    assert to_code(graph) == (
        "import numpy as np\n"
        "from netgraph import GraphBuilder\n"
        "\n"
        "b = GraphBuilder(dtype=np.float64)\n"
        "b.input('x', 1, domain=(0.0, 1.0))\n"
        "b.layer('h', 1, activation='leaky_relu', slope=0.25)\n"
        "b.output('y', 1, bias=False)\n"
        "b.edges('x', 'h', [0], [0], weight=[1.0])\n"
        "b.identity('h', 'y')\n"
        "graph = b.build().with_weights(vertices={\n"
        "    'bias': [0.0, 0.5, 0.0],\n"
        "})\n"
    )
    assert built(to_code(graph)).equals(graph)


def test_frozen_edges_empty_links_and_odd_numbers_are_written():
    b = ng.GraphBuilder()
    b.input("x", 2, domain=([0, -np.inf], [1, np.inf]))
    b.layer("h", 1, bias=False)
    b.output("y", 2, activation="tanh")
    b.edges("x", "h", [0, 1], [0, 0], weight=np.float32([0.1, -0.0]), frozen=np.array([True, False]))
    b.edges("h", "y", [], [], weight=[])
    b.edges("x", "y", [0], [1], weight=1e-30)
    graph = b.build().with_weights(vertices={"bias": np.array([0, 0, 0, -0.0, 0])})
    assert built(to_code(graph)).equals(graph)


def test_mixed_dtypes_become_float64():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    b.output("y", 1, bias=False)
    b.dense("x", "y")
    graph = b.build()
    layer = ng.mlp([1, 1]).layers["output"]
    mixed = ng.Graph([graph.layers["x"], ng.Layer(1, "y", [1], [0], layer.values, role="output")], graph.links)
    again = built(to_code(mixed))
    assert again.edges.weight.dtype == again.layers["y"].bias.dtype == np.float64
    assert_same_outputs(mixed, again, exact=True)


def test_large_graphs_are_refused():
    with pytest.raises(OptionError, match=r"netgraph.save"):
        to_code(ng.mlp([201, 1]))


def test_a_difference_is_told():
    graph = ng.mlp([2, 1], domain=(0, 1)).with_weights([1.0, 1.0])
    assert_same_outputs(graph, graph, exact=True)
    with pytest.raises(AssertionError, match=r"output 'output', sample 1, vertex row 0: 2.0 before and 2.5 after") as e:
        assert_same_outputs(graph, graph.with_weights([1.0, 1.5]), exact=False)
    assert "Certificate:" in str(e.value)
    close = graph.with_weights([1.0, np.float32(1 + 1e-6)])
    assert_same_outputs(graph, close, [[0.5, 0.5]], exact=False, relative=1e-5)
    with pytest.raises(AssertionError, match="no difference"):
        assert_same_outputs(graph, close, {"input": [[0.5, 0.5]]}, exact=True)


def test_both_modes_of_batch_norm_are_told_apart():
    graph = ng.mlp([1, 1, 1], norm="batch", domain=(0, 1))
    shifted = graph.with_weights(vertices={"mean": np.ones(3)})
    assert_same_outputs(graph, shifted, exact=True, train=True)
    with pytest.raises(AssertionError, match="sample"):
        assert_same_outputs(graph, shifted, exact=True)


def test_nan_in_an_output_is_a_difference():
    graph = ng.mlp([1, 1], domain=(0, 1))
    huge = ng.mlp([1, 1], domain=(0, 1), dtype=np.float64).with_weights([1e308])
    with pytest.raises(AssertionError, match="changed"):
        assert_same_outputs(graph, huge, exact=False)


TOKENS = graphs(kinds=("tokens", "attention"), exact=False, max_heads=2, max_layers=2)


@settings(max_examples=80)
@given(TOKENS)
def test_code_builds_the_same_graph_over_tokens(graph):
    assert built(to_code(graph)).equals(graph)


@settings(max_examples=40)
@given(TOKENS.flatmap(rewrites))
def test_code_of_a_rewritten_graph_over_tokens_builds_it(result):
    assert built(to_code(result.graph)).equals(result.graph)


def test_merges_are_written_as_calls_of_the_builder():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3, grid=(2,), encoding="index")
    b.positions("p", (2,))
    for name, size in (("h", 2), ("q", 4), ("k", 2), ("v", 1)):
        b.layer(name, size, grid=(2,), activation="identity", bias=False)
    for source in ("x", "p"):
        b.edges(source, "h", [0], [0], weight=1.0)
    for name in "qkv":
        b.edges("h", name, [0], [0], weight=1.0)
    b.attend("a", "q", "k", heads=2, scale=0.5, causal=True, frequencies=(1.0,))
    b.mix("m", "a", "v", groups=1)
    b.layer("last", 2, activation="identity", bias=False)
    b.place("m", "last", -1)
    b.product("g", "last", "last")
    b.output("y", 1, bias=False)
    b.edges("g", "y", [0, 1], [0, 0], weight=1.0)
    code = to_code(b.build())
    assert (
        "b.input('x', 3, grid=(2,), encoding='index')" in code or "b.input('x', 3, encoding='index', grid=(2,))" in code
    )
    for line in (
        "b.positions('p', (2,))",
        "b.attend('a', 'q', 'k', heads=2, scale=0.5, causal=True, frequencies=(1.0,))",
        "b.mix('m', 'a', 'v', groups=1)",
        "b.place('m', 'last', -1)",
        "b.product('g', 'last', 'last')",
    ):
        assert f"\n{line}\n" in code, code
    assert built(code).equals(b.build())
