"""Genomes of neat-python: the graph has the values of the FeedForwardNetwork."""

import warnings

import numpy as np
import pytest
from neat_genomes import ACTIVATIONS, random_genome

import netgraph as ng
from netgraph.errors import ImportRefused
from netgraph.storage import from_neat

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def neat():
    return pytest.importorskip("neat")


def exported(network):
    """The text of a network; neat-python asks for the time in a way that Python warns of."""
    from neat.export import export_network_json

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return export_network_json(network)


@pytest.mark.parametrize("seed", range(60))
def test_random_genomes(neat, tmp_path, seed):
    # Without softplus, which stops at 12: it is refused where the domain does not rule this out.
    names = [name for name in ACTIVATIONS if name != "softplus"]
    genome, config = random_genome(neat, tmp_path, seed, steps=seed, activations=names)
    network = neat.nn.FeedForwardNetwork.create(genome, config)
    x = np.random.default_rng(seed).uniform(-2, 2, (20, 3))
    wanted = np.array([network.activate(row.tolist()) for row in x])
    graph = from_neat(exported(network))
    np.testing.assert_allclose(ng.interpret(graph, x), wanted, rtol=1e-9, atol=1e-9)


def test_softplus(neat, tmp_path):
    genome, config = random_genome(neat, tmp_path, 5, steps=20, activations=["softplus", "tanh"])
    network = neat.nn.FeedForwardNetwork.create(genome, config)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    wanted = np.array([network.activate(row.tolist()) for row in x])
    graph = from_neat(exported(network), domain=(-0.5, 0.5))
    np.testing.assert_allclose(ng.interpret(graph, x), wanted, rtol=1e-9, atol=1e-9)


def test_networks_with_time_are_refused(neat, tmp_path):
    cyclic = 0
    for seed in range(8):
        genome, config = random_genome(neat, tmp_path, seed, activations=["tanh"], feed_forward=False)
        with pytest.raises(ImportRefused) as error:
            from_neat(exported(neat.nn.RecurrentNetwork.create(genome, config)))
        assert error.value.op in ("cycle", "recurrent")
        cyclic += error.value.op == "cycle"
    assert cyclic
    with pytest.raises(ImportRefused, match="type 'ctrnn'"):
        from_neat(exported(neat.ctrnn.CTRNN.create(genome, config)))


def test_every_other_activation_and_aggregation_is_refused_by_name(neat, tmp_path):
    known = neat.activations.ActivationFunctionSet().functions
    for name in sorted(set(known) - set(ACTIVATIONS)):
        genome, config = random_genome(neat, tmp_path, 1, steps=0, activations=[name])
        with pytest.raises(ImportRefused, match=rf"node \d+ has the activation {name!r}"):
            from_neat(exported(neat.nn.FeedForwardNetwork.create(genome, config)))
    for name in sorted(set(neat.aggregations.AggregationFunctionSet().functions) - {"sum"}):
        genome, config = random_genome(neat, tmp_path, 1, steps=0, activations=["relu"], aggregation=name)
        with pytest.raises(ImportRefused, match=rf"node \d+ has the aggregation {name!r}"):
            from_neat(exported(neat.nn.FeedForwardNetwork.create(genome, config)))
