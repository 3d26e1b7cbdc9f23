"""Graphs with matches, and rewrites of graphs."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from toy_activation import SQUAREPLUS, registered

import netgraph as ng
from netgraph.rewriting import Rule
from netgraph.rules import RULES
from netgraph.testing import Meddle, NoMatchError, graphs, graphs_matching, rewrites, rules
from netgraph.testing.planting import default_graphs, some_graphs, with_plant_in_turn
from netgraph.testing.plants import PLANTS, operation_plants
from netgraph.testing.rewrites import meddling

QUICK = settings(max_examples=8)


@dataclass(frozen=True)
class Look(Rule):
    """Matches what `accept` takes of a pattern, and changes nothing."""

    accept: object
    pattern: ClassVar = ng.vertex("v", role="hidden")

    def where(self, m, stats):
        return np.array([self.accept(m.graph, row) for row in m.v.rows.tolist()], dtype=bool)

    def rewrite(self, m, rw):
        """Leaves everything as it is: what counts is what matches."""


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_planted_has_the_dtype_of_the_weights(dtype):
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", 3, domain=(0, 1))
    b.layer("h", 4, activation="identity", bias=False)  # no column that could show a dtype
    b.layer("g", 4, bias=False)
    b.output("y", 2, bias=False)
    for pair in (("x", "h"), ("h", "g"), ("g", "y")):
        b.dense(*pair)
    graph = b.build()
    planted = [plant(graph, 0) for plant in (*PLANTS.values(), *operation_plants().values())]
    dtypes = {
        values.dtype
        for new in planted if new is not None
        for layer in new.layers_by_id.values() if layer.role != "input"
        for values in layer.values.values()
    }  # fmt: skip
    assert dtypes == {np.dtype(dtype)}


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_match_of_every_shipped_rule_is_planted(name):
    rule = RULES[name]()

    @QUICK
    @given(graphs_matching(rule))
    def check(graph):
        assert len(ng.find(rule, graph)) > 0

    check()


@settings(max_examples=6)
@given(rules(), st.data())
def test_a_match_is_planted_for_drawn_parameters(rule, data):
    graph = data.draw(graphs_matching(rule))
    assert len(ng.find(rule, graph)) > 0


@pytest.mark.parametrize(
    ("name", "accept"),
    [
        ("gelu", lambda g, row: g.layer(int(g.vertices.layer[row])).activation == "gelu"),
        ("layer norm", lambda g, row: g.layer(int(g.vertices.layer[row])).norm == "layer"),
        ("no reader", lambda g, row: not (g.edges.source_row == row).any()),
        ("bias 1 and identity", lambda g, row: g.vertices.column("bias")[row] == 1
         and g.layer(int(g.vertices.layer[row])).activation == "identity"),
    ],
)  # fmt: skip
def test_conditions_of_a_rule_are_met_by_planting(name, accept):
    @QUICK
    @given(graphs_matching(Look(accept)))
    def check(graph):
        assert len(ng.find(Look(accept), graph)) > 0

    check()


def test_planted_graphs_shrink():
    rule = ng.rules.PruneVertices()
    options = settings(
        database=None, derandomize=True, deadline=None, max_examples=200, phases=(Phase.generate, Phase.shrink)
    )
    graph = find(graphs_matching(rule), lambda g: True, settings=options)
    assert graph.num_vertices <= 4


def test_a_rule_that_never_matches_is_explained():
    never = Look(lambda g, row: False)
    matching = graphs_matching(never, graphs=graphs(kinds="dense", min_layers=1, max_layers=1, max_width=1))
    with pytest.raises(NoMatchError, match=r"(?s)Look.*v is hidden.*where +0") as error:
        find(matching, lambda g: True, settings=settings(database=None))
    assert "Give a strategy of graphs" in str(error.value)


def test_given_graphs_keep_their_operations():
    rule = Look(lambda g, row: g.layer(int(g.vertices.layer[row])).activation == "tanh")
    with pytest.raises(NoMatchError):
        find(
            graphs_matching(rule, graphs=graphs(kinds="dense", activations="relu")),
            lambda g: True,
            settings=settings(database=None),
        )


@QUICK
@given(graphs(exact=False, min_layers=1), st.sampled_from([*PLANTS, *operation_plants()]), st.integers(0, 9))
def test_plants_give_valid_fresh_graphs(graph, name, at):
    planted = {**PLANTS, **operation_plants()}[name](graph, at)
    if planted is not None:
        assert planted.rewrites == 0
        assert [len(x) for x in planted.inputs] == [len(x) for x in graph.inputs]
        ng.Graph(planted.layers_by_id.values(), planted.links_by_key.values())


@settings(max_examples=60)
@given(rules())
def test_rules_are_drawn_with_parameters(rule):
    assert type(rule) in RULES.values()


def test_every_shipped_rule_is_drawn_and_its_parameters_vary():
    seen = []

    @settings(max_examples=200, database=None, derandomize=True, phases=(Phase.generate,))
    @given(rules())
    def collect(rule):
        seen.append(rule)

    collect()
    assert {type(rule) for rule in seen} == set(RULES.values())
    assert len({repr(rule) for rule in seen}) > 2 * len(RULES)


def test_rewrites_are_of_shipped_rules_and_of_edits_right_and_wrong():
    seen, harmless = set(), 0
    x = np.array([[0.0], [1.0]])

    @settings(max_examples=200, database=None, derandomize=True, phases=(Phase.generate,))
    @given(graphs(exact=False).flatmap(rewrites))
    def collect(result):
        assert result.changed
        ng.Graph(result.graph.layers_by_id.values(), result.graph.links_by_key.values(), next_ids=result.graph.next_ids)
        seen.add(result.rule.name)

    collect()
    assert "Meddle" in seen
    assert len(seen & {rule.__name__ for rule in RULES.values()}) >= len(RULES) - 2

    graph = ng.mlp([1, 1], domain=(0, 1)).with_weights([1.0])

    @settings(max_examples=60, database=None, derandomize=True, phases=(Phase.generate,))
    @given(rewrites(graph))
    def compare(result):
        nonlocal harmless
        harmless += np.array_equal(ng.interpret(graph, x), ng.interpret(result.graph, x))

    compare()
    assert 0 < harmless < 60


@QUICK
@given(graphs(min_layers=1).flatmap(lambda g: rewrites(g, rules=st.just(ng.rules.SplitEdges()))))
def test_rewrites_can_be_of_given_rules(result):
    assert result.rule == ng.rules.SplitEdges()


def test_meddling_sets_what_it_says():
    graph = ng.mlp([1, 2, 1], norm="batch")
    hidden = graph.layers["hidden1"].vertex_ids[:1]
    changed = {what: ng.apply(Meddle(what=what, value=value), graph, on=hidden).graph.layers["hidden1"]
               for what, value in (("bias", 1.0), ("scale", -1.0), ("activation", "identity"))}  # fmt: skip
    assert changed["bias"].bias.tolist() == [1.0, 0.0]
    assert changed["scale"].values["scale"].tolist() == [-1.0, 1.0]
    assert changed["activation"].activation == "identity"


def test_every_plant_has_its_turn():
    graph = ng.mlp([2, 3, 2], domain=(-1, 1))
    turns = [with_plant_in_turn(graph, number) for number in range(len(PLANTS) + 1)]
    assert turns[-1] is None
    found = [None if planted is None else planted.topology_hash for planted in turns[:-1]]
    expected = [plant(graph, 0) for plant in PLANTS.values()]
    assert found == [None if planted is None else planted.topology_hash for planted in expected]


def activations_of(strategy):
    return {layer.activation for graph in some_graphs(strategy, 400) for layer in graph.layers}


def test_default_graphs_have_the_activations_that_are_registered_now():
    rule = Look(lambda graph, row: True)
    with registered(SQUAREPLUS):
        assert SQUAREPLUS.name in activations_of(default_graphs(rule))
    assert SQUAREPLUS.name not in activations_of(default_graphs(rule))


@settings(max_examples=60)
@given(graphs(exact=False), st.data())
def test_what_is_meddled_with_changes(graph, data):
    assert data.draw(meddling(graph)).changed
