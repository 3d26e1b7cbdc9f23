"""Attention of the package transformers in both of its forms, further models, and models that no graph has."""

import numpy as np
import pytest
import torch
from torch import nn

import netgraph as ng
from compilers import lower
from compilers.importing import from_module
from netgraph.errors import ImportRefused
from netgraph.graph import Attend

pytestmark = pytest.mark.extras

TOKENS, VOCABULARY = 7, 13
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 9, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
}  # fmt: skip
UNTIED = {**SIZES, "tie_word_embeddings": False}
GROUPS = {**UNTIED, "num_key_value_heads": 2}
GPT2 = {
    "vocab_size": VOCABULARY, "n_positions": TOKENS, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_inner": 24,
    "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
VIT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24, "image_size": (8, 12),
    "patch_size": 4, "num_labels": 5,
}  # fmt: skip

TEXT = {
    "Qwen2ForCausalLM": GROUPS,
    "LlamaForCausalLM": GROUPS,
    "MistralForCausalLM": {**GROUPS, "sliding_window": None},
    "Phi3ForCausalLM": UNTIED,
    "PhiForCausalLM": {**UNTIED, "partial_rotary_factor": 0.5},
    "GPTNeoXForCausalLM": {**UNTIED, "rotary_pct": 0.5},
    "GPT2LMHeadModel": {**GPT2, "tie_word_embeddings": False},
    "OPTForCausalLM": {**UNTIED, "ffn_dim": 24, "word_embed_proj_dim": 16},
    "BertForSequenceClassification": SIZES,
}
"""Settings of models of text that go, by class."""

IMAGES = {
    "ViTForImageClassification": VIT,
    "DeiTForImageClassification": VIT,
    "ResNetForImageClassification": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": 5},
    "MobileNetV2ForImageClassification": {"depth_multiplier": 0.25, "tf_padding": False, "num_labels": 5},
    "ConvNextForImageClassification": {"num_stages": 2, "hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": 5},
}
"""Settings of models of images that go, by class."""

REFUSED = {
    "GPT2LMHeadModel": (GPT2, "lm_head", "is used twice"),
    "MistralForCausalLM": ({**GROUPS, "sliding_window": 3}, "layers.0.self_attn", "sliding window of 3"),
    "Qwen3ForCausalLM": ({**GROUPS, "head_dim": 4}, "layers.0.self_attn.q_norm", "is used twice"),
    "GemmaForCausalLM": ({**GROUPS, "head_dim": 4}, "layers.0.input_layernorm", "1 \\+ weight"),
    "BloomForCausalLM": (
        {"vocab_size": VOCABULARY, "hidden_size": 16, "n_layer": 1, "n_head": 4, "bos_token_id": 0, "eos_token_id": 0},
        "h.0.self_attention",
        "ALiBi",
    ),
    "MixtralForCausalLM": ({**GROUPS, "num_local_experts": 2}, "layers.0.mlp.gate", "softmax over features"),
    "AlbertForSequenceClassification": ({**SIZES, "embedding_size": 8}, "attention.query", "is used twice"),
    "RobertaModel": (SIZES, "embeddings", "comparisons of the input"),
}
"""Settings of models that are refused, with the end of the path and a part of the reason."""


class Logits(nn.Module):
    """A model with its logits as the only output."""

    def __init__(self, model, **arguments):
        super().__init__()
        self.model, self.arguments = model, arguments

    def forward(self, x):
        found = self.model(x, **self.arguments)
        return found.logits if hasattr(found, "logits") else found.last_hidden_state


def built(name, settings, attention="sdpa"):
    """A model with drawn parameters, and an example of its input."""
    transformers = pytest.importorskip("transformers")
    cls = getattr(transformers, name)
    attends = (
        {}
        if name in ("ResNetForImageClassification", "MobileNetV2ForImageClassification")
        else {"attn_implementation": attention}
    )
    if name.startswith("ConvNext"):
        attends = {}
    torch.manual_seed(0)
    model = cls(cls.config_class(**settings, **attends))
    arguments = {"use_cache": False} if "CausalLM" in name or "LMHead" in name else {}
    image = settings.get("image_size", (32, 32))
    text = "vocab_size" in settings
    example = torch.randint(0, VOCABULARY, (2, TOKENS)) if text else torch.randn(2, 3, *image)
    return Logits(model, **arguments), example


def assert_imported(module, example):
    """The graph computes what the module does, interpreted and compiled; return the import."""
    module.eval()
    result = from_module(module, example)  # compares both in float64, to 1e-9
    with torch.no_grad():
        wanted = module(example).numpy()
        inputs = result.to_inputs(example)
        (compiled,) = result.from_outputs(lower(result.graph).eval()(next(iter(inputs.values()))))
    (found,) = result.from_outputs(ng.interpret(result.graph, {k: v.numpy() for k, v in inputs.items()}))
    allowed = 1e-4 * max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found.numpy(), wanted, atol=allowed)
    np.testing.assert_allclose(compiled.numpy(), wanted, atol=allowed)
    assert result.graph.num_edges > 0
    return result


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", TEXT)
def test_text(name, attention):
    result = assert_imported(*built(name, TEXT[name], attention))
    heads = [layer for layer in result.graph.layers_by_id.values() if isinstance(layer.merge, Attend)]
    assert [len(layer) for layer in heads] == [4] * 2
    assert {layer.merge.causal for layer in heads} == {"Bert" not in name}
    turned = {"Qwen2", "Llama", "Mistral", "Phi", "GPTNeoX"}
    assert {bool(layer.merge.frequencies) for layer in heads} == {name.startswith(tuple(turned))}


@pytest.mark.parametrize("name", IMAGES)
def test_images(name):
    assert_imported(*built(name, IMAGES[name]))


def test_gelu_of_gpt2_is_one_activation():
    result = assert_imported(*built("GPT2LMHeadModel", TEXT["GPT2LMHeadModel"]))
    found = {layer.activation for layer in result.graph.layers_by_id.values()}
    assert found == {"identity", "gelu_tanh"}
    assert result.graph.num_layers == 4 + 2 * 11 - 1


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_operation_place_and_remedy(name):
    settings, path, text = REFUSED[name]
    module, example = built(name, settings, "eager")
    with pytest.raises(ImportRefused, match=text) as caught:
        from_module(module, example)
    assert caught.value.op.startswith("aten.")
    assert path in caught.value.path
    assert "transformers" in caught.value.line
    assert "Remedy: " in str(caught.value)
