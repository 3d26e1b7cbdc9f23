"""The refusal of a module names a part nearby that has an equal graph, and leaves the module as it was."""

import pytest
import torch
from small_modules import Of, flat, linear, tokens
from torch import nn

from compilers.importing import from_module
from compilers.importing.nearest import TRIES
from netgraph.errors import ImportRefused


def mixed(m, x):
    return m.q(x) @ (m.k(x).transpose(1, 2) @ x)


def block(m, x):
    x = x + m.attention(m.norm(x))
    return x + m.mlp(x)


def stack(m, x):
    for layer in m.layers:
        x = layer(x)
    return m.head(x)


def model():
    layers = [
        Of(block, attention=Of(mixed, q=linear(), k=linear()), norm=nn.LayerNorm(4),
           mlp=nn.Sequential(linear(4, 8), nn.GELU(), linear(8, 4)))
        for _ in range(2)
    ]  # fmt: skip
    return Of(stack, layers=nn.ModuleList(layers), head=linear())


def refused(module, example, **how):
    with pytest.raises(ImportRefused) as caught:
        from_module(module, example, **how)
    return caught.value


def test_neighbours_come_first_and_of_these_the_largest():
    module = model()
    error = refused(module, tokens())
    assert (error.path, error.part) == ("layers.0.attention", "layers.0.mlp")
    assert str(error).endswith(f" Module {error.part!r} alone has an equal graph.")
    assert from_module(module.get_submodule(error.part), tokens()).graph.num_edges


def test_a_part_is_tried_with_the_arguments_of_its_first_call():
    def forward(m, x):
        return m.scaled(x=m.a(x), by=3.0).softmax(-1)

    scaled = Of(None, w=linear())
    scaled.forward = lambda x, by: scaled.w(x) * by
    error = refused(Of(forward, a=nn.PReLU(), scaled=scaled), flat())
    assert (error.op, error.part) == ("aten.prelu.default", "scaled")


def test_parts_of_lists_are_found_although_lists_are_not_called():
    error = refused(Of(lambda m, x: m.parts[1](m.parts[0](x)).cumsum(-1), parts=nn.ModuleList([linear(), linear()])),
                    flat())  # fmt: skip
    assert error.part == "parts.0"


def test_no_part_is_named_where_none_goes():
    assert refused(nn.Sequential(nn.GroupNorm(2, 4)), flat()).part == ""
    assert refused(nn.GroupNorm(2, 4), flat()).part == ""
    many = nn.Sequential(*(nn.GroupNorm(2, 4) for _ in range(TRIES + 1)), nn.PReLU(4))
    error = refused(many, flat())
    assert (error.path, error.part) == ("0", "")
    assert "alone" not in str(error)


def test_parts_respect_the_limit_of_edges():
    wide = nn.Sequential(linear(4, 100), linear(100, 4), nn.PReLU(4), linear(4, 2))
    assert refused(wide, flat(), max_edges=50).part == "3"


def test_the_module_stays_as_it_is():
    module = nn.Sequential(linear(), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.PReLU()).train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert refused(module, flat()).part == "0"
    assert [part.training for part in module] == [True, False, True, True]
    assert not any(part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    lazy = nn.Sequential(nn.LazyLinear(4), nn.PReLU())
    assert refused(lazy, flat()).part == ""
    assert nn.parameter.is_lazy(lazy[0].weight)
