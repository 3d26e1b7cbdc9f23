"""Whole models: the graph computes, and trains as, the module."""

from functools import cache

import pytest
import torch
from module_training import assert_close, outputs, trained_on
from torch_models import MODELS

import netgraph as ng
from compilers import lift, lower
from compilers.importing import from_module

TRAINED_CONSTANTS = {"Normalised", "Frozen"}
"""Models with constants that are trained biases of the graph, as a note says."""


@cache
def imported_model(name):
    return from_module(*MODELS[name](), verify=False)


def all_places(parameters):
    """Places of all numbers of parameters: "edge" or a column, and the id."""
    parts = [("edge", ids) for ids in parameters.edges.values()]
    return [(kind, i) for kind, ids in (*parts, *parameters.vertices.values()) for i in ids.reshape(-1).tolist()]


@pytest.mark.parametrize("name", MODELS)
class TestModel:
    def test_the_graph_computes_the_module(self, name):
        module, example = MODELS[name]()
        imported = imported_model(name)
        wanted = outputs(module.eval(), example)
        x = imported.to_inputs(example)
        computed = ng.interpret(imported.graph, {k: v.numpy() for k, v in x.items()})
        assert_close(imported.from_outputs(computed), wanted)
        net = lower(imported.graph, dtype=torch.float64).eval()
        assert_close(imported.from_outputs(net(x)), wanted)

    def test_every_parameter_has_a_place_of_its_own(self, name):
        module, _ = MODELS[name]()
        imported = imported_model(name)
        statistics = [value for key, value in module.named_buffers() if key.endswith(("running_mean", "running_var"))]
        found = all_places(imported.parameters)
        assert len(set(found)) == len(found) == sum(value.numel() for value in (*module.parameters(), *statistics))
        state = imported.parameters.state(imported.graph)
        own = module.state_dict()
        assert all(torch.equal(value, own[key]) for key, value in state.items())
        other = {key: torch.rand_like(value) for key, value in state.items()}
        back = imported.parameters.state(imported.parameters.load(imported.graph, other))
        assert all(torch.equal(value, other[key]) for key, value in back.items())

    def test_training_goes_on_the_same(self, name):
        """Two steps of the module alone, then five of both; weights and moments are equal after them."""
        imported = imported_model(name)
        if name in TRAINED_CONSTANTS:
            assert any("which training changes" in note for note in imported.notes)
            return
        module, example = MODELS[name]()
        found, wanted, net, optimizer, theirs = trained_on(module, example, imported, 1e-2)
        assert_close([found], [wanted])
        state = imported.parameters.state(lift(net))
        own = module.state_dict()
        assert_close([state[key] for key in state], [own[key] for key in state], 1e-7)
        back = imported.parameters.optimizer_back(module, net, theirs)
        for parameter, values in optimizer.state.items():
            for key, value in values.items():
                assert_close([back.state[parameter][key]], [value], 1e-7)
