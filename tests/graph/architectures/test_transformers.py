"""Transformers: sizes, names and layout of their graphs, values against torch, order of tokens, errors."""

import time

import numpy as np
import pytest
import torch
from copied import arrays, filled, linear, norm

import netgraph as ng
from compilers import lower
from netgraph.errors import GraphError, OptionError

SMALL = {"tokens": 6, "width": 8, "heads": 2, "depth": 2}


def edges(graph):
    return int((~graph.edges.frozen).sum())


def ids(seed=0, samples=3, tokens=6, vocabulary=11):
    return np.random.default_rng(seed).integers(0, vocabulary, (samples, tokens))


def features(seed=0, samples=3, width=8, tokens=6):
    return np.random.default_rng(seed).normal(size=(samples, width, tokens))


# -- layout -----------------------------------------------------------------------------------------


def test_layers_of_a_block_with_norms_first():
    graph = ng.gpt(11, **SMALL)
    assert [layer.name for layer in graph.layers.values()][:14] == [
        "input", "positions", "embedded", "block1.norm1", "block1.queries", "block1.keys", "block1.values",
        "block1.heads", "block1.mix", "block1.attended", "block1.norm2", "block1.mlp", "block1.output", "block2.norm1",
    ]  # fmt: skip
    assert [layer.name for layer in graph.layers.values()][-2:] == ["norm", "output"]
    assert graph.layers["block1.heads"].merge == ng.Attend(0.5, causal=True)
    assert graph.layers["block1.heads"].grid == (6, 6)
    assert graph.layers["block1.mlp"].activation == "gelu_tanh"
    assert graph.layers["output"].grid == (6,)


def test_norms_that_come_last_need_no_layers_of_their_own():
    graph = ng.transformer_encoder(1, tokens=6, width=8, heads=2, positions="none")
    assert [(layer.name, layer.norm) for layer in graph.layers.values()] == [
        ("input", "none"), ("block1.queries", "none"), ("block1.keys", "none"), ("block1.values", "none"),
        ("block1.heads", "none"), ("block1.mix", "none"), ("block1.attended", "layer"), ("block1.mlp", "none"),
        ("block1.output", "layer"),
    ]  # fmt: skip
    assert [layer.name for layer in graph.outputs] == ["block1.output"]


def test_a_gated_perceptron_multiplies_two_layers():
    graph = ng.gpt(11, **SMALL, gated=True, activation="silu", hidden=5, norm="rms", bias=False)
    gate, up, inner = (graph.layers[f"block1.{name}"] for name in ("gate", "up", "mlp"))
    assert (gate.activation, up.activation, inner.merge) == ("silu", "identity", ng.Product())
    assert {len(layer) for layer in (gate, up, inner)} == {5}
    assert all(layer.bias is None for layer in graph.layers.values())


def test_heads_of_a_group_share_keys_and_values():
    graph = ng.gpt(11, **SMALL | {"heads": 4}, groups=2, key_width=6, value_width=5)
    widths = {name: len(graph.layers[f"block1.{name}"]) for name in ("queries", "keys", "values", "heads", "mix")}
    assert widths == {"queries": 24, "keys": 12, "values": 10, "heads": 4, "mix": 20}
    layer = graph.layers["block1.mix"]
    wires = ng.graph.port_wires(graph, layer.id)[1]
    np.testing.assert_array_equal(wires.src.reshape(4, 5), [range(5), range(5), range(5, 10), range(5, 10)])


def test_rotary_positions_have_one_frequency_per_pair_of_slots():
    graph = ng.gpt(11, **SMALL, key_width=6, positions="rotary", rotary_base=1000.0)
    assert graph.layers["block2.heads"].merge.frequencies == (1.0, 1000.0 ** (-2 / 6), 1000.0 ** (-4 / 6))
    assert "positions" not in graph.layers


