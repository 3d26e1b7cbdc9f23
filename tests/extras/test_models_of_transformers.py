"""ViT, GPT-2 and Qwen2 of the package transformers: graphs with their weights compute the same."""

import numpy as np
import pytest
import torch
from copied import arrays, filled, linear, norm

import netgraph as ng
from compilers import lower

pytestmark = pytest.mark.extras

SIZES = {"width": 16, "heads": 4, "depth": 2, "hidden": 24}


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def drawn(model):
    """The model with every parameter drawn, those included that start at 0 or 1."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.25)
    return model.eval()


def assert_equal(graph, x, wanted):
    """The interpreter and the compiled network give the logits to 1e-5 of the largest."""
    with torch.no_grad():
        found = lower(graph).eval()(x).numpy()
    allowed = 1e-5 * max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(ng.interpret(graph, x.numpy()), wanted, atol=allowed)
    np.testing.assert_allclose(found, wanted, atol=allowed)


def copied(weights, columns, target, source, values):
    """Note the weight and the bias of a linear layer as those of a link and its target."""
    weights[source, target], columns[target] = values


def test_vit(transformers):
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24, image_size=(8, 12),
        patch_size=4, num_labels=5, hidden_act="gelu",
    )  # fmt: skip
    model = drawn(transformers.ViTForImageClassification(config))
    graph = ng.vit(
        classes=5, input_size=(3, 8, 12), patch=4, **SIZES, norm_epsilon=config.layer_norm_eps, activation="gelu"
    )
    p, weights, columns = arrays(model), {}, {}
    copied(weights, columns, "patches", "input", linear(p, "vit.embeddings.patch_embeddings.projection"))
    rows = p["vit.embeddings.position_embeddings"][0].copy()
    rows[0] += p["vit.embeddings.cls_token"][0, 0]
    weights["positions", "embedded"] = rows.T
    for i in range(2):
        block, theirs = f"block{i + 1}", f"vit.layers.{i}"
        for ours, name in (("queries", "q"), ("keys", "k"), ("values", "v")):
            copied(weights, columns, f"{block}.{ours}", f"{block}.norm1", linear(p, f"{theirs}.attention.{name}_proj"))
        copied(weights, columns, f"{block}.attended", f"{block}.mix", linear(p, f"{theirs}.attention.o_proj"))
        copied(weights, columns, f"{block}.mlp", f"{block}.norm2", linear(p, f"{theirs}.mlp.fc1"))
        copied(weights, columns, f"{block}.output", f"{block}.mlp", linear(p, f"{theirs}.mlp.fc2"))
        columns[f"{block}.norm1"] = norm(p, f"{theirs}.layernorm_before")
        columns[f"{block}.norm2"] = norm(p, f"{theirs}.layernorm_after")
    columns["norm"] = norm(p, "vit.layernorm")
    copied(weights, columns, "output", "norm", linear(p, "classifier"))
    x = torch.randn(3, 3, 8, 12)
    with torch.no_grad():
        assert_equal(filled(graph, weights, columns), x, model(x).logits.numpy())


def test_gpt2(transformers):
    config = transformers.GPT2Config(
        vocab_size=13, n_positions=7, n_embd=16, n_layer=2, n_head=4, n_inner=24, resid_pdrop=0, embd_pdrop=0,
        attn_pdrop=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = drawn(transformers.GPT2LMHeadModel(config))
    graph = ng.gpt(13, tokens=7, **SIZES, norm_epsilon=config.layer_norm_epsilon)
    p = {name.removeprefix("transformer."): values for name, values in arrays(model).items()}
    weights = {("input", "embedded"): p["wte.weight"].T, ("positions", "embedded"): p["wpe.weight"].T}
    columns = {}

    def transposed(name):
        """Weight and bias of a layer whose matrix is `(sources, targets)`."""
        return p[f"{name}.weight"].T, {"bias": p[f"{name}.bias"]}

    for i in range(2):
        block, theirs = f"block{i + 1}", f"h.{i}"
        matrix, bias = transposed(f"{theirs}.attn.c_attn")
        parts = zip(("queries", "keys", "values"), np.split(matrix, 3), np.split(bias["bias"], 3), strict=True)
        for ours, part, own in parts:
            copied(weights, columns, f"{block}.{ours}", f"{block}.norm1", (part, {"bias": own}))
        copied(weights, columns, f"{block}.attended", f"{block}.mix", transposed(f"{theirs}.attn.c_proj"))
        copied(weights, columns, f"{block}.mlp", f"{block}.norm2", transposed(f"{theirs}.mlp.c_fc"))
        copied(weights, columns, f"{block}.output", f"{block}.mlp", transposed(f"{theirs}.mlp.c_proj"))
        columns[f"{block}.norm1"], columns[f"{block}.norm2"] = norm(p, f"{theirs}.ln_1"), norm(p, f"{theirs}.ln_2")
    columns["norm"] = norm(p, "ln_f")
    weights["norm", "output"] = p["lm_head.weight"]
    x = torch.randint(0, 13, (3, 7))
    with torch.no_grad():
        assert_equal(filled(graph, weights, columns), x, model(x).logits.transpose(1, 2).numpy())


def test_qwen2(transformers):
    config = transformers.Qwen2Config(
        vocab_size=13, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=7, tie_word_embeddings=False, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = drawn(transformers.Qwen2ForCausalLM(config))
    graph = ng.gpt(
        13, tokens=7, **SIZES, groups=2, norm="rms", norm_epsilon=config.rms_norm_eps, positions="rotary",
        rotary_base=config.rope_parameters["rope_theta"], activation="silu", gated=True, bias=False, qkv_bias=True,
    )  # fmt: skip
    p = {name.removeprefix("model."): values for name, values in arrays(model).items()}
    weights, columns = {("input", "embedded"): p["embed_tokens.weight"].T}, {}

    def in_pairs(values):
        """Turn slots `i` and `i + width / 2` of each head, which turn together there, into `2i` and `2i + 1`."""
        heads = values.reshape(-1, 2, config.hidden_size // config.num_attention_heads // 2, *values.shape[1:])
        return heads.swapaxes(1, 2).reshape(values.shape)

    for i in range(2):
        block, theirs = f"block{i + 1}", f"layers.{i}"
        for ours, name in (("queries", "q"), ("keys", "k"), ("values", "v")):
            matrix, bias = linear(p, f"{theirs}.self_attn.{name}_proj")
            if name != "v":
                matrix, bias = in_pairs(matrix), {"bias": in_pairs(bias["bias"])}
            copied(weights, columns, f"{block}.{ours}", f"{block}.norm1", (matrix, bias))
        copied(weights, columns, f"{block}.attended", f"{block}.mix", linear(p, f"{theirs}.self_attn.o_proj"))
        for name in ("gate", "up"):
            copied(weights, columns, f"{block}.{name}", f"{block}.norm2", linear(p, f"{theirs}.mlp.{name}_proj"))
        copied(weights, columns, f"{block}.output", f"{block}.mlp", linear(p, f"{theirs}.mlp.down_proj"))
        columns[f"{block}.norm1"] = norm(p, f"{theirs}.input_layernorm")
        columns[f"{block}.norm2"] = norm(p, f"{theirs}.post_attention_layernorm")
    columns["norm"] = norm(p, "norm")
    weights["norm", "output"] = p["lm_head.weight"]
    x = torch.randint(0, 13, (3, 7))
    with torch.no_grad():
        assert_equal(filled(graph, weights, columns), x, model(x).logits.transpose(1, 2).numpy())
