"""Values that were moved, padded and read in several ways before a layer was made for them."""

import numpy as np
import pytest
import torch
from module_training import assert_close, outputs
from torch import nn
from torch.nn import functional as F

import netgraph as ng
from compilers.importing import from_module
from compilers.importing.sums import take
from compilers.importing.walk import ModuleWalk
from netgraph.errors import ImportRefused


def assert_imported(module, example):
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-1, 1)
    imported = from_module(module, example)
    x = {name: value.numpy() for name, value in imported.to_inputs(example).items()}
    assert_close(imported.from_outputs(ng.interpret(imported.graph, x)), outputs(module, example))
    return imported


class Moved(nn.Module):
    """A sum with learned positions that is transposed before its norm is computed."""

    def __init__(self):
        super().__init__()
        self.positions, self.norm = nn.Parameter(torch.zeros(4, 3)), nn.LayerNorm(3)
        self.one, self.two = nn.Linear(3, 2), nn.Conv2d(3, 2, (1, 3), padding=(0, 1))

    def forward(self, x):
        x = x + self.positions
        moved = x.transpose(1, 2)
        return self.one(self.norm(x)), self.two(moved.unsqueeze(2)).squeeze(2)


def test_values_moved_before_a_layer_is_made_read_this_layer():
    imported = assert_imported(Moved(), torch.randn(2, 4, 3, dtype=torch.float64))
    assert sum(layer.role == "position" for layer in imported.graph.layers_by_id.values()) == 1


class Placed(nn.Module):
    """Patches of a single position behind a token of zeros, with a bias, or with learned positions."""

    def __init__(self, *shape, activation=False):
        super().__init__()
        self.patch, self.added, self.head = nn.Conv2d(1, 3, 2), nn.Parameter(torch.zeros(shape)), nn.Linear(3, 2)
        self.activation = activation

    def forward(self, x):
        h = F.pad(self.patch(x).flatten(2).transpose(1, 2), (0, 0, 1, 0)) + self.added
        return self.head(h.relu() if self.activation else h)


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
@pytest.mark.parametrize("activation", [False, True])
def test_a_single_position_is_placed_among_tokens(shape, activation):
    imported = assert_imported(Placed(*shape, activation=activation), torch.randn(2, 1, 2, 2, dtype=torch.float64))
    assert imported.graph.outputs[0].grid == (2,)


class OneQuery(nn.Module):
    """A class token as the only query, at the position 0 of rotary positions."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))
        angles = torch.arange(5).double()[:, None] * torch.tensor([1.0, 0.1]).double()
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos())
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin())

    def rotated(self, x, tokens):
        one, two = x.chunk(2, dim=-1)
        return x * self.cos[:tokens] + torch.cat((-two, one), dim=-1) * self.sin[:tokens]

    def forward(self, x):
        q, k = self.rotated(self.q(x[:, :1]), 1), self.rotated(self.k(x), 5)
        return F.scaled_dot_product_attention(q, k, self.v(x))


def test_a_single_query_turns_by_the_frequencies_of_the_keys():
    imported = assert_imported(OneQuery(), torch.randn(2, 5, 4, dtype=torch.float64))
    merges = [layer.merge for layer in imported.graph.layers_by_id.values() if layer.merge is not None]
    assert len(merges[0].frequencies) == 2


def test_the_row_of_a_table_for_padding_is_frozen():
    graph = from_module(nn.Embedding(5, 2, padding_idx=1), torch.tensor([[0], [3]])).graph
    (link,) = graph.links_by_key.values()
    assert link.frozen.tolist() == (link.src == 1).tolist()


class ScaledParameter(nn.Module):
    """A layer scale times a constant, and a bias of its own behind a product without one."""

    def __init__(self):
        super().__init__()
        self.weight, self.scale, self.shift = (nn.Parameter(torch.zeros(s)) for s in ((3, 2), (2,), (2,)))

    def forward(self, x):
        return 0.5 * self.scale * (x @ self.weight + self.shift)


def test_constants_of_parameters_are_factors_of_products_and_biases_join_their_sums():
    imported = assert_imported(ScaledParameter(), torch.randn(2, 3, dtype=torch.float64))
    assert imported.graph.num_edges == 3 * 2 + 2
    assert len(imported.graph.layers) == 4


def test_a_sum_that_is_tried_in_vain_leaves_its_parameters_to_the_next_reader():
    walk = ModuleWalk(2, 10)
    walk.add_parameter("bias", torch.zeros(3))
    parameter = walk.parameters["bias"]
    codes = np.arange(parameter.start, parameter.start + 3)
    with walk.trying():
        take(walk, codes[:2])
        walk.refuse("it is only a try", "go on")
    assert not parameter.used.any()
    take(walk, codes)
    with pytest.raises(ImportRefused, match="'bias' is used twice"):
        take(walk, codes[:1])
