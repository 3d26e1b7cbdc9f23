"""Measurements, probes within the domain, and certificates as plain values."""

import json
from dataclasses import asdict

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.rewriting import Certificate, Claim, Measurement, sample_inputs
from netgraph.rewriting.certificate import certificate, measure


def graph_with(domain, grid=()):
    b = ng.GraphBuilder()
    b.input("x", 3, domain=domain, grid=grid)
    b.output("y", 3, grid=grid)
    b.edges("x", "y", [0, 1, 2], [0, 1, 2], weight=1.0)
    return b.build()


@pytest.mark.parametrize(
    "domain",
    [(0, 1), (-2, 5), (-np.inf, np.inf), (0, np.inf), (-np.inf, -3), ([0, -np.inf, 7], [1, 2, np.inf]), (2, 2)],
)
@pytest.mark.parametrize("grid", [(), (2, 3)])
def test_probes_lie_in_the_domain(domain, grid):
    graph = graph_with(domain, grid)
    x = sample_inputs(graph, 50, np.random.default_rng(0))
    assert x["x"].shape == (50, 3, *grid)
    ng.interpret(graph, x)  # checks the domain
    if domain != (2, 2):
        assert np.ptp(x["x"], axis=0).min() > 0.5


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


def test_claims_and_measurements():
    fine, off = Measurement(1e-13, 1e-13, 9), Measurement(0.2, 0.1, 9)
    assert certificate(Claim("exact", "so"), fine) == Certificate("exact", "so", None, fine)
    assert certificate(Claim("exact", "so"), off).kind == "unknown"
    assert certificate(Claim("exact", "so"), Measurement(np.nan, np.nan, 9)).kind == "unknown"
    assert certificate(Claim("bounded", "so", 0.2), off).bound == 0.2
    assert certificate(Claim("bounded", "so", 0.1), off).kind == "unknown"
    assert certificate(Claim("unknown", "so"), fine).kind == "unknown"
    assert certificate(Claim("exact", "so"), None).measured is None


def test_text():
    assert str(Certificate("exact", "why")) == "exact: why; not measured"
    text = str(Certificate("bounded", "why", 0.25, Measurement(0.125, 0.5, 64)))
    assert text == "bounded (at most 0.25): why; measured change 0.12 (0.5 of the range) on 64 samples"


def test_json_round_trip():
    for c in (Certificate("exact", "why"), Certificate("bounded", "why", 0.25, Measurement(0.125, 0.5, 64))):
        assert Certificate.from_json(json.loads(json.dumps(asdict(c)))) == c


def test_a_probe_of_no_samples_is_refused():
    with pytest.raises(OptionError, match="probe=0"):
        ng.apply(ng.rules.SplitEdges(), ng.mlp([2, 1], domain=(0, 1)), probe=0)
