"""Numbers at the doors of rewriting: an edit, a look-up and the options of `apply` take nothing that would be cut."""

import math

import numpy as np
import pytest
from rows_by_id import edges, vertices

import netgraph as ng
from netgraph.errors import NetgraphError

NO_COUNTS = [2.5, 1.0, math.nan, True, np.True_, "1", 2**70]

EDITS = {
    "size of a layer": lambda rw, g, v: rw.add_layer(v),
    "vertices to add": lambda rw, g, v: rw.add_vertices(g.layers["a"], v),
    "parts": lambda rw, g, v: rw.split_vertices(vertices(g, 3), v),
    "parts by row": lambda rw, g, v: rw.split_vertices(vertices(g, 3, 4), [2, v]),
    "tap": lambda rw, g, v: rw.connect(vertices(g, 0), vertices(g, 7), weight=1.0, tap=v),
    "tap by row": lambda rw, g, v: rw.connect(vertices(g, 0, 1), vertices(g, 7, 8), weight=1.0, tap=[0, v]),
    "port": lambda rw, g, v: rw.connect(vertices(g, 0), vertices(g, 7), weight=1.0, port=v),
    "port of all": lambda rw, g, v: rw.connect_all(vertices(g, 0), vertices(g, 7), weight=1.0, port=v),
    "vertices by id": lambda rw, g, v: rw.vertices(ids=v),
    "vertices by row": lambda rw, g, v: rw.vertices(rows=[0, v]),
    "edges by id": lambda rw, g, v: rw.edges(ids=[0, v]),
    "edges by row": lambda rw, g, v: rw.edges(rows=[v]),
}
VALUES = {
    "weight": lambda rw, g, v: rw.connect(vertices(g, 0), vertices(g, 7), weight=v),
    "set weight": lambda rw, g, v: rw.set_weight(edges(g, 2), v),
    "set bias": lambda rw, g, v: rw.set_bias(vertices(g, 4), v),
    "set values": lambda rw, g, v: rw.set_values(vertices(g, 4), "bias", v),
    "values of a layer": lambda rw, g, v: rw.add_layer(1, values={"bias": v}),
    "noise": lambda rw, g, v: rw.split_vertices(vertices(g, 3), 2, noise=v),
    "low": lambda rw, g, v: rw.uniform(v, 1.0),
    "high": lambda rw, g, v: rw.uniform(0.0, v),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_take_whole_numbers_alone(graph, rw, edit):
    for value in NO_COUNTS:
        with pytest.raises(NetgraphError):
            EDITS[edit](rw, graph, value)
    assert rw.delta().summary() == "nothing"


@pytest.mark.parametrize("edit", VALUES)
def test_edits_take_finite_numbers_alone(graph, rw, edit):
    def commit(value):
        VALUES[edit](rw, graph, value)
        rw.commit()

    for value in (math.nan, math.inf, True, "1", None, 1j, [1.0, 2.0]):
        with pytest.raises(NetgraphError):
            commit(value)


def test_an_interval_has_a_finite_width_and_its_ends_in_order(rw):
    for low, high in ((1.0, 0.0), (-1e308, 1e308)):
        with pytest.raises(NetgraphError, match="no interval"):
            rw.uniform(low, high)


@pytest.mark.parametrize("frozen", [1, "no", [1, 0], [True, False, True], math.nan])
def test_frozen_is_one_truth_value_or_one_per_row(graph, rw, frozen):
    with pytest.raises(NetgraphError, match="frozen"):
        rw.connect(vertices(graph, 0, 1), vertices(graph, 7, 8), weight=1.0, frozen=frozen)


@pytest.mark.parametrize(
    "options",
    [
        *({"limit": value} for value in (1.5, True, math.nan, "1", -1)),
        *({"rng": value} for value in (-1, 1.5, True, "0", math.nan)),
        *({"probe": value} for value in (1.5, True, math.nan, 0, -1)),
        *({"require": value} for value in (True, math.nan, -1)),
        *({"order_by": value} for value in (["a"] * 6, [math.nan] * 6, [1j] * 6, 3)),
        *({"on": value} for value in ([0.5], [True], ["0"], [2**70], math.nan)),
    ],
    ids=repr,
)
def test_options_of_apply(options):
    with pytest.raises(NetgraphError):
        ng.apply(ng.rules.SplitEdges(), ng.mlp([2, 3], domain=(0, 1)), **options)


@pytest.mark.parametrize("on", [[[0.5, 3]], [[0, 3.0]], [[True, 3]], [[0, 2**64]], [["0", "3"]]], ids=repr)
def test_missing_edges_are_named_by_whole_numbers(on):
    with pytest.raises(NetgraphError, match="on"):
        ng.apply(ng.rules.AddEdges(), ng.mlp([2, 2], domain=(0, 1), density=0.5), on=on)


def test_layers_and_links_are_named_by_whole_numbers():
    graph = ng.mlp([2, 3, 1], domain=(0, 1))
    for value in (1.0, 1.9, True, math.nan):
        with pytest.raises(NetgraphError):
            ng.apply(ng.rules.WidenLayer(), graph, on=[value])
        with pytest.raises(NetgraphError):
            ng.apply(ng.rules.AddSkip(), graph, on=[(0, value)])


def test_a_field_of_a_users_rule_is_checked_by_its_annotation():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Own(ng.Rule):
        count: int = 1
        scale: float = 1.0
        label: str = ""
        pattern = ng.vertex("v")

        def rewrite(self, m, rw):
            """Nothing."""

    assert Own(count=np.int64(2), scale=math.inf, label=3).count == 2
    for given in ({"count": 1.5}, {"count": True}, {"scale": math.nan}, {"scale": "1"}):
        with pytest.raises(ng.errors.OptionError):
            Own(**given)
