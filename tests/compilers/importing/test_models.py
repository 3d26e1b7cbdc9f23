"""Whole models: the graph computes what the module does, before and after training."""

import numpy as np
import pytest
import torch
from torch_models import MODELS

import netgraph as ng
from compilers import lift, lower
from compilers.importing import from_module

TRAINED_CONSTANTS = {"Normalised", "Frozen"}
"""Models with constants that are trained biases of the graph, as a note says."""


def arguments(example):
    return example if isinstance(example, tuple) else (example,)


def outputs(module, example):
    """Tensors that a module gives, in their order."""
    return torch.utils._pytree.tree_leaves(module(*arguments(example)))


def assert_close(found, wanted, allowed=1e-9):
    """Equal to `allowed` of the largest number of each tensor."""
    for one, two in zip(found, wanted, strict=True):
        size = max(1.0, float(two.detach().abs().max()))
        np.testing.assert_allclose(one.detach().numpy(), two.detach().numpy(), rtol=0, atol=allowed * size)


def all_places(parameters):
    """Places of all numbers of parameters: kind or column, and id."""
    edges = [("edge", i) for ids in parameters.edges.values() for i in ids.reshape(-1).tolist() if i >= 0]
    columns = parameters.vertices.values()
    return edges + [(name, i) for name, ids in columns for i in ids.reshape(-1).tolist() if i >= 0]


@pytest.mark.parametrize("name", MODELS)
class TestModel:
    def test_the_graph_computes_the_module(self, name):
        module, example = MODELS[name]()
        module.eval()
        imported = from_module(module, example)
        wanted = outputs(module, example)
        x = imported.to_inputs(example)
        computed = ng.interpret(imported.graph, {k: v.numpy() for k, v in x.items()})
        assert_close(imported.from_outputs(computed), wanted)
        net = lower(imported.graph, dtype=torch.float64).eval()
        assert_close(imported.from_outputs(net(x)), wanted)

    def test_every_parameter_has_a_place_of_its_own(self, name):
        module, example = MODELS[name]()
        imported = from_module(module, example, verify=False)
        found = all_places(imported.parameters)
        assert len(set(found)) == len(found)
        wanted = sum(p.numel() for p in module.parameters())
        wanted += sum(b.numel() for n, b in module.named_buffers() if n.endswith(("running_mean", "running_var")))
        assert len(found) == wanted

    def test_five_steps_of_training_are_the_same(self, name):
        module, example = MODELS[name]()
        imported = from_module(module, example, verify=False)
        if name in TRAINED_CONSTANTS:
            assert any("which training changes" in note for note in imported.notes)
            return
        net = lower(imported.graph, dtype=torch.float64)
        module.train(), net.train()
        x = imported.to_inputs(example)
        wanted = [torch.randn(y.shape, dtype=torch.float64) for y in outputs(module, example)]
        module, example = MODELS[name]()  # the pass above has changed running statistics
        module.train()
        trained = [p for p in module.parameters() if p.requires_grad]
        pairs = []
        for model, parameters, compute in (
            (module, trained, lambda: outputs(module, example)),
            (net, net.parameters(), lambda: imported.from_outputs(net(x))),
        ):
            optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.1)
            losses = []
            for _ in range(5):
                loss = sum(((y - t) ** 2).mean() for y, t in zip(compute(), wanted, strict=True))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            model.eval()
            pairs.append((torch.stack(losses), compute()))
        assert_close([pairs[1][0]], [pairs[0][0]])
        assert_close(pairs[1][1], pairs[0][1], 1e-8)
        lift(net)
