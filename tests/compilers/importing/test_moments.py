"""RMS and layer norms by hand, norms over groups of features, and means over features."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_models import drawn

import netgraph as ng
from compilers.importing import from_module
from netgraph.errors import ImportRefused

TOKENS, WIDTH, EPSILON = 3, 6, 1e-3


class Normed(nn.Module):
    """A norm of a sum, and a linear layer."""

    def __init__(self, norm):
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)
        self.scale, self.norm = nn.Parameter(torch.ones(WIDTH)), norm

    def forward(self, x):
        return self.last(self.norm(x + self.first(x), self.scale))


def imported(norm):
    """Import of a norm whose graph computes the same."""
    module, x = drawn(Normed(norm)).eval(), torch.randn(4, TOKENS, WIDTH, dtype=torch.float64)
    result = from_module(module, x)
    (inputs,) = result.to_inputs(x).values()
    with torch.no_grad():
        wanted = module(x).numpy()
    (found,) = result.from_outputs(ng.interpret(result.graph, inputs.numpy()))
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-9 * np.abs(wanted).max())
    return result


def norms(result):
    """Layers with a norm."""
    return [layer for layer in result.graph.layers_by_id.values() if layer.norm != "none"]


def mean_square(x):
    return x.pow(2).mean(-1, keepdim=True) + EPSILON


FORMS = {
    "llama": lambda x, w: w * (x * torch.rsqrt(mean_square(x))).to(x.dtype),
    "root": lambda x, w: x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + EPSILON) * w,
    "power": lambda x, w: x * mean_square(x).pow(-0.5) * w,
    "inverse root": lambda x, w: x * (1 / mean_square(x).sqrt()) * w,
    "sum": lambda x, w: x * torch.rsqrt(x.square().sum(-1) / WIDTH + EPSILON).unsqueeze(-1) * w,
    "one operation": lambda x, w: F.rms_norm(x, (WIDTH,), w, EPSILON),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_rms_norm_is_a_layer_with_its_scale(form):
    result = imported(FORMS[form])
    (layer,) = norms(result)
    assert (layer.norm, layer.norm_epsilon) == ("rms", pytest.approx(EPSILON))
    column, ids = result.parameters.vertices["scale"]
    assert column == "scale"
    np.testing.assert_array_equal(ids, layer.vertex_ids)


def centred(x):
    return x - x.mean(-1, keepdim=True)


LAYER_FORMS = {
    "squares": lambda x, w: centred(x) * torch.rsqrt(centred(x).pow(2).mean(-1, keepdim=True) + EPSILON) * w,
    "product": lambda x, w: centred(x) / ((centred(x) * centred(x)).mean(-1, keepdim=True) + EPSILON).sqrt() * w,
    "variance": lambda x, w: centred(x) / (x.var(-1, keepdim=True, unbiased=False) + EPSILON) ** 0.5 * w,
    "mean and variance": lambda x, w: by_variance(x) * w,
    "with a shift": lambda x, w: by_variance(x) + w,
}


def by_variance(x):
    variance, mean = torch.var_mean(x, -1, keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + EPSILON)


@pytest.mark.parametrize("form", LAYER_FORMS)
def test_a_layer_norm_by_hand_is_a_layer(form):
    result = imported(LAYER_FORMS[form])
    (layer,) = norms(result)
    assert (layer.norm, layer.norm_epsilon) == ("layer", pytest.approx(EPSILON))
    column, ids = result.parameters.vertices["scale"]
    assert column == ("shift" if form == "with a shift" else "scale")
    np.testing.assert_array_equal(ids, layer.vertex_ids)


def test_the_unbiased_variance_changes_epsilon_and_scale():
    (layer,) = norms(imported(lambda x, w: centred(x) / torch.sqrt(x.var(-1, keepdim=True) + EPSILON) * w))
    assert layer.norm_epsilon == pytest.approx(EPSILON * (WIDTH - 1) / WIDTH)


@pytest.mark.parametrize(
    "use",
    [
        centred,
        lambda x: centred(x) ** 2,
        lambda x: x + x.mean(-1, keepdim=True),
        lambda x: x - x.sum(-1)[..., None],
    ],
)
def test_a_mean_over_features_is_a_layer_of_one_vertex(use):
    graph = imported(lambda x, w: use(x) * w).graph
    assert [len(layer) for layer in graph.layers_by_id.values()].count(1) == 1


def test_the_epsilon_of_the_precision_is_that_of_the_module():
    module = nn.RMSNorm(WIDTH)
    (layer,) = norms(from_module(module, torch.randn(2, WIDTH)))
    assert layer.norm_epsilon == torch.finfo(torch.float32).eps


def test_a_norm_without_scale_has_a_note():
    result = imported(lambda x, w: x * torch.rsqrt(mean_square(x)))
    assert any("no scale of its own" in note for note in result.notes)


def test_a_norm_may_be_read_with_and_without_its_scale():
    def twice(x, w):
        normed = x * torch.rsqrt(mean_square(x))
        return normed * w + normed

    assert [layer.norm for layer in norms(imported(twice))] == ["rms", "rms"]


def test_a_factor_of_the_value_comes_after_the_norm():
    assert len(norms(imported(lambda x, w: 2 * x * torch.rsqrt(mean_square(x))))) == 1


@pytest.mark.parametrize("form", ["layer", "rms"])
def test_groups_of_features_have_layers_of_their_own(form):
    def grouped(x, w):
        parts = x.unflatten(-1, (2, -1))
        normed = F.layer_norm(parts, (WIDTH // 2,)) if form == "layer" else F.rms_norm(parts, (WIDTH // 2,))
        return normed.flatten(-2)

    assert [(layer.norm, len(layer)) for layer in norms(imported(grouped))] == [(form, WIDTH // 2)] * 2


REFUSED = {
    "epsilon outside": lambda x, w: x / (x.pow(2).mean(-1, keepdim=True).sqrt() + EPSILON) * w,
    "no epsilon": lambda x, w: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)) * w,
    "of another value": lambda x, w: (x + 1) * torch.rsqrt(mean_square(x)),
    "over tokens": lambda x, w: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + EPSILON),
    "mean alone": lambda x, w: mean_square(x) + x,
    "deviation plus epsilon": lambda x, w: centred(x) / (x.std(-1, keepdim=True) + EPSILON) * w,
    "several axes": lambda x, w: x * torch.rsqrt(x.pow(2).mean((1, 2), keepdim=True) + EPSILON),
    "one scale for two groups": lambda x, w: (F.rms_norm(x.unflatten(-1, (2, -1)), (WIDTH // 2,), w[:3])).flatten(-2),
    "scale plus one": lambda x, w: (1 + w) * (x * torch.rsqrt(mean_square(x))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_norms_are_refused(case):
    with pytest.raises(ImportRefused, match=r"Remedy: ") as caught:
        from_module(drawn(Normed(REFUSED[case])), torch.randn(2, TOKENS, WIDTH, dtype=torch.float64))
    assert caught.value.op.startswith("aten.")
    assert "test_moments.py" in caught.value.line
