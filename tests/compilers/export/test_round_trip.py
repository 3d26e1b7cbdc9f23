"""Models come in as graphs and leave as modules that compute and train the same."""

import pytest
import torch
from module_training import arguments, assert_close, outputs, steps, targets_like
from torch_models import MODELS

from compilers.export import export_module
from compilers.importing import from_module

WITH_ZEROS = {"AsymmetricPadding", "Convnext", "ScaledResidual", "Mixer", "Vit"}
"""Models with missing edges in a matrix or a kernel, which are zeros of the exported module and trained there."""

CONSTANTS = {"Normalised", "Frozen"}
"""Models with constants that are trained biases of the graph, as a note says."""


@pytest.mark.parametrize("name", MODELS)
def test_exported_models_compute_and_train_as_the_imported_ones(name):
    module, example = MODELS[name]()
    imported = from_module(module, example, verify=False)
    exported = export_module(imported.graph, like=imported)
    ours, there = exported.module, exported.parameters
    state = imported.parameters.state(imported.graph)
    back = there.state(imported.parameters.load(imported.graph, module.state_dict()))
    assert all(torch.equal(value, ours.state_dict()[key]) for key, value in back.items())

    assert_close(outputs(ours.eval(), example), outputs(module.eval(), example))
    module.train(), ours.train()
    wanted, found = outputs(module, example), outputs(ours, example)
    assert_close(found, wanted)
    for values in (wanted, found):
        sum((y**2).sum() for y in values).backward()
    at_edges = {key: p.grad for key, p in ours.named_parameters() if p.grad is not None}
    assert sum(g.abs().sum() for g in at_edges.values()) > 0
    assert_statistics(imported, there, module, ours)
    if name in CONSTANTS | WITH_ZEROS:
        assert exported.notes or imported.notes
        return
    assert_gradients(imported, there, module, at_edges)
    targets = targets_like([y.detach() for y in wanted])
    losses = [
        steps(lambda m=m: outputs(m, example), targets, optimizer_of(m), 5) for m in (module, ours)
    ]  # fmt: skip
    assert_close([torch.tensor(losses[1])], [torch.tensor(losses[0])])
    assert set(state) == set(imported.parameters.names)
    assert len(arguments(example)) == len(imported.inputs)


def optimizer_of(module):
    return torch.optim.AdamW(module.parameters(), lr=1e-2, eps=1e-4, weight_decay=0.1)


def by_place(parameters, values):
    """Numbers by edge or by column and vertex."""
    found = {}
    for key, ids in parameters.edges.items():
        if key in values:
            found.update(
                (("edge", i), v)
                for i, v in zip(ids.reshape(-1).tolist(), values[key].reshape(-1).tolist(), strict=True)
            )
    for key, (column, ids) in parameters.vertices.items():
        if key in values:
            found.update(
                ((column, i), v)
                for i, v in zip(ids.reshape(-1).tolist(), values[key].reshape(-1).tolist(), strict=True)
            )
    return {place: value for place, value in found.items() if place[1] >= 0}


def assert_statistics(imported, there, module, ours):
    """Running statistics moved the same."""
    before, after = by_place(imported.parameters, module.state_dict()), by_place(there, ours.state_dict())
    for column in ("mean", "var"):
        places = [place for place in before if place[0] == column]
        assert_close([torch.tensor([after[p] for p in places])], [torch.tensor([before[p] for p in places])])


def assert_gradients(imported, there, module, found):
    wanted = by_place(imported.parameters, {key: p.grad for key, p in module.named_parameters() if p.grad is not None})
    got = by_place(there, found)
    assert wanted.keys() <= got.keys()
    assert_close([torch.tensor([got[place] for place in wanted])], [torch.tensor(list(wanted.values()))])
