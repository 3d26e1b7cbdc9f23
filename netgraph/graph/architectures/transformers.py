"""Transformers: encoders of token features or ids, vision transformers, and causal language models."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from netgraph.checks import Count, Seed, checked, choice, whole_numbers
from netgraph.errors import OptionError
from netgraph.graph.architectures.blocks import Blocks, Positions
from netgraph.graph.architectures.convolutional import channels_and_grid
from netgraph.graph.builder import Domain, GraphBuilder
from netgraph.graph.graph import Graph
from netgraph.graph.grid import Grid
from netgraph.graph.initialise import Init
from netgraph.graph.kinds import Conv2d
from netgraph.graph.layer import Pool

ReadOut = Literal["tokens", "mean", "first"]
"""Tokens that the outputs read: each output its own token, the mean over all tokens, or the first token."""


@checked
def transformer_encoder(
    depth: Count = 2,
    *,
    tokens: Count = 64,
    features: Count | None = None,
    vocabulary: Count | None = None,
    outputs: Count | None = None,
    width: Count = 128,
    heads: Count = 4,
    groups: Count | None = None,
    key_width: Count | None = None,
    value_width: Count | None = None,
    hidden: Count | None = None,
    gated: bool = False,
    activation: str = "relu",
    norm: str = "layer",
    norm_first: bool = False,
    norm_epsilon: float = 1e-5,
    final_norm: bool | None = None,
    causal: bool = False,
    positions: Positions = "learned",
    rotary_base: float = 10_000.0,
    read_out: ReadOut = "tokens",
    bias: bool = True,
    qkv_bias: bool | None = None,
    domain: Domain | None = None,
    init: Init = "uniform",
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """Build the encoder of a transformer, on token features or on ids of tokens.

    Vaswani et al., "Attention is all you need", 2017 (arXiv:1706.03762), section 3.1. The defaults are those of
    `torch.nn.TransformerEncoderLayer` without dropout, which graphs do not have, and with four hidden vertices for each
    vertex of the residual stream.

    Args:
        depth: number of blocks.
        tokens: number of tokens of a sample.
        features: number of features of each token, which a dense layer maps to the residual stream; inputs are
            `(batch, features, tokens)`. None where inputs start the residual stream themselves, with `width` features.
        vocabulary: number of different ids. When given, inputs are ids `(batch, tokens)`, and each has a learned row.
        outputs: number of outputs, which are a dense layer; None makes the residual stream the output.
        width: number of vertices of the residual stream.
        heads: number of heads of attention of each block.
        groups: number of groups of heads; the heads of a group share keys and values. None for one group per head.
        key_width: number of queries and of keys of a head; None for `width / heads`.
        value_width: number of values of a head; None for `width / heads`.
        hidden: number of hidden vertices of the perceptron of each block; None for `4 width`.
        gated: whether the activation of one hidden layer is multiplied by a second, linear one, as in SwiGLU with the
            activation "silu".
        activation: activation of the hidden layers, such as "relu", "gelu", "gelu_tanh" or "silu".
        norm: norm of the residual stream, such as "layer" or "rms".
        norm_first: whether the norm precedes attention and perceptron, or follows each sum.
        norm_epsilon: number added to the variance or to the mean square.
        final_norm: whether a norm follows the last block; None for `norm_first`.
        causal: whether a token attends to itself and earlier tokens only.
        positions: "learned" adds a learned row per position, "rotary" turns queries and keys by angles that grow with
            the position (arXiv:2104.09864), "none" leaves out the order of tokens.
        rotary_base: base of the angles per position, `base^(-2 i / key_width)`.
        read_out: tokens that the outputs read: "tokens", each output its own; "mean", the mean over all; or "first".
        bias: whether layers have biases.
        qkv_bias: whether queries, keys and values have biases; None for `bias`.
        domain: interval `(low, high)` of the features; each end is a number, or one number per feature.
        init: distribution of the weights, see `GraphBuilder`.
        seed: seed of the weights.
        dtype: precision of weights and trained vertex columns, float32 or float64.

    Returns:
        The graph. Block i has the layers `block<i>.queries`, `.keys`, `.values`, `.heads`, `.mix`, `.attended` (the
        residual stream after attention), `.mlp` (hidden layer; `.gate` and `.up` before it when gated) and `.output`
        (the residual stream after the block), and `.norm1` and `.norm2` when norms come first. Around the blocks are
        `input`, `positions`, `embedded`, `norm`, `first` and `output`, as far as they are needed.

    Raises:
        OptionError: for sizes that do not divide, and options that exclude each other.
        GraphError: for an unknown activation or norm.

    Cost: O(edges).
    """
    choice("read_out", read_out, ("tokens", "mean", "first"))
    if vocabulary is not None and (features is not None or domain is not None):
        raise OptionError(
            "transformer_encoder() takes ids of a vocabulary, or features with a domain; leave out vocabulary, or "
            "features and domain."
        )
    final_norm = norm_first if final_norm is None else final_norm
    s = Blocks.of(
        "transformer_encoder", tokens=tokens, width=width, depth=depth, heads=heads, groups=groups,
        key_width=key_width, value_width=value_width, hidden=hidden, gated=gated, activation=activation, norm=norm,
        norm_epsilon=norm_epsilon, positions=positions, rotary_base=rotary_base, bias=bias, qkv_bias=qkv_bias,
        causal=causal, norm_first=norm_first,
    )  # fmt: skip
    b = GraphBuilder(seed=seed, dtype=dtype, init=init)
    if vocabulary is not None:
        stream = _embedded(b, s, b.input("input", vocabulary, grid=s.grid, encoding="index"), bias=False)
    else:
        stream = b.input("input", features or width, grid=s.grid, domain=domain)
        if features is not None or positions == "learned":
            stream = _embedded(b, s, stream, bias=bias, weighted=features is not None)
    end: dict[str, Any] = {"pool": Pool("average", s.grid)} if read_out == "mean" else {}
    if outputs is None:
        end["role"] = "output"
    final_norm = final_norm and norm != "none"
    within = not final_norm and read_out != "first"
    stream = s.add(b, stream, end if within else {})
    if not within:
        stream = _end(b, s, stream, end, final_norm=final_norm, first=read_out == "first")
    if outputs is not None:
        _head(b, s, stream, outputs, bias=bias, every_token=read_out == "tokens")
    return b.build()


@checked
def vit(
    *,
    classes: Count = 10,
    input_size: tuple[int, int, int] = (3, 32, 32),
    patch: int | tuple[int, int] = 4,
    width: Count = 192,
    depth: Count = 6,
    heads: Count = 3,
    groups: Count | None = None,
    key_width: Count | None = None,
    value_width: Count | None = None,
    hidden: Count | None = None,
    gated: bool = False,
    activation: str = "gelu",
    norm: str = "layer",
    norm_epsilon: float = 1e-6,
    positions: Positions = "learned",
    rotary_base: float = 10_000.0,
    read_out: Literal["class", "mean", "tokens"] = "class",
    bias: bool = True,
    qkv_bias: bool | None = None,
    domain: Domain = (-np.inf, np.inf),
    init: Init = "uniform",
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """Build a vision transformer: an encoder whose tokens are the patches of an image.

    Dosovitskiy et al., "An image is worth 16x16 words", 2021 (arXiv:2010.11929), section 3.1, without dropout, which
    graphs do not have. The defaults suit CIFAR and have 2.7 million edges; ViT-Tiny is
    `vit(classes=1000, input_size=(3, 224, 224), patch=16, depth=12)`.

    Args:
        classes: number of outputs.
        input_size: size of the inputs, `(channels, height, width)`; height and width are multiples of the patch.
        patch: height and width of a patch, one number for both or a pair.
        width, depth, heads, groups, key_width, value_width, hidden, gated, activation: see `transformer_encoder`.
        norm, norm_epsilon: see `transformer_encoder`; norms come first, and one follows the last block.
        rotary_base, init, seed, dtype: see `transformer_encoder`.
        bias, qkv_bias: see `transformer_encoder`; patches and outputs have biases always.
        positions: "learned", "rotary", or "none", see `transformer_encoder`; patches are in reading order.
        read_out: tokens that the outputs read: "class", a learned token before the patches; "mean", the mean over all
            patches; or "tokens", outputs for each patch, `(batch, classes, patches)`.
        domain: interval `(low, high)` of the inputs; each end is a number, or one number per channel.

    Returns:
        The graph: `input`, `patches`, `positions`, `embedded`, the layers of the blocks as in `transformer_encoder`,
        `norm` and `output`. With a class token, its learned position is the token: row 0 of the positions. Without
        learned positions it has the layers `class.position` and `class`.

    Raises:
        OptionError: for sizes that do not divide, and an input size that is not three whole numbers of at least 1.
        GraphError: for an unknown activation or norm.

    Cost: O(edges).
    """
    choice("read_out", read_out, ("class", "mean", "tokens"))
    channels, image = channels_and_grid("vit", input_size)
    kind = _patches(image, patch)
    grid, marked = kind.output_grid(image), int(read_out == "class")
    s = Blocks.of(
        "vit", tokens=grid[0] * grid[1] + marked, width=width, depth=depth, heads=heads, groups=groups,
        key_width=key_width, value_width=value_width, hidden=hidden, gated=gated, activation=activation, norm=norm,
        norm_epsilon=norm_epsilon, positions=positions, rotary_base=rotary_base, bias=bias, qkv_bias=qkv_bias,
    )  # fmt: skip
    b = GraphBuilder(seed=seed, dtype=dtype, init=init)
    b.input("input", channels, grid=image, domain=domain)
    b.layer("patches", width, grid=grid, activation="identity")
    b.conv2d("input", "patches", kernel=kind.kernel, stride=kind.stride)
    stream = b.layer("embedded", width, grid=s.grid, activation="identity", bias=False)
    b.place("patches", stream, marked)
    if positions == "learned":
        b.dense(b.positions("positions", s.grid), stream)
    elif marked:
        b.layer("class", width, grid=(1,), activation="identity", bias=False)
        b.dense(b.positions("class.position", (1,)), "class")
        b.place("class", stream)
    end = {"pool": Pool("average", s.grid)} if read_out == "mean" else {}
    stream = _end(b, s, s.add(b, stream, {}), end, final_norm=True, first=bool(marked))
    _head(b, s, stream, classes, bias=True, every_token=read_out == "tokens")
    return b.build()


@checked
def gpt(
    vocabulary: Count,
    *,
    tokens: Count = 256,
    width: Count = 384,
    depth: Count = 6,
    heads: Count = 6,
    groups: Count | None = None,
    key_width: Count | None = None,
    value_width: Count | None = None,
    hidden: Count | None = None,
    gated: bool = False,
    activation: str = "gelu_tanh",
    norm: str = "layer",
    norm_epsilon: float = 1e-5,
    positions: Positions = "learned",
    rotary_base: float = 10_000.0,
    bias: bool = True,
    qkv_bias: bool | None = None,
    tied: bool = False,
    init: Init = "uniform",
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """Build a causal language model: from ids of tokens to logits of the token that follows each.

    Radford et al., "Language models are unsupervised multitask learners", 2019, section 2.3 (GPT-2), without dropout,
    which graphs do not have, and with a table of ids apart from the output layer. The defaults have 10.8 million edges
    with a vocabulary of 100. Models like Llama and Qwen2 have `norm="rms"`, `positions="rotary"`, `activation="silu"`,
    `gated=True` and `bias=False`, and heads in groups.

    Args:
        vocabulary: number of different ids; inputs are ids `(batch, tokens)`.
        tokens: number of tokens of a sample. Later tokens do not act on earlier outputs, so shorter samples may be
            padded at their end with any id.
        width, depth, heads, groups, key_width, value_width, hidden, gated, activation: see `transformer_encoder`.
        norm, norm_epsilon: see `transformer_encoder`; norms come first, and one follows the last block.
        positions, rotary_base, init, seed, dtype: see `transformer_encoder`.
        bias, qkv_bias: see `transformer_encoder`; outputs have no biases.
        tied: False. A table of ids that is the output layer as well would need two edges with one weight.

    Returns:
        The graph: `input`, `positions`, `embedded`, the layers of the blocks as in `transformer_encoder`, `norm`, and
        `output`, `(batch, vocabulary, tokens)`.

    Raises:
        OptionError: for sizes that do not divide, and for `tied=True`.
        GraphError: for an unknown activation or norm.

    Cost: O(edges).
    """
    if tied:
        raise OptionError(
            "gpt(tied=True): a graph has one weight per edge, and tied tables would need two edges of one weight. Use "
            "tied=False, and copy the weights of one table to the other where both start alike."
        )
    s = Blocks.of(
        "gpt", tokens=tokens, width=width, depth=depth, heads=heads, groups=groups, key_width=key_width,
        value_width=value_width, hidden=hidden, gated=gated, activation=activation, norm=norm,
        norm_epsilon=norm_epsilon, positions=positions, rotary_base=rotary_base, bias=bias, qkv_bias=qkv_bias,
        causal=True,
    )  # fmt: skip
    b = GraphBuilder(seed=seed, dtype=dtype, init=init)
    stream = _embedded(b, s, b.input("input", vocabulary, grid=s.grid, encoding="index"), bias=False)
    stream = _end(b, s, s.add(b, stream, {}), {}, final_norm=True, first=False)
    _head(b, s, stream, vocabulary, bias=False, every_token=True)
    return b.build()


def _patches(image: Grid, patch: int | tuple[int, int]) -> Conv2d:
    """Kind of the link that cuts images into patches: a convolution whose stride is its kernel."""
    size = whole_numbers("vit(): patch", patch, least=1)
    if size.shape not in ((), (2,)):
        raise OptionError(f"vit(patch={patch}) needs one whole number, or two: (height, width).")
    height, width = np.broadcast_to(size, (2,)).tolist()
    if image[0] % height or image[1] % width:
        raise OptionError(
            f"vit(patch={patch}): patches of {height} x {width} do not cover inputs of {image[0]} x {image[1]}; give "
            "divisors of both sides."
        )
    return Conv2d((height, width), (height, width))


def _embedded(b: GraphBuilder, s: Blocks, source: str, *, bias: bool, weighted: bool = True) -> str:
    """Start the residual stream with rows of ids, with features or weighted features, and with learned positions."""
    stream = b.layer("embedded", s.width, grid=s.grid, activation="identity", bias=bias and weighted)
    if weighted:
        b.dense(source, stream)
    else:
        b.identity(source, stream)
    if s.positions == "learned":
        b.dense(b.positions("positions", s.grid), stream)
    return stream


def _end(b: GraphBuilder, s: Blocks, stream: str, end: dict[str, Any], *, final_norm: bool, first: bool) -> str:
    """Add the layer after the last block, which normalises all tokens, or reads the first one and normalises it."""
    normed = final_norm and s.norm != "none"
    if not (normed or first or end):
        return stream
    name = "norm" if normed else "first" if first else "mean"
    operation = s.norm_attributes if normed else {"activation": "identity", "bias": False}
    b.layer(name, s.width, grid=() if first else s.grid, **operation, **end)
    if first:
        b.place(stream, name)
    else:
        b.identity(stream, name)
    return name


def _head(b: GraphBuilder, s: Blocks, stream: str, outputs: int, *, bias: bool, every_token: bool) -> None:
    """Add the output layer, which reads each token or the only one."""
    b.output("output", outputs, grid=s.grid if every_token else (), bias=bias)
    b.dense(stream, "output")
