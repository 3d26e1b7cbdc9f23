"""Errors that a rule causes name the rule, the matches, the cause and the remedy, and keep their type."""

from dataclasses import dataclass

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import GraphError, OptionError, RewriteError, StatisticsError


@dataclass(frozen=True)
class Raising(ng.Rule):
    """Raises what it is given, in the method that it is given."""

    error: BaseException
    method: str = "rewrite"

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def where(self, m, stats):
        if self.method == "where":
            raise self.error
        return np.ones(len(m), dtype=bool)

    def rewrite(self, m, rw):
        raise self.error


class Own(Exception):
    """An error with a constructor of its own."""

    def __init__(self, code, text):
        super().__init__(code, text)


ERRORS = [
    ZeroDivisionError("half way"),
    KeyError("gain"),
    Own(3, "no"),
    AssertionError(),
    StopIteration(),
    np.linalg.LinAlgError("singular"),
    StatisticsError("none there"),
    GraphError("not so"),
    OptionError("too large"),
]


@pytest.mark.parametrize("method", ["rewrite", "where"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_every_error_keeps_its_type_and_gets_a_note(graph, error, method):
    again = type(error)(*error.args)
    before = graph.topology_hash
    with pytest.raises(type(error)) as raised:
        ng.apply(Raising(again, method), graph)
    assert raised.value is again
    (note,) = again.__notes__
    assert note.startswith(f"In Raising.{method}, on 14 matches: edge 0 (0 -> 3), edge 1")
    assert "and 11 more. The graph is as it was. apply(rule, graph, on=[0]) tries one match alone." in note
    assert graph.topology_hash == before


@pytest.mark.parametrize("look", [ng.find, ng.explain])
def test_so_do_those_of_find_and_explain(graph, look):
    with pytest.raises(ZeroDivisionError) as raised:
        look(Raising(ZeroDivisionError("no"), "where"), graph)
    assert "In Raising.where, on 14 matches" in raised.value.__notes__[0]


def test_those_of_a_function_that_orders_get_one(graph):
    with pytest.raises(IndexError) as raised:
        ng.apply(ng.rules.SplitEdges(), graph, order_by=lambda m, stats: m.e.weight[99:][0])
    assert "In SplitEdges.order_by" in raised.value.__notes__[0]


def test_what_is_no_error_passes_untouched(graph):
    with pytest.raises(KeyboardInterrupt) as raised:
        ng.apply(Raising(KeyboardInterrupt()), graph)
    assert not hasattr(raised.value, "__notes__")


def test_a_message_of_netgraph_begins_with_the_rule(graph):
    with pytest.raises(StatisticsError) as raised:
        ng.apply(Raising(StatisticsError("none there")), graph)
    assert str(raised.value) == "Raising: none there"


def test_a_single_match_needs_no_way_to_single_it_out(graph):
    with pytest.raises(ZeroDivisionError) as raised:
        ng.apply(Raising(ZeroDivisionError()), graph, on=[4])
    assert raised.value.__notes__[0].startswith("In Raising.rewrite, on 1 match: edge 4")
    assert "on=[" not in raised.value.__notes__[0]


@pytest.fixture
def chain():
    return ng.mlp([2, 3, 3, 2], domain=(0, 1), seed=0)


@dataclass(frozen=True)
class Bypass(ng.Rule):
    """Leads each layer's input past it to what it feeds, and takes the layer away: not for two layers in a row."""

    pattern = ng.layer("l", role="hidden")

    def rewrite(self, m, rw):
        for layer in m.l:
            graph = rw.graph
            for k in graph.incoming[layer.id]:
                for after in graph.outgoing[layer.id]:
                    rw.connect_all(
                        rw.vertices(graph.layer(k.source)), rw.vertices(graph.layer(after.target)), weight=0.5
                    )
            rw.remove(layer)


def test_an_edge_to_what_another_match_removes_names_both(chain):
    with pytest.raises(RewriteError) as raised:
        ng.apply(Bypass(), chain)
    said = str(raised.value)
    assert said.startswith("Bypass: Vertex 5 of layer 'hidden2' (id 2) is connected to vertex 0")
    assert "but the same rewrite removes the layer" in said
    assert "match 1 (layer 'hidden2') of 2" in said
    assert raised.value.concerns["layers"]
    assert ng.apply(Bypass(), chain, limit=1).changed


@dataclass(frozen=True)
class Detach(ng.Rule):
    """Takes the target of an edge away and doubles the weight of the edge."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c", role="hidden"))

    def rewrite(self, m, rw):
        rw.set_weight(m.e, 2 * m.e.weight)
        rw.remove(m.take(np.array([0])).c)


def test_a_weight_of_an_edge_that_another_match_removes_names_the_matches(chain):
    with pytest.raises(RewriteError) as raised:
        ng.apply(Detach(), chain)
    said = str(raised.value)
    assert said.startswith("Detach: Edge 0 gets another weight and is removed, both by this rewrite")
    assert "match 0 (edge 0 (0 -> 2))" in said


@dataclass(frozen=True)
class Twice(ng.Rule):
    """Adds an edge from every source of an edge to the outputs, of which several matches have the same."""

    pattern = ng.edge("e", src=ng.vertex("p", role="input"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        for g in m.by("target layer"):
            rw.connect(g.p, rw.vertices("output").take(np.zeros(len(g), int)), weight=0.0)


def test_an_edge_that_several_matches_add_names_them_and_how_to_keep_them_apart(chain):
    with pytest.raises(RewriteError) as raised:
        ng.apply(Twice(), chain)
    said = str(raised.value)
    assert said.startswith("Twice: The rewrite is refused: Link 'input' -> 'output' has two edges")
    assert "match 0 (edge 0 (0 -> 2)), match 2 (edge" in said
    assert "name what they share in Twice.exclusive, or apply the rule with limit=1" in said


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (ng.vertex("v"), "vertex 0 of layer 'input'"),
        (ng.layer("v"), "layer 'input'"),
        (ng.link("v", src=ng.layer("p"), dst=ng.layer("c")), "link 'input' -> 'hidden1'"),
        (ng.missing_link("v", src=ng.layer("p"), dst=ng.layer("c")), "missing link 'input' -> 'hidden2'"),
        (ng.missing_edge("v", src=ng.vertex("p"), dst=ng.vertex("c")), "missing edge 0 -> 2"),
    ],
)
def test_matches_of_every_pattern_are_named_and_can_be_tried_alone(chain, pattern, words):
    chain = ng.apply(ng.rules.PruneEdges(below=None), chain, on=[0, 4]).graph
    rule = type("Failing", (Raising,), {"pattern": pattern})(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError) as raised:
        ng.apply(rule, chain)
    note = raised.value.__notes__[0]
    assert words in note
    on = eval(note.partition("on=")[2].partition(") tries")[0])
    assert len(ng.find(type("Fine", (Raising,), {"pattern": pattern})(ZeroDivisionError()), chain, on=on)) == 1