@pytest.mark.parametrize("first", [False, True])
def test_norm_none_leaves_out_the_layers_of_norms(first):
    graph = ng.transformer_encoder(1, tokens=6, width=8, heads=2, norm="none", norm_first=first, outputs=3)
    assert not [name for name in graph.layers if "norm" in name.name]
    assert {layer.norm for layer in graph.layers.values()} == {"none"}


@pytest.mark.parametrize(
    ("graph", "count", "parameters"),
    [
        (lambda: ng.vit(), 2_677_824, None),
        (lambda: ng.vit(classes=1000, input_size=(3, 224, 224), patch=16, depth=12), None, 5_717_416),
        (lambda: ng.gpt(100), 10_791_936, None),
    ],
    ids=["vit", "ViT-Tiny", "gpt"],
)
def test_sizes(graph, count, parameters):
    """ViT-Tiny has the parameters of the usual implementations; its class token is a row of the positions here."""
    started = time.process_time()
    graph = graph()
    assert time.process_time() - started < 20
    assert count in (None, edges(graph))
    assert parameters in (None, graph.num_parameters + len(graph.layers["embedded"]))


@pytest.mark.parametrize("build", [lambda **k: ng.gpt(11, **SMALL, **k), lambda **k: ng.vit(width=6, depth=1, **k)])
def test_seeds_initial_weights_and_precision(build):
    one, two, other = build(seed=3), build(seed=3), build(seed=4)
    np.testing.assert_array_equal(one.edges.weight, two.edges.weight)
    assert (one.edges.weight != other.edges.weight).any()
    assert one.topology_hash == other.topology_hash
    again = ng.reinitialised(build(seed=5, dtype=np.float64), seed=3)
    np.testing.assert_array_equal(again.edges.weight.astype(np.float32), one.edges.weight)
    assert build(init="kaiming").edges.weight.std() > 1.2 * one.edges.weight.std()


def test_rows_of_tables_are_drawn_for_the_one_that_acts():
    graph = ng.gpt(1000, tokens=50, width=4, heads=1, depth=1)
    for source in ("input", "positions"):
        weight = graph.links[source, "embedded"].weight
        assert 0.95 < np.abs(weight).max() <= 1
        assert abs(weight.std() - 3**-0.5) < 0.1


# -- reading out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
@pytest.mark.parametrize(("read_out", "shape"), [("class", (3, 4)), ("mean", (3, 4)), ("tokens", (3, 4, 6))])
def test_outputs_of_vision_transformers(positions, read_out, shape):
    graph = ng.vit(
        classes=4, input_size=(2, 4, 6), patch=2, width=8, heads=2, depth=1, positions=positions, read_out=read_out
    )
    assert graph.layers["embedded"].grid == ((7,) if read_out == "class" else (6,))
    x = np.random.default_rng(0).normal(size=(3, 2, 4, 6))
    y = ng.interpret(graph, x)
    assert y.shape == shape
    found = lower(graph, dtype=torch.float64)(torch.from_numpy(x))
    np.testing.assert_allclose(found.detach().numpy(), y, atol=1e-9)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("final_norm", [False, True])
@pytest.mark.parametrize("outputs", [None, 5])
def test_what_encoders_read_out_is_the_tokens_their_mean_or_the_first(norm_first, final_norm, outputs):
    options = {"outputs": outputs, "norm_first": norm_first, "final_norm": final_norm, "dtype": np.float64}
    tokens, mean, first = (
        ng.transformer_encoder(1, tokens=6, width=8, heads=2, read_out=name, **options)
        for name in ("tokens", "mean", "first")
    )
    x = features()
    every = ng.interpret(tokens, x)
    assert every.shape == (3, outputs or 8, 6)
    np.testing.assert_allclose(ng.interpret(mean, x), every.mean(axis=2), atol=1e-12)
    np.testing.assert_allclose(ng.interpret(first, x), every[..., 0], atol=1e-12)


