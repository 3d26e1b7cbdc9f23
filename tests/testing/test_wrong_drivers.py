"""Every slip of a driver ends in an error that names it, and the graph is as it was."""

import numpy as np
import pytest
from wrong_drivers import WRONG_DRIVERS

import netgraph as ng
from netgraph.errors import DriverError, StatisticsError

MESSAGES = {
    "StaleMatches": (DriverError, "StaleMatches, step 2: .* an earlier graph; find them again with run.find"),
    "ForgetsStatistics": (StatisticsError, "These statistics belong to topology"),
    "SwallowsRefusal": (DriverError, "goes on after a step was refused .*step 2: Refused.* let the error pass"),
    "IgnoresBound": (DriverError, "IgnoresBound carries out more than the 3 steps"),
    "WrongOrder": (DriverError, "WrongOrder, step 1: the rewrite begins at another graph .* in the order"),
}


@pytest.mark.parametrize("driver", WRONG_DRIVERS, ids=lambda driver: driver.name)
def test_a_slip_is_named(driver):
    graph = ng.mlp([3, 4, 2], domain=(0, 1))
    stats = ng.Statistics(graph.topology_hash, {"mean_abs_gradient": np.ones(len(graph.edges))})
    before = graph.edges.weight.copy()
    kind, message = MESSAGES[driver.name]
    with pytest.raises(kind, match=message):
        ng.apply(driver, graph, stats)
    np.testing.assert_array_equal(graph.edges.weight, before)
