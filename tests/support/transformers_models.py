"""Small models of the package transformers, with drawn parameters, each with an example of its input."""

import torch

WIDE = ("resnet", "resnet-bottleneck", "mobilenet", "mobilenet-tf", "vit", "gpt2", "bert", "distilbert")
"""Models that compute in float64 where their parameters are; the others have norms in float32."""

TOKENS = {"vocab_size": 13, "tie_word_embeddings": False, "use_cache": False, "bos_token_id": 0, "eos_token_id": 0}
GROUPED = {
    **TOKENS, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 16,
}  # fmt: skip
ENCODER = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
IMAGES = {"image_size": (8, 12), "patch_size": 4, "num_labels": 5}
MOBILE = {
    "depth_multiplier": 0.25, "image_size": 32, "depth_divisible_by": 4, "min_depth": 4, "num_labels": 5,
    "classifier_dropout_prob": 0.0,
}  # fmt: skip

MAKERS = {
    # The layers of ResNet-18: a stem of 7 x 7 and a padded pool, both of stride 2, then two basic blocks a stage.
    "resnet": lambda t: t.ResNetForImageClassification(
        t.ResNetConfig(
            embedding_size=4, hidden_sizes=[4, 8, 12, 16], depths=[2, 2, 2, 2], layer_type="basic", num_labels=5
        )
    ),
    "resnet-bottleneck": lambda t: t.ResNetForImageClassification(
        t.ResNetConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2], layer_type="bottleneck", num_labels=5)
    ),
    "mobilenet": lambda t: t.MobileNetV2ForImageClassification(t.MobileNetV2Config(tf_padding=False, **MOBILE)),
    "mobilenet-tf": lambda t: t.MobileNetV2ForImageClassification(t.MobileNetV2Config(tf_padding=True, **MOBILE)),
    "convnext": lambda t: t.ConvNextForImageClassification(
        t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 2], num_stages=2, patch_size=4, num_labels=5)
    ),
    "vit": lambda t: t.ViTForImageClassification(t.ViTConfig(**ENCODER, **IMAGES)),
    "vit-eager": lambda t: t.ViTForImageClassification(t.ViTConfig(attn_implementation="eager", **ENCODER, **IMAGES)),
    "bert": lambda t: t.BertForSequenceClassification(
        t.BertConfig(vocab_size=13, max_position_embeddings=7, num_labels=3, **ENCODER)
    ),
    "distilbert": lambda t: t.DistilBertForSequenceClassification(
        t.DistilBertConfig(
            vocab_size=13, max_position_embeddings=7, dim=16, hidden_dim=24, n_layers=2, n_heads=4, num_labels=3,
            dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0,
        )
    ),
    "gpt2": lambda t: t.GPT2LMHeadModel(
        t.GPT2Config(
            n_positions=7, n_embd=16, n_layer=2, n_head=4, n_inner=24, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            **TOKENS,
        )
    ),
    "qwen2": lambda t: t.Qwen2ForCausalLM(t.Qwen2Config(**GROUPED)),
    "llama": lambda t: t.LlamaForCausalLM(t.LlamaConfig(**GROUPED)),
    "mistral": lambda t: t.MistralForCausalLM(t.MistralConfig(sliding_window=None, **GROUPED)),
}  # fmt: skip

SIZES = {"resnet": 64, "resnet-bottleneck": 32, "mobilenet": 32, "mobilenet-tf": 32, "convnext": 32}


def model(transformers, name, dtype=torch.float64):
    """A model and an example of its input."""
    torch.manual_seed(0)
    module = MAKERS[name](transformers)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for part in module.modules():
            if isinstance(part, torch.nn.Embedding) and part.padding_idx is not None:
                part.weight[part.padding_idx] = 0.0
    example = torch.randint(13, (3, 7))
    if name in SIZES:
        example = torch.randn(8, 3, SIZES[name], SIZES[name], dtype=dtype)
    elif name.startswith("vit"):
        example = torch.randn(3, 3, 8, 12, dtype=dtype)
    return module.to(dtype), example