def test_an_encoder_takes_ids_features_or_the_residual_stream():
    of_ids = ng.transformer_encoder(1, tokens=6, vocabulary=11, width=8, heads=2)
    assert ng.interpret(of_ids, ids()).shape == (3, 8, 6)
    assert of_ids.layers["input"].domain == (0.0, 1.0)
    of_features = ng.transformer_encoder(1, tokens=6, features=3, width=8, heads=2, domain=(-1, 1))
    assert ng.interpret(of_features, np.zeros((2, 3, 6))).shape == (2, 8, 6)
    assert edges(of_features) == 3 * 8 + 6 * 8 + 12 * 8 * 8
    assert edges(ng.transformer_encoder(1, tokens=6, width=8, heads=2, positions="none")) == 12 * 8 * 8


# -- the order of tokens ----------------------------------------------------------------------------


def test_without_positions_the_order_of_tokens_does_not_matter():
    graph = ng.transformer_encoder(2, tokens=6, width=8, heads=2, positions="none")
    x, turned = features(), np.array([4, 0, 5, 2, 1, 3])
    np.testing.assert_allclose(ng.interpret(graph, x[..., turned]), ng.interpret(graph, x)[..., turned], atol=1e-12)
    for positions in ("learned", "rotary"):
        other = ng.transformer_encoder(2, tokens=6, width=8, heads=2, positions=positions)
        assert np.abs(ng.interpret(other, x[..., turned]) - ng.interpret(other, x)[..., turned]).max() > 1e-3


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_later_tokens_do_not_move_earlier_outputs(positions):
    graph = ng.gpt(11, **SMALL, positions=positions)
    x = ids()
    moved = np.where(np.arange(6) < 4, x, (x + 1) % 11)
    before, after = ng.interpret(graph, x), ng.interpret(graph, moved)
    np.testing.assert_array_equal(before[..., :4], after[..., :4])
    assert (before[..., 4:] != after[..., 4:]).any()


# -- values -----------------------------------------------------------------------------------------


def of_torch(graph, module, blocks):
    """Weights of layers `blocks` of `torch.nn.TransformerEncoder` in a graph."""
    p, weights, columns, stream = arrays(module), {}, {}, "input"
    first = "block1.norm1" in graph.layers
    for i, block in enumerate(blocks, start=1):
        source = f"block{i}.norm1" if first else stream
        parts = np.split(p[f"{block}self_attn.in_proj_weight"], 3)
        biases = np.split(p.get(f"{block}self_attn.in_proj_bias", np.zeros(0)), 3)
        for name, matrix, bias in zip(("queries", "keys", "values"), parts, biases, strict=True):
            weights[source, f"block{i}.{name}"] = matrix
            columns[f"block{i}.{name}"] = {"bias": bias} if len(bias) else {}
        attended, inner, out = (f"block{i}.{name}" for name in ("attended", "mlp", "output"))
        weights[f"block{i}.mix", attended], columns[attended] = linear(p, f"{block}self_attn.out_proj")
        source = f"block{i}.norm2" if first else attended
        weights[source, inner], columns[inner] = linear(p, f"{block}linear1")
        weights[inner, out], columns[out] = linear(p, f"{block}linear2")
        normed = (f"block{i}.norm1", f"block{i}.norm2") if first else (attended, out)
        for name, theirs in zip(normed, ("norm1", "norm2"), strict=True):
            columns[name] = {**columns.get(name, {}), **norm(p, f"{block}{theirs}")}
        stream = out
    if "norm" in graph.layers:
        columns["norm"] = norm(p, "norm")
    return filled(graph, weights, columns)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_layer_is_that_of_torch(norm_first, activation, bias):
    torch.manual_seed(0)
    theirs = torch.nn.TransformerEncoderLayer(
        16, 4, 24, 0.0, activation, batch_first=True, norm_first=norm_first, bias=bias
    )
    graph = ng.transformer_encoder(
        1, tokens=7, width=16, heads=4, hidden=24, activation=activation, norm_first=norm_first, final_norm=False,
        positions="none", bias=bias,
    )  # fmt: skip
    if not bias:  # a norm of torch without bias has no shift
        theirs.norm1.bias, theirs.norm2.bias = (torch.nn.Parameter(torch.zeros(16)) for _ in range(2))
    assert_equal(of_torch(graph, theirs, [""]), theirs, torch.randn(5, 7, 16))


