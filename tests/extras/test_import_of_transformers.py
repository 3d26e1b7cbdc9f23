"""Models of the package transformers become graphs that compute and train the same."""

import pytest
import torch
from module_training import assert_close, outputs, trained_on
from transformers_models import MAKERS, WIDE, model

import netgraph as ng
from compilers import lift, lower
from compilers.importing import from_module

pytestmark = pytest.mark.extras

UNUSED = {"bert": {"bert.embeddings.token_type_embeddings.weight"}}
"""Parameters of which a part is read."""


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def allowed(name):
    return 1e-9 if name in WIDE else 1e-5


@pytest.mark.parametrize("name", MAKERS)
class TestModel:
    def test_the_graph_computes_the_module(self, transformers, name):
        module, example = model(transformers, name)
        module.eval()
        imported = from_module(module, (example,))
        x = imported.to_inputs(example)
        wanted = outputs(module, example)
        assert_close(imported.from_outputs(lower(imported.graph, dtype=torch.float64).eval()(x)), wanted, allowed(name))
        found = ng.interpret(imported.graph, {k: v.numpy() for k, v in x.items()})
        assert_close(imported.from_outputs(found), wanted, allowed(name))
        assert imported.parameters.names == tuple(dict.fromkeys(imported.parameters.names))
        missing = {key for key, _ in module.named_parameters()} - set(imported.parameters.names)
        assert not missing

    def test_training_goes_on_the_same(self, transformers, name):
        module, example = model(transformers, name)
        imported = from_module(module, (example,), verify=False)
        found, wanted, net, _, _ = trained_on(module, example, imported, 1e-3)
        assert_close([found], [wanted], allowed(name))
        state, own = imported.parameters.state(lift(net)), module.state_dict()
        for key in state.keys() - UNUSED.get(name, set()):
            assert_close([state[key]], [own[key]], 1e4 * allowed(name))
