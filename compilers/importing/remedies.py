"""Remedies for operations that no graph has, by their names."""

CHOICES = "leave out what is computed from comparisons of the input, such as a mask of padding; masks are constants"

REMEDIES = {
    **dict.fromkeys(
        ["eq", "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and", "bitwise_not", "__and__"], CHOICES
    ),
    **dict.fromkeys(
        ["lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"],
        "a graph has no cycles; use attention or a convolution in place of the recurrent layer",
    ),
    **dict.fromkeys(["group_norm", "instance_norm"], "use BatchNorm2d, or LayerNorm over the features"),
    **dict.fromkeys(
        ["sort", "topk", "max", "min", "argmax", "argmin", "median", "kthvalue"],
        "no layer compares features; import the module up to here, and choose outside of the graph",
    ),
    **dict.fromkeys(
        ["cumsum", "cumprod", "prod", "norm", "linalg_vector_norm", "cdist", "local_response_norm"],
        "use sums with weights, mean over all positions, LayerNorm or RMSNorm",
    ),
    **dict.fromkeys(
        [
            "upsample_nearest2d",
            "upsample_bilinear2d",
            "upsample_bicubic2d",
            "upsample_nearest1d",
            "upsample_linear1d",
            "grid_sampler",
            "col2im",
        ],
        "no link makes maps larger; import the part of the module before it",
    ),
    **dict.fromkeys(
        [
            "cross_entropy_loss",
            "nll_loss",
            "nll_loss_nd",
            "mse_loss",
            "l1_loss",
            "binary_cross_entropy",
            "binary_cross_entropy_with_logits",
            "broadcast_tensors",
        ],
        "import the module without its loss",
    ),
    "one_hot": "use Embedding, which is a Linear layer of a one-hot",
    "embedding_renorm": "leave out max_norm",
    "max_pool2d_with_indices": "use return_indices=False",
    "im2col": "use Conv2d with the kernel and the stride of the patches",
    "bilinear": "multiply two Linear layers element by element (a gate)",
    "embedding_bag": "use Embedding, and the mean over the tokens",
    **dict.fromkeys(
        ["_weight_norm", "mv", "vdot", "weight_norm", "linalg_matrix_norm"],
        "fold it into the weight: torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')",
    ),
    **dict.fromkeys(
        ["randn_like", "rand_like", "bernoulli", "multinomial", "normal", "randint_like", "randn", "rand"],
        "draw no random numbers in eval mode",
    ),
    **dict.fromkeys(
        ["remainder", "floor_divide", "bitwise_and", "bitwise_or", "fmod"],
        "give ids to an embedding as they are; compute them outside of the module",
    ),
    **dict.fromkeys(
        ["gather", "scatter", "index_put", "scatter_add", "index_add", "take_along_dim"],
        "choose by constants; a choice by ids of the input is an Embedding",
    ),
    **dict.fromkeys(
        ["fft_fft", "fft_rfft", "fft_fft2", "fft_rfft2", "fft_ifft", "fft_irfft"],
        "a transform with constant coefficients is a Linear layer with frozen weights",
    ),
}
"""Remedies by the name of the operation."""


def remedy_for(name: str) -> str:
    """Text for the remedy of an operation."""
    other = "replace it in the module, or import a submodule that does without it"
    return REMEDIES.get(name) or REMEDIES.get(name.removesuffix("_"), other)