def test_an_encoder_with_a_causal_mask_and_a_final_norm_is_that_of_torch():
    torch.manual_seed(1)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs = torch.nn.TransformerEncoder(layer, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False)
    graph = ng.transformer_encoder(
        2, tokens=5, width=8, heads=2, hidden=12, activation="gelu", norm_first=True, positions="none", causal=True
    )
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
    graph = of_torch(graph, theirs, ["layers.0.", "layers.1."])
    assert_equal(graph, lambda x: theirs(x, mask=mask, is_causal=True), torch.randn(4, 5, 8))


def assert_equal(graph, theirs, x):
    """The interpreter and the compiled network give what torch gives, for tokens `(batch, tokens, width)`."""
    with torch.no_grad():
        wanted = theirs(x).transpose(1, 2).numpy()
        found = lower(graph)(x.transpose(1, 2).contiguous()).numpy()
    np.testing.assert_allclose(ng.interpret(graph, x.transpose(1, 2).numpy()), wanted, atol=1e-5)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    "graph",
    [
        ng.gpt(11, **SMALL),
        ng.gpt(11, **SMALL | {"heads": 4}, groups=2, norm="rms", positions="rotary", activation="silu", gated=True,
               bias=False, qkv_bias=True, key_width=6, value_width=3),
        ng.transformer_encoder(2, tokens=6, vocabulary=11, width=8, heads=2, read_out="mean", outputs=3),
        ng.transformer_encoder(2, tokens=6, vocabulary=11, width=8, heads=2, norm="rms", activation="gelu_tanh"),
    ],
    ids=["gpt", "llama", "mean", "last"],
)  # fmt: skip
def test_compiled_networks_are_the_interpreted_ones(graph):
    x = ids()
    for train in (False, True):
        found = lower(graph, dtype=torch.float64).train(train)(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(found, ng.interpret(graph, x, train=train), atol=1e-9)


# -- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ng.gpt(11, tied=True), r"gpt\(tied=True\): .*two edges of one weight.*tied=False"),
        (lambda: ng.gpt(11, width=100), r"width=100, heads=6.*multiple of 6"),
        (lambda: ng.gpt(11, heads=4, groups=3), r"heads=4, groups=3.*divisor"),
        (lambda: ng.gpt(11, key_width=3, positions="rotary"), r"a head has 3 slots.*even"),
        (lambda: ng.gpt(11, positions="rotary", rotary_base=0.0), "rotary_base"),
        (lambda: ng.gpt(11, positions="rotation"), r"gpt\(\): positions.*'rotary'"),
        (lambda: ng.gpt(0), "vocabulary=0"),
        (lambda: ng.vit(patch=5), r"patch=5.*do not cover inputs of 32 x 32"),
        (lambda: ng.vit(patch=(4, 4, 4)), "one whole number, or two"),
        (lambda: ng.vit(read_out="first"), "read_out.*'class'"),
        (lambda: ng.vit(input_size=(3, 32)), r"vit\(input_size=\(3, 32\)\) needs three whole numbers"),
        (lambda: ng.transformer_encoder(read_out="last"), "read_out.*'tokens'"),
        (lambda: ng.transformer_encoder(vocabulary=3, features=2), "leave out vocabulary"),
    ],
)
def test_wrong_options_are_refused(call, words):
    with pytest.raises(OptionError, match=words):
        call()


@pytest.mark.parametrize("options", [{"activation": "geluu"}, {"norm": "layr"}])
def test_unknown_names_are_refused(options):
    with pytest.raises(GraphError, match="Did you mean"):
        ng.transformer_encoder(1, **options)
