"""Modules that no graph equals are refused: operation, path in the module, line, reason and remedy are named."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from small_modules import Of, flat, ids, linear, maps, tokens
from torch import nn

from compilers.importing import from_module
from netgraph.errors import GraphError, ImportRefused


def tied():
    layer = linear()
    return nn.Sequential(layer, nn.ReLU(), layer)


def tied_embedding():
    model = nn.Sequential(nn.Embedding(7, 4), nn.LayerNorm(4), nn.Linear(4, 7, bias=False))
    model[2].weight = model[0].weight
    return model


def changed_in_place(m, x):
    h = m.a(x)
    seen = h.view(len(h), 2, 2)
    h.relu_()
    return m.b(h) + seen.flatten(1)


def heads(m, x):
    return [part.reshape(len(x), 5, 2, 2).transpose(1, 2) for part in m.qkv(x).chunk(3, -1)]


def windowed(m, x):
    seen = torch.ones(5, 5).tril() - torch.ones(5, 5).tril(-2)
    return F.scaled_dot_product_attention(*heads(m, x), attn_mask=seen.bool()).transpose(1, 2).flatten(2)


def biased(m, x):
    return F.scaled_dot_product_attention(*heads(m, x), attn_mask=m.bias).transpose(1, 2).flatten(2)


def with_nan():
    model = nn.Sequential(linear(), nn.ReLU())
    with torch.no_grad():
        model[0].weight[1, 2] = torch.nan
    return model


def over_time(m, x):
    h = torch.zeros(len(x), 4)
    for t in range(x.shape[1]):
        h = m.cell(x[:, t], h)
    return h


class Case(NamedTuple):
    """A module that is refused.

    Attributes:
        module, example: makers of the module and of its example.
        op: name of the operation without namespace and overload.
        path: path of the submodule.
        why, remedy: regular expressions of the message.
    """

    module: Callable[[], nn.Module]
    example: Callable[[], Any]
    op: str
    path: str
    why: str
    remedy: str


NO_CYCLES = "a graph has no cycles; use attention or a convolution"
NOTHING = "no layer, link or activation of a graph computes it"
NOT_LARGER = "no link makes maps larger"
BATCH = "keep every sample of a batch apart"
ORDER = "in an order that no link has"
CHOOSE = "choose outside of the graph"

CASES = {
    # -- layers of torch.nn -------------------------------------------------------------------------
    "dilation": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 3, dilation=2), nn.ReLU()), maps, "conv2d", "0",
                     r"dilation \(2, 2\)", "larger kernel without dilation"),
    "lstm": Case(lambda: Of(lambda m, x: m.h(m.r(x)[0]), r=nn.LSTM(4, 5, batch_first=True), h=linear(5)), tokens,
                 "lstm", "r", NOTHING, NO_CYCLES),
    "gru": Case(lambda: Of(lambda m, x: m.h(m.r(x)[0]), r=nn.GRU(4, 5, batch_first=True), h=linear(5)), tokens,
                "gru", "r", NOTHING, NO_CYCLES),
    "rnn": Case(lambda: Of(lambda m, x: m.h(m.r(x)[0]), r=nn.RNN(4, 5, batch_first=True), h=linear(5)), tokens,
                "rnn_tanh", "r", NOTHING, NO_CYCLES),
    "loop over time": Case(lambda: Of(over_time, cell=nn.RNNCell(4, 4)), tokens, "rnn_tanh_cell", "cell", NOTHING,
                           NO_CYCLES),
    "tied layers": Case(tied, flat, "linear", "2", r"'2\.weight' is used twice", "no tied or shared weights"),
    "tied embedding": Case(tied_embedding, ids, "linear", "2", r"'2\.weight' is used twice", "a parameter of its own"),
    "group norm": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 3), nn.GroupNorm(2, 4)), maps, "group_norm", "1",
                       "layers normalise by the batch", "use BatchNorm2d, or LayerNorm over the features"),
    "instance norm": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 3), nn.InstanceNorm2d(4)), maps, "instance_norm", "1",
                          "layers normalise by the batch", "use BatchNorm2d"),
    "layer norm over maps": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.LayerNorm((4, 6, 6))), maps,
                                 "layer_norm", "1", r"over 3 axes, \(4, 6, 6\)", "over the features alone"),
    "batch norm without statistics": Case(lambda: nn.Sequential(linear(), nn.BatchNorm1d(4, track_running_stats=False)),
                                          flat, "batch_norm", "1", "no running statistics", "track_running_stats=True"),
    "local response norm": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 3), nn.LocalResponseNorm(2)), maps, "avg_pool3d",
                                "1", NOTHING, "submodule"),
    "one slope for all": Case(lambda: nn.Sequential(linear(), nn.PReLU()), flat, "prelu", "1", "4 features share",
                              r"use torch\.nn\.PReLU\(4\), or LeakyReLU"),
    "elu": Case(lambda: nn.Sequential(linear(), nn.ELU()), flat, "elu", "1", "no activation computes this function",
                "register_activation"),
    "softsign": Case(lambda: nn.Sequential(linear(), nn.Softsign()), flat, "div", "1", "no activation computes",
                     "the nearest is 'tanh', which differs by up to 0.16"),
    "softmax": Case(lambda: nn.Sequential(linear(), nn.Softmax(-1)), flat, "softmax", "1", "softmax over features",
                    "let the loss have it"),
    "log softmax": Case(lambda: nn.Sequential(linear(), nn.LogSoftmax(-1)), flat, "log_softmax", "1",
                        "softmax over features", "let the loss have it"),
    "transposed convolution": Case(lambda: nn.Sequential(nn.ConvTranspose2d(4, 2, 2, stride=2)), maps,
                                   "conv_transpose2d", "0", NOT_LARGER, "the part of the module before it"),
    "conv1d": Case(lambda: nn.Sequential(nn.Conv1d(4, 2, 3)), lambda: torch.randn(3, 4, 9), "conv1d", "0",
                   "links convolve maps of height and width", "for tokens with maps of height 1"),
    "conv3d": Case(lambda: nn.Sequential(nn.Conv3d(4, 2, 3)), lambda: torch.randn(3, 4, 5, 5, 5), "conv3d", "0",
                   "links convolve maps of height and width", "use Conv2d"),
    "reflected padding": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")), maps,
                              "conv2d", "0", ORDER, "pad by zeros"),
    "bilinear": Case(lambda: Of(lambda m, x: m.a(x[:, :2], x[:, 2:]), a=nn.Bilinear(2, 2, 3)), flat, "bilinear", "a",
                     NOTHING, "a gate"),
    "embedding bag": Case(lambda: Of(lambda m, x: m.a(x), a=nn.EmbeddingBag(7, 4)), ids, "embedding_bag", "a", NOTHING,
                          "use Embedding, and the mean over the tokens"),
    "embedding with a limit": Case(lambda: nn.Sequential(nn.Embedding(7, 4, max_norm=1.0)), ids, "embedding_renorm_",
                                   "0", NOTHING, "leave out max_norm"),
    "upsampling": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 3), nn.Upsample(scale_factor=2), nn.Conv2d(4, 2, 3)), maps,
                       "upsample_nearest2d", "1", NOTHING, NOT_LARGER),
    "pixel shuffle": Case(lambda: nn.Sequential(nn.Conv2d(4, 8, 3), nn.PixelShuffle(2), nn.Conv2d(2, 2, 3)), maps,
                          "conv2d", "2", "changes its source or its factor from position to position",
                          "no pixel shuffle"),
    "windows over the edge": Case(lambda: nn.Sequential(nn.Conv2d(4, 2, 2), nn.MaxPool2d(2, ceil_mode=True)), maps,
                                  "max_pool2d", "1", "ceil_mode=True", "use ceil_mode=False, or padding"),
    "uneven mean at the edge": Case(lambda: nn.Sequential(nn.AvgPool2d(3, 2, 1, count_include_pad=False)), maps,
                                    "avg_pool2d", "0", "divides by fewer numbers", "use count_include_pad=True"),
    "uneven windows": Case(lambda: nn.Sequential(nn.Conv2d(4, 4, 3), nn.AdaptiveAvgPool2d(3)), maps,
                           "adaptive_avg_pool2d", "1", "does not divide into", "a size that divides the maps"),
    "indices of a pool": Case(lambda: Of(lambda m, x: m.u(*m.p(x)), p=nn.MaxPool2d(2, return_indices=True),
                                         u=nn.MaxUnpool2d(2)), maps, "max_pool2d_with_indices", "p", NOTHING,
                              "use return_indices=False"),
    "unfold": Case(lambda: nn.Sequential(nn.Unfold(2, stride=2)), maps, "im2col", "0", NOTHING,
                   "use Conv2d with the kernel and the stride of the patches"),
    "fold": Case(lambda: nn.Sequential(nn.Fold((6, 6), 3, stride=3)), lambda: torch.randn(3, 36, 4), "col2im", "0",
                 NOTHING, NOT_LARGER),
    "weight norm": Case(lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(linear())), flat, "_weight_norm",
                        "0.parametrizations.weight.0", NOTHING, r"remove_parametrizations\(layer, 'weight'\)"),
    # -- functions ------------------------------------------------------------------------------------
    "branch": Case(lambda: Of(lambda m, x: m.a(x) if x.sum() > 0 else m.b(x), a=linear(), b=linear()), flat,
                   "torch.export", "", "decides by the values of its input", r"choose with torch\.where"),
    "choice by data": Case(lambda: Of(lambda m, x: m.a(x).masked_fill(x > 0, 0.0), a=linear()), flat, "gt", "", NOTHING,
                           "comparisons of the input"),
    "dropout in eval mode": Case(lambda: Of(lambda m, x: F.dropout(m.a(x), 0.5), a=linear()), flat, "dropout", "",
                                 "drops numbers in eval mode, too", "training=self.training"),
    "noise": Case(lambda: Of(lambda m, x: m.a(x) + torch.randn_like(x), a=linear()), flat, "randn_like", "", NOTHING,
                  "no random numbers"),
    "cumsum": Case(lambda: Of(lambda m, x: m.a(x).cumsum(1), a=linear()), tokens, "cumsum", "", NOTHING,
                   "use sums with weights"),
    "sort": Case(lambda: Of(lambda m, x: m.a(x).sort(-1).values, a=linear()), flat, "sort", "", NOTHING, CHOOSE),
    "topk": Case(lambda: Of(lambda m, x: m.a(x).topk(2).values, a=linear()), flat, "topk", "", NOTHING, CHOOSE),
    "max of features": Case(lambda: Of(lambda m, x: m.a(x).max(-1).values, a=linear()), flat, "max", "", NOTHING,
                            CHOOSE),
    "maxout": Case(lambda: Of(lambda m, x: torch.maximum(m.a(x), m.b(x)), a=linear(), b=linear()), flat, "maximum", "",
                   "compares two different activations", r"relu\(a - b\) \+ b"),
    "product over features": Case(lambda: Of(lambda m, x: m.a(x).prod(-1), a=linear()), flat, "prod", "", NOTHING,
                                "sums with weights"),
    "exp": Case(lambda: Of(lambda m, x: m.a(x).exp(), a=linear()), flat, "exp", "", "no activation computes",
                "register_activation"),
    "division": Case(lambda: Of(lambda m, x: m.a(x) / (1 + m.b(x).square()), a=linear(), b=linear()), flat, "div", "",
                     "divides by a value that depends on an input", "divide by constants"),
    "squeeze and excite": Case(lambda: Of(lambda m, x: x * torch.sigmoid(m.a(x.mean((2, 3))))[..., None, None],
                                          a=linear()), maps, "mul", "", "activations of the shapes",
                               "with the same features and positions"),
    "product of features": Case(lambda: Of(lambda m, x: torch.einsum("bi,bj->bij", m.a(x), m.b(x)), a=linear(),
                                           b=linear(4, 3)), flat, "einsum", "", "used otherwise than as attention",
                                r"softmax\(queries @ keys\^T\) @ values"),
    "linear attention": Case(lambda: Of(lambda m, x: m.q(x) @ (m.k(x).transpose(1, 2) @ m.v(x)), q=linear(),
                                        k=linear(), v=linear()), tokens, "matmul", "",
                             "used otherwise than as attention", "scaled_dot_product_attention"),
    "attention in windows": Case(lambda: Of(windowed, qkv=linear(4, 12)), tokens, "scaled_dot_product_attention", "",
                                 "a sliding window of 2 tokens", "or the causal one"),
    "attention with a learned bias": Case(lambda: Of(biased, qkv=linear(4, 12), bias=nn.Parameter(torch.zeros(5, 5))),
                                          tokens, "scaled_dot_product_attention", "", "depends on the input or on a "
                                          "parameter", "use no mask"),
    "tokens backwards": Case(lambda: Of(lambda m, x: m.a(x).flip(1) + m.b(x), a=linear(), b=linear()), tokens, "add",
                             "", f"positions of 'a' {ORDER}", "keep tokens and pixels in their order"),
    "permuted tokens": Case(lambda: Of(lambda m, x: m.a(x)[:, torch.tensor([2, 0, 1, 4, 3])] + x, a=linear()), tokens,
                            "add", "", f"positions of 'a' {ORDER}", "keep tokens and pixels in their order"),
    "transposed maps": Case(lambda: Of(lambda m, x: m.b(m.a(x).transpose(2, 3)) + x, a=nn.Conv2d(4, 4, 1),
                                       b=nn.Conv2d(4, 4, 1)), maps, "conv2d", "b", ORDER, "in their order"),
    "mean of the batch": Case(lambda: Of(lambda m, x: m.a(x - x.mean(0)), a=linear()), flat, "mean", "",
                              "over samples, or over some of the positions", "reduce over all positions"),
    "neighbours in the batch": Case(lambda: Of(lambda m, x: m.a(x) + x.roll(1, 0), a=linear()), flat, "add", "",
                                    "adds numbers of different samples", BATCH),
    "attention over the batch": Case(lambda: Of(lambda m, x: torch.softmax(m.a(x) @ m.b(x).T, -1) @ x, a=linear(),
                                                b=linear()), flat, "matmul", "", "different samples", BATCH),
    "complex numbers": Case(lambda: Of(lambda m, x: torch.fft.fft(m.a(x)).real, a=linear()), flat, "fft_fft", "",
                            NOTHING, "a Linear layer with frozen weights"),
    "arithmetic on ids": Case(lambda: Of(lambda m, x: m.e((x + 1) % 7), e=nn.Embedding(7, 4)), ids, "remainder", "",
                              NOTHING, "outside of the module"),
    "whole numbers": Case(lambda: Of(lambda m, x: m.a(x.float()), a=linear(5)), ids, "linear", "a",
                          "computes with whole numbers of an input", "give them to an embedding, or as floating"),
    "changed in place": Case(lambda: Of(changed_in_place, a=linear(), b=linear()), flat, "relu_", "",
                             r"changes in place what aten\.flatten\.using_ints reads afterwards", r"x = x\.relu\("),
    "scaled parameter": Case(lambda: Of(lambda m, x: x @ (m.w * 0.5), w=nn.Parameter(torch.ones(4, 4))), flat, "matmul",
                             "", "a parameter times a constant", "put the factor into the parameter"),
    "weights from data": Case(lambda: Of(lambda m, x: F.conv2d(x, x[:2])), maps, "conv2d", "",
                              "multiplies two values that depend on the input", "a gate"),
    "weights from a network": Case(lambda: Of(lambda m, x: F.linear(x, m.g(m.z).view(4, 4)), g=linear(3, 16),
                                              z=nn.Parameter(torch.ones(3))), flat, "linear", "g",
                                   "depends on no input", r"token\.expand"),
    "layer on a constant": Case(lambda: Of(lambda m, x: (m.a(x), m.b(torch.ones(len(x), 4))), a=linear(), b=linear()),
                                flat, "linear", "b", "with constants and parameters alone", "store its result"),
    "loss": Case(lambda: Of(lambda m, x, y: F.cross_entropy(m.a(x), y), a=linear()),
                 lambda: (flat(), torch.tensor([0, 1, 2])), "cross_entropy_loss", "", NOTHING, "without its loss"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_names_operation_path_line_reason_and_remedy(name):
    torch.manual_seed(0)
    case = CASES[name]
    module = case.module()
    with pytest.raises(ImportRefused, match=f"{case.why}.*Remedy: .*{case.remedy}") as caught:
        from_module(module, case.example())
    error, text = caught.value, str(caught.value)
    assert error.op.removeprefix("aten.").split(".")[0] == case.op.split(".")[0]
    assert error.path == case.path
    if case.path:
        module.get_submodule(case.path)
        assert f"module {case.path!r}" in text
    assert error.op in text or error.op == "torch.export"
    assert ", in " in error.line
    assert error.line in text
    assert isinstance(error, GraphError)


def constant_output(m, x):
    return m.a(x), torch.ones(len(x), 2)


WITHOUT_OPERATION = {
    "output without input": (lambda: Of(constant_output, a=linear()), flat, "The output 1 .* depends on no input"),
    "no tensor": (lambda: Of(lambda m, x: None), flat, "gives no tensor; return one"),
    "parameters that are no numbers": (with_nan, flat, r"'0\.weight' has numbers that are not finite, such as nan\. "
                                       "Remedy: load a checkpoint"),
    "whole parameters": (lambda: Of(lambda m, x: x @ m.w.float(), w=nn.Parameter(torch.ones(4, 4, dtype=torch.int64),
                                                                                requires_grad=False)), flat,
                         r"'w' has the type torch\.int64.* Remedy: store it as floating"),
    "one size of batch": (lambda: Of(lambda m, x: m.a(x.view(2, -1)), a=linear()), lambda: torch.randn(2, 4),
                          r"does not take 3 samples: .* Use -1 for the batch"),
    "samples that are cut off": (lambda: Of(lambda m, x: m.a(x.reshape(-1)[:8].view(2, 4)), a=linear()), flat,
                                 "depends on the number of samples"),
    "another size": (lambda: nn.Sequential(linear(5)), flat, r"torch\.export refuses it: .*\[5, 4\]\. Remedy"),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT_OPERATION)
def test_a_module_is_refused_as_a_whole(name):
    make, example, text = WITHOUT_OPERATION[name]
    with pytest.raises(ImportRefused, match=text):
        from_module(make(), example())


def test_more_edges_than_allowed_are_refused_at_the_layer_that_passes_the_limit():
    model = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 10))
    with pytest.raises(ImportRefused, match=r"module '2' .* more than 100 edges. Remedy: give a larger max_edges"):
        from_module(model, flat(), max_edges=100)
    assert from_module(model, flat(), max_edges=140).graph.num_edges == 140
