"""Modules that take and give the tensors of an imported one."""

from functools import cache

import numpy as np
import pytest
import torch
from module_training import assert_close, outputs
from torch import nn
from torch.utils import _pytree as pytree
from torch_models import MODELS

import netgraph as ng
from compilers.export import export_module, to_module
from compilers.importing import from_module
from netgraph.errors import OptionError


@cache
def imported_model(name):
    return from_module(*MODELS[name](), verify=False)


def leaves(example):
    return tuple(leaf for leaf in pytree.tree_leaves(example) if isinstance(leaf, torch.Tensor))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_a_model_that_was_imported_is_the_same_again(name, train):
    module, example = MODELS[name]()
    imported = imported_model(name)
    again = to_module(imported.graph, like=imported).train(train)
    module.train(train)
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    assert_close(outputs(again, leaves(example)), outputs(module, example))
    statistics = [
        {key: value for key, value in one.named_buffers() if key.endswith(("running_mean", "running_var"))}
        for one in (again, module)
    ]
    assert len(statistics[0]) == len(statistics[1])


class Moved(nn.Module):
    """Tensors whose numbers lie in another order than in layers: axes in any order, flattened, mirrored, in part."""

    def __init__(self):
        super().__init__()
        self.conv, self.linear, self.tokens = nn.Conv2d(2, 3, 2), nn.Linear(6, 4), nn.Linear(5, 4)

    def forward(self, image, flat, x):
        """`(batch, width, channel, height)`, `(batch, 6)` and `(batch, features, tokens)`."""
        maps = self.conv(image.permute(0, 2, 3, 1)).tanh()
        rows = self.linear(flat.flip(1)).tanh()
        words = self.tokens(x.transpose(1, 2)).tanh()
        return maps.permute(0, 2, 3, 1), rows.flip(1), rows[:, 1:3], words.transpose(1, 2)

    def example(self):
        return tuple(torch.randn(3, *shape, dtype=torch.float64) for shape in ((4, 2, 5), (6,), (5, 3)))


def test_axes_in_any_order_are_moved_and_other_orders_are_looked_up():
    torch.manual_seed(0)
    module = Moved().double()
    example = module.example()
    imported = from_module(module, example)
    exported = export_module(imported.graph, like=imported)
    assert_close(outputs(exported.module, example), outputs(module, example))
    assert "image = image.permute(0, 2, 3, 1)" in exported.source


def test_grown_modules_take_and_give_the_same_tensors():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = torch.randn(5, 6, 3, dtype=torch.float64)
    imported = from_module(module, x)
    grown = ng.apply(ng.rules.WidenLayer(), imported.graph, require="exact").graph
    assert grown.num_edges > imported.graph.num_edges
    assert_close(outputs(to_module(grown, like=imported), (x,)), outputs(module, x))


def test_graphs_with_other_ends_are_refused():
    imported = from_module(nn.Linear(3, 2), torch.zeros(2, 3))
    with pytest.raises(OptionError, match=r"like: the module has the inputs \['input'\], the graph \['x'\]"):
        to_module(renamed(3), like=imported)
    with pytest.raises(OptionError, match=r"like: 'input' of the module has 3 numbers, and the layer of the graph 4"):
        to_module(renamed(4, "input"), like=imported)


def renamed(width, name="x"):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input(name, width)
    b.output("linear", 2)
    b.dense(name, "linear")
    return b.build()
