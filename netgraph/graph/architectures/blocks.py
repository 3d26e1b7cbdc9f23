"""Blocks of transformers: attention and a perceptron on every token, each added to the residual stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from netgraph.checks import choice, number
from netgraph.errors import OptionError
from netgraph.graph.builder import GraphBuilder
from netgraph.graph.grid import Grid

Positions = Literal["learned", "rotary", "none"]
"""Manner in which a transformer knows the order of its tokens."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Sizes and operations that all blocks of a transformer have in common.

    Attributes:
        tokens: number of positions of the residual stream.
        groups: number of groups of heads that share keys and values, a divisor of `heads`.
        key_width, value_width: numbers of slots and of values per head.
        Other attributes: see `transformer_encoder`.
    """

    tokens: int
    width: int
    depth: int
    heads: int
    groups: int
    key_width: int
    value_width: int
    hidden: int
    qkv_bias: bool
    gated: bool
    activation: str
    norm: str
    norm_epsilon: float
    positions: Positions
    rotary_base: float
    bias: bool
    causal: bool = False
    norm_first: bool = True

    @classmethod
    def of(
        cls,
        who: str,
        *,
        width: int,
        heads: int,
        groups: int | None,
        key_width: int | None,
        value_width: int | None,
        hidden: int | None,
        bias: bool,
        qkv_bias: bool | None,
        **others: Any,
    ) -> Blocks:
        """Make the blocks of the architecture called `who`, with the usual size where one is None.

        Raises:
            OptionError: for sizes that do not divide, or that rotary positions cannot turn.
        """
        groups = heads if groups is None else groups
        if heads % groups:
            raise OptionError(
                f"{who}(heads={heads}, groups={groups}): each group of heads shares keys and values, and all groups "
                "have one size; give a divisor of heads."
            )
        if width % heads and None in (key_width, value_width):
            raise OptionError(
                f"{who}(width={width}, heads={heads}): the width does not divide by the heads; give key_width and "
                f"value_width, or a multiple of {heads} as width."
            )
        made = cls(
            width=width,
            heads=heads,
            groups=groups,
            key_width=width // heads if key_width is None else key_width,
            value_width=width // heads if value_width is None else value_width,
            hidden=4 * width if hidden is None else hidden,
            bias=bias,
            qkv_bias=bias if qkv_bias is None else qkv_bias,
            **others,
        )
        choice(f"{who}(): positions", made.positions, get_args(Positions))
        if made.positions == "rotary":
            number(f"{who}(): rotary_base", made.rotary_base, above=0)
            if made.key_width % 2:
                raise OptionError(
                    f"{who}(): rotary positions turn pairs of slots, and a head has {made.key_width} slots; give an "
                    "even key_width."
                )
        return made

    @property
    def grid(self) -> Grid:
        """Grid of the residual stream, `(tokens,)`."""
        return (self.tokens,)

    @property
    def frequencies(self) -> tuple[float, ...]:
        """Angles per position of the pairs of slots: `base^(-2 i / key_width)`; () without rotary positions."""
        if self.positions != "rotary":
            return ()
        return tuple(self.rotary_base ** (-2 * i / self.key_width) for i in range(self.key_width // 2))

    def linear(self, b: GraphBuilder, name: str, source: str, size: int, **attributes: Any) -> str:
        """Add a layer that reads all vertices of another layer, token by token; return its name."""
        given = {"activation": "identity", "bias": self.bias, "grid": self.grid, **attributes}
        b.layer(name, size, **given)
        b.dense(source, name)
        return name

    def normed(self, b: GraphBuilder, name: str, source: str) -> str:
        """Add a layer that normalises the residual stream; return its name, or that of the stream without a norm."""
        if self.norm == "none":
            return source
        b.layer(name, self.width, grid=self.grid, **self.norm_attributes)
        b.identity(source, name)
        return name

    @property
    def norm_attributes(self) -> dict[str, Any]:
        """Arguments of `GraphBuilder.layer` for a layer that normalises a sum and does nothing else."""
        return {"activation": "identity", "bias": False, "norm": self.norm, "norm_epsilon": self.norm_epsilon}

    def add(self, b: GraphBuilder, stream: str, last: Mapping[str, Any]) -> str:
        """Add all blocks to a builder; return the name of the layer of the residual stream after them.

        Args:
            b: the builder.
            stream: name of the residual stream before the blocks.
            last: further arguments of `GraphBuilder.layer` for the last layer.
        """
        for i in range(1, self.depth + 1):
            attended = self._attention(b, f"block{i}", stream)
            stream = self._perceptron(b, f"block{i}", attended, last if i == self.depth else {})
        return stream

    def _attention(self, b: GraphBuilder, name: str, stream: str) -> str:
        """Add attention and its sum with the residual stream."""
        source = self.normed(b, f"{name}.norm1", stream) if self.norm_first else stream
        queries, keys, values = (
            self.linear(b, f"{name}.{part}", source, size, bias=self.qkv_bias)
            for part, size in (
                ("queries", self.heads * self.key_width),
                ("keys", self.groups * self.key_width),
                ("values", self.groups * self.value_width),
            )
        )
        heads = b.attend(
            f"{name}.heads", queries, keys, heads=self.heads, causal=self.causal, frequencies=self.frequencies
        )
        mix = b.mix(f"{name}.mix", heads, values, groups=self.groups)
        return self._added(b, f"{name}.attended", mix, stream, {})

    def _perceptron(self, b: GraphBuilder, name: str, stream: str, last: Mapping[str, Any]) -> str:
        """Add the perceptron of a block and its sum with the residual stream."""
        source = self.normed(b, f"{name}.norm2", stream) if self.norm_first else stream
        inner = f"{name}.mlp"
        if self.gated:
            gate = self.linear(b, f"{name}.gate", source, self.hidden, activation=self.activation)
            b.product(inner, gate, self.linear(b, f"{name}.up", source, self.hidden))
        else:
            self.linear(b, inner, source, self.hidden, activation=self.activation)
        return self._added(b, f"{name}.output", inner, stream, last)

    def _added(self, b: GraphBuilder, name: str, source: str, stream: str, more: Mapping[str, Any]) -> str:
        """Add a layer of the residual stream: its sum with weighted values, normalised where norms come last."""
        norm = {} if self.norm_first else {**self.norm_attributes, "bias": self.bias}
        self.linear(b, name, source, self.width, **norm, **more)
        b.identity(stream, name)
        return name
