"""Measured costs: kept in the user's cache, opt-in, and told when they are damaged."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

import netgraph as ng
from compilers import CostTable, lower, save_costs, tune, tuned_costs
from compilers.running import costs_file
from netgraph.errors import CompileError


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))


def test_every_number_is_measured_and_comes_back_from_the_cache():
    costs = tune(repeats=2)
    assert all(value > 0 for value in asdict(costs).values())
    measured = {name for name, value in asdict(costs).items() if value != asdict(CostTable())[name]}
    assert measured >= set(asdict(costs)) - {"torch_sparse_edge"}
    path = save_costs(costs)
    assert path == costs_file()
    assert tuned_costs() == costs
    graph = ng.mlp([30, 20, 5], density=0.3)
    x = torch.rand(4, 30)
    torch.testing.assert_close(lower(graph, costs=tuned_costs())(x), lower(graph)(x))


def test_without_a_measurement_the_way_to_one_is_told():
    with pytest.raises(CompileError, match="run `netgraph tune`"):
        tuned_costs()


@pytest.mark.parametrize("text", ["", "[1]", '{"call": 1}', "not json", None])
def test_a_damaged_table_is_refused(text):
    path = save_costs(CostTable())
    text = path.read_text().replace("7000.0", "-1") if text is None else text
    path.write_text(text)
    with pytest.raises(CompileError, match="not a table of costs"):
        tuned_costs()


def test_blocks_are_measured_and_told_beside_what_was_predicted():
    graph = ng.mlp([30, 20, 5], density=0.5, norm="batch", dtype=np.float64)
    net = lower(graph, dtype=torch.float64)
    x = torch.rand(16, 30, dtype=torch.float64)
    running, before = net.running.clone(), net.weights.detach().clone()
    measured = net.measure(x, repeats=2)
    assert set(measured) == {("hidden1", 0), ("output", 0)}
    assert all(seconds > 0 for seconds in measured.values())
    text = net.plan.summary(measured)
    assert "measured ms" in text.splitlines()[0]
    assert text.splitlines()[2].split()[-1] == f"{1e3 * measured['hidden1', 0]:.3f}"
    assert torch.equal(net.running, running)
    assert torch.equal(net.weights, before)
    assert net.weights.grad is None


def test_maps_are_measured_as_well():
    net = lower(ng.resnet(8, width=4, input_size=(1, 8, 8)))
    measured = net.measure(torch.rand(3, 1, 8, 8), repeats=1)
    assert len(measured) == sum(len(layer.blocks) for layer in net.plan.layers)
