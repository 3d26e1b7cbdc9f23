"""Examples, layouts, domains, names and refusals of an import, for modules of all kinds."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

import netgraph as ng
from compilers import lower
from compilers.importing import from_module, verify
from compilers.importing.ops.pointwise import activated
from compilers.importing.walk import OPERATIONS
from netgraph.errors import ImportRefused, OptionError


class Two(nn.Module):
    """Two inputs and a dict of outputs."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 4)

    def forward(self, one, two, *, scale: bool = False):
        hidden = torch.tanh(self.left(one) + self.right(two))
        return {"hidden": hidden, "doubled": 2 * hidden if scale else hidden + hidden}


class Patches(nn.Module):
    """Maps in, tokens out."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 2, 2)

    def forward(self, x):
        return self.conv(x).flatten(2).transpose(1, 2)


def close(found, wanted):
    np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), atol=1e-6)


def test_arguments_are_a_tensor_a_tuple_or_keywords():
    module, one, two = Two().eval(), torch.randn(5, 3), torch.randn(5, 2)
    wanted = module(one, two)
    for example in ((one, two), {"one": one, "two": two}):
        imported = from_module(module, example)
        values = lower(imported.graph).eval()(imported.to_inputs(example))
        for found, own in zip(imported.from_outputs(values), wanted.values(), strict=True):
            close(found, own)


def test_one_sample_is_example_enough():
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    one, many = (from_module(module, torch.randn(n, 3)).graph for n in (1, 7))
    assert one.topology_hash == many.topology_hash


def test_layouts_bring_tensors_to_layers_and_back():
    module, x = Patches().eval(), torch.randn(3, 1, 4, 6)
    imported = from_module(module, x)
    assert imported.inputs[0].shape == (1, 4, 6)
    assert imported.outputs[0].shape == (6, 3)
    values = ng.interpret(imported.graph, {k: v.numpy() for k, v in imported.to_inputs(x).items()})
    close(imported.from_outputs(values)[0].float(), module(x))


def test_the_module_stays_as_it_is():
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.BatchNorm1d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    from_module(module, torch.randn(4, 3))
    assert all(part.training for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_modules_of_float64_give_graphs_of_float64():
    graph = from_module(nn.Linear(3, 2).double(), torch.randn(2, 3, dtype=torch.float64)).graph
    assert graph.edges.weight.dtype == np.float64


def test_layers_have_the_names_of_modules():
    module = nn.Sequential()
    module.add_module("first", nn.Linear(3, 4))
    module.add_module("act", nn.ReLU())
    module.add_module("last", nn.Linear(4, 2))
    graph = from_module(module, torch.randn(2, 3)).graph
    assert [layer.name for layer in graph.layers] == ["input", "first", "last"]
    assert graph.layers["first"].activation == "relu"


def test_a_parameter_that_is_not_trained_becomes_frozen_edges():
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    module[0].weight.requires_grad_(False)
    graph = from_module(module, torch.randn(2, 3)).graph
    assert graph.num_edges == 8
    assert graph.links["input", "0"].frozen.all()


def test_what_trains_here_alone_or_in_the_module_alone_has_a_note():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=None), nn.Linear(4, 2), nn.BatchNorm1d(2))
    module[0].bias.requires_grad_(False)
    notes = from_module(module, torch.randn(2, 3)).notes
    assert len(notes) == 2
    assert any(note.startswith("0.bias: it is not trained in the module, but here") for note in notes)
    assert any(note.startswith("1: training leaves its running statistics") for note in notes)


def test_masked_weights_are_missing_edges():
    module = nn.Linear(4, 3)
    prune.random_unstructured(module, "weight", 0.5)
    graph = from_module(module, torch.randn(2, 4)).graph
    assert graph.num_edges == 6


class TestDomain:
    def test_one_interval_is_for_every_floating_input(self):
        graph = from_module(Two(), (torch.rand(2, 3), torch.rand(2, 2)), domain=(0, 1)).graph
        assert [layer.domain for layer in graph.inputs] == [(0.0, 1.0)] * 2

    def test_inputs_may_have_their_own(self):
        graph = from_module(Two(), (torch.rand(2, 3), torch.rand(2, 2)), domain={"two": (-1, 1)}).graph
        assert graph.layers["one"].domain == (-np.inf, np.inf)
        assert graph.layers["two"].domain == (-1.0, 1.0)

    @pytest.mark.parametrize("domain", [{"three": (0, 1)}, (1, 0), (0, 1, 2), ("a", 1)])
    def test_others_are_refused(self, domain):
        with pytest.raises(OptionError, match="domain"):
            from_module(Two(), (torch.rand(2, 3), torch.rand(2, 2)), domain=domain)


class TestRefusals:
    def test_it_says_operation_path_line_and_remedy(self):
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.Conv2d(2, 2, 3, dilation=2)))
        with pytest.raises(ImportRefused, match=r"module '1\.0'.*dilation.*Remedy: use a larger kernel") as refused:
            from_module(module, torch.randn(2, 1, 9, 9))
        assert refused.value.op == "aten.conv2d.default"
        assert refused.value.path == "1.0"
        assert "forward" in refused.value.line

    def test_edges_above_the_limit(self):
        with pytest.raises(ImportRefused, match=r"more than 10 edges.*larger max_edges"):
            from_module(nn.Linear(4, 3), torch.randn(2, 4), max_edges=10)

    def test_a_module_that_depends_on_the_number_of_samples(self):
        class Fixed(nn.Module):
            def forward(self, x):
                return x.reshape(2, 3) * 2.0

        with pytest.raises(ImportRefused, match="does not take 3 samples"):
            from_module(Fixed(), torch.randn(2, 3))

    def test_an_example_without_a_batch(self):
        with pytest.raises(ImportRefused, match="first axis is the batch"):
            from_module(nn.Linear(4, 3), torch.tensor(1.0))
        with pytest.raises(ImportRefused, match="no tensor"):
            from_module(nn.Linear(4, 3), ())
        with pytest.raises(ImportRefused, match="first axis is the"):
            from_module(Two(), (torch.rand(2, 3), torch.rand(3, 2)))

    def test_an_input_that_no_output_reads_is_kept(self):
        class Half(nn.Module):
            def forward(self, x, y):
                return x + 1

        imported = from_module(Half(), (torch.randn(2, 3), torch.randn(2, 3)))
        assert [layer.name for layer in imported.graph.inputs] == ["x", "y"]
        assert "y: no output depends on this input." in imported.notes

    def test_an_output_that_depends_on_no_input(self):
        class Constant(nn.Module):
            def forward(self, x):
                return x, torch.ones(2)

        with pytest.raises(ImportRefused, match="depends on no input"):
            from_module(Constant(), torch.randn(2, 3))


def test_a_wrong_import_is_found_and_its_layer_named(monkeypatch):
    monkeypatch.setitem(OPERATIONS, "relu", lambda walk, value: activated(walk, value, "tanh"))
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(ImportRefused, match=r"module '1'.* differs from the module"):
        from_module(module, torch.randn(2, 3))


def test_large_graphs_are_compared_by_the_compiled_network(monkeypatch):
    monkeypatch.setattr(verify, "MANY_PRODUCTS", 0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    from_module(module, torch.randn(2, 1, 6, 6))


def test_a_sum_is_one_layer_for_all_its_readers():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.norms = nn.ModuleList(nn.LayerNorm(4) for _ in range(6))
            self.parts = nn.ModuleList(nn.Linear(4, 4) for _ in range(6))

        def forward(self, x):
            for norm, part in zip(self.norms, self.parts, strict=True):
                x = x + F.gelu(part(norm(x)))
            return x

    graph = from_module(Residual(), torch.randn(2, 3, 4)).graph
    assert len(graph.links_by_key) <= 4 * 6


def test_a_module_without_numbers_is_refused():
    with pytest.raises(ImportRefused, match="load its weights first"):
        from_module(nn.Linear(3, 2, device="meta"), torch.randn(2, 3))
