"""Measurements, and probes within the domain."""

import numpy as np
import pytest
from tiny_transformer import tiny

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.proof import Measurement, measure, sample_inputs


def graph_with(domain, grid=()):
    b = ng.GraphBuilder()
    b.input("x", 3, domain=domain, grid=grid)
    b.output("y", 3, grid=grid)
    b.edges("x", "y", [0, 1, 2], [0, 1, 2], weight=1.0)
    return b.build()


DOMAINS = [
    (0, 1),
    (-2, 5),
    (-np.inf, np.inf),
    (0, np.inf),
    (-np.inf, -3),
    ([0, -np.inf, 7], [1, 2, np.inf]),
    (2, 2),
    (1e9, np.inf),
    (-1e308, 1e308),
]


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("grid", [(), (2, 3)])
def test_probes_lie_in_the_domain(domain, grid):
    graph = graph_with(domain, grid)
    x = sample_inputs(graph, 50, np.random.default_rng(0))
    assert x["x"].shape == (50, 3, *grid)
    assert np.isfinite(x["x"]).all()
    ng.interpret(graph, x)  # checks the domain
    if domain != (2, 2):
        assert np.ptp(x["x"] / 2, axis=0).min() > 0.25


def test_probes_of_several_inputs_come_from_one_generator():
    b = ng.GraphBuilder()
    b.input("one", 2, domain=(0, 1))
    b.input("two", 1, domain=(5, 6))
    b.output("y", 1)
    b.dense("one", "y")
    b.dense("two", "y")
    graph = b.build()
    x, again = (sample_inputs(graph, 4, np.random.default_rng(3)) for _ in range(2))
    assert x.keys() == {"one", "two"}
    for name, values in x.items():
        np.testing.assert_array_equal(values, again[name])
    assert not np.array_equal(x["one"], sample_inputs(graph, 4, np.random.default_rng(4))["one"])


def test_measure_takes_the_worst_output():
    old = graph_with((0, 1))
    new = old.with_weights(np.array([1.0, 1.5, 0.75]))
    got = measure(old, new, np.array([[1.0, 1, 1], [0, 0, 0]]))
    assert got == Measurement(0.5, 0.5, 2)
    wide = measure(old.with_weights(np.full(3, 4.0)), old.with_weights(np.array([4.0, 4, 5])), [[1.0, 1, 1], [0, 0, 0]])
    assert wide == Measurement(1.0, 0.25, 2)


def test_an_output_that_is_constant_on_the_probe_is_compared_with_its_size():
    old = graph_with((0, 9))
    got = measure(old, old.with_weights(np.array([1.0, 1, 1.5])), [[8.0, 8, 8]])
    assert got == Measurement(4.0, 0.5, 1)
    # One that is small as well, with 1.
    got = measure(old, old.with_weights(np.array([1.0, 1, 1.5])), [[0.5, 0.5, 0.5]])
    assert got == Measurement(0.25, 0.25, 1)


def test_bounds_are_put_in_relation_to_the_range():
    old = graph_with((0, 4))
    x = [[0.0, 0, 0], [4, 2, 1]]
    got = measure(old, old, x, {"y": (0.5, 0.5, 0.25)})
    assert got == Measurement(0.0, 0.0, 2, 0.25)
    assert measure(old, old, x, {"y": (0.5, 1.0, 0.25)}).bound == 0.5
    assert measure(old, old, x, {"y": (0.0, 0.0, 0.0)}).bound == 0
    assert measure(old, old, x, {}).bound is None


def test_on_a_grid_the_position_that_ranges_least_counts():
    old = graph_with((0, 4), (1, 2))
    x = np.zeros((2, 3, 1, 2))
    x[1] = [[[4.0, 2.0]]] * 3
    assert measure(old, old, x, {"y": (0.5, 0.5, 0.5)}).bound == 0.25


def test_all_outputs_are_compared_by_name():
    b = ng.GraphBuilder()
    b.input("x", 1, domain=(0, 1))
    for name in ("one", "two"):
        b.output(name, 1)
        b.edges("x", name, [0], [0], weight=1.0)
    old = b.build()
    new = old.with_weights(np.array([1.0, 3.0]))
    assert measure(old, new, [[0.0], [1.0]]) == Measurement(2.0, 2.0, 2)
    assert measure(old, new, [[0.0], [1.0]], {"one": (0.5,), "two": (2.0,)}).bound == 2


def test_a_probe_of_no_samples_is_refused():
    with pytest.raises(OptionError, match="probe=0"):
        ng.apply(ng.rules.SplitEdges(), ng.mlp([2, 1], domain=(0, 1)), probe=0)


def test_index_inputs_get_whole_numbers_below_their_width():
    graph = tiny(tokens=4)
    x = sample_inputs(graph, 60, np.random.default_rng(0))["x"]
    assert x.shape == (60, 4)
    assert np.unique(x).tolist() == list(range(len(graph.inputs[0])))
    assert measure(graph, graph, x).change == 0
