"""Attention: as one operation, and by hand as products of matrices around a softmax over keys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from compilers.importing.codes import Coded, CodedTerm
from compilers.importing.drafts import DraftLayer
from compilers.importing.heads import attending, mixing, tokens_read
from compilers.importing.movement import KEEPING, MOVEMENTS
from compilers.importing.reading import Sampled, place, restored, sampled
from compilers.importing.walk import Lazy, ModuleWalk, operation
from netgraph.columns import Array

HIDDEN = -1e4
"""Largest number that, added to a logit, hides the key: its weight is then 0 in float64."""

CALCULATING = frozenset(
    ["mul", "div", "add", "sub", "neg", "masked_fill", "where", "multiply", "divide", "true_divide"]
)
"""Operations on logits that scale them or add a mask, besides movements."""


@operation("scaled_dot_product_attention")
def scaled_dot_product_attention(
    walk: ModuleWalk, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Coded:  # fmt: skip
    """Attention of heads, `(..., heads, tokens, channels)`."""
    if not all(isinstance(part, Coded) for part in (query, key, value)):
        walk.refuse("queries, keys or values depend on no input", "compute them from the input")
    if isinstance(attn_mask, Coded):
        walk.refuse("its mask depends on the input or on a parameter", MASKS)
    if dropout_p:
        walk.refuse("it drops weights in eval mode, too", "pass dropout_p=self.p if self.training else 0.0")
    query, key, value = _together(walk, query, key, value, groups=enable_gqa)
    shape = (query.shape[-2], key.shape[-2])
    causal = bool(is_causal)
    if isinstance(attn_mask, Tensor):
        bias = attn_mask.to(torch.float64)
        if attn_mask.dtype == torch.bool:
            bias = torch.zeros(attn_mask.shape, dtype=torch.float64).masked_fill(~attn_mask, -math.inf)
        hidden = hidden_by(walk, bias.expand(np.broadcast_shapes(bias.shape, shape)).reshape(-1, *shape).numpy())
        if (hidden != hidden[:1]).any():
            walk.refuse("its masks differ between heads or samples", MASKS)
        causal = is_causal_mask(walk, hidden[0])
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    read = tokens_read(walk, query)
    heads = attending(walk, read, tokens_read(walk, key), scale, causal=causal)
    rows = np.arange(heads.width).reshape(read.sampled.shape[:-2])
    return restored(walk, read.sampled, mixing(walk, heads, rows, read.sampled, value))


MASKS = "use no mask, or the causal one (is_causal=True), the same for all heads and samples"


def _together(walk: ModuleWalk, *parts: Coded, groups: bool) -> list[Coded]:
    """Queries, keys and values with the same axes before tokens; with `groups`, heads share keys and values."""
    query, *shared = parts
    if groups:
        heads = query.shape[-3]
        shared = [
            part.map(lambda codes, n=heads // part.shape[-3]: codes.repeat_interleave(n, -3))  # type: ignore[misc]
            for part in shared
        ]
    every = [query, *shared]
    lead = np.broadcast_shapes(*(part.shape[:-2] for part in every))
    return [part.map(lambda codes: codes.expand(*lead, *codes.shape[-2:])) for part in every]


def hidden_by(walk: ModuleWalk, bias: Array) -> Array:
    """Mask of the keys that numbers added to logits hide, `(..., queries, keys)`.

    Raises:
        ImportRefused: where they do more than to hide keys, or hide all keys of a query.
    """
    hidden: Array = bias <= HIDDEN
    if hidden.all(axis=-1).any():
        walk.refuse("its mask hides all keys from a query", MASKS)
    if np.where(hidden, 0.0, bias - bias.max(axis=-1, keepdims=True)).any():  # one number for all keys does nothing
        walk.refuse(
            "it adds a bias other than 0 and minus infinity to logits, such as ALiBi or relative positions",
            "use learned positions that are added to the tokens, or rotary positions",
        )
    return hidden


def is_causal_mask(walk: ModuleWalk, hidden: Array) -> bool:
    """Whether a mask of hidden keys, `(queries, keys)`, is the causal one; False for no hidden keys.

    Raises:
        ImportRefused: for any other mask.
    """
    if not hidden.any():
        return False
    later = np.triu(np.ones(hidden.shape, bool), 1)
    if (hidden == later).all():
        return True
    distance = np.arange(hidden.shape[0])[:, None] - np.arange(hidden.shape[1])
    window = int(distance[~hidden].max()) + 1
    if (hidden == (later | (distance >= window))).all():
        walk.refuse(f"its mask is a sliding window of {window} tokens", MASKS)
    if (hidden == hidden[:1]).all():
        walk.refuse(f"its mask hides {int(hidden[0].sum())} keys from all queries, such as padding", MASKS)
    walk.refuse("its mask is neither empty nor the causal one", MASKS)


# -- by hand -------------------------------------------------------------------------------------------------


class Scores(Lazy):
    """Products of queries and keys, perhaps scaled and masked, before the softmax over keys.

    Attributes:
        queries, keys: `(..., tokens, channels)`, with the same axes before tokens.
        shape: matrices of a sample, queries and keys, `(*matrices, queries, keys)`.
        value: their codes, as far as they were moved, scaled and masked.
    """

    def __init__(self, queries: Coded, keys: Coded, shape: tuple[int, ...], value: Coded) -> None:
        self.queries, self.keys, self.shape, self.value = queries, keys, shape, value

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Move, scale or mask the products, or make heads of them at the softmax."""
        name = name.removesuffix("_") if name.endswith("_") else name
        if name in {"softmax", "_softmax"} and args[0] is self:
            return attended(walk, self, args[1] if len(args) > 1 else kwargs["dim"])
        if name not in MOVEMENTS | KEEPING | CALCULATING:
            return NotImplemented
        swapped = pytree.tree_map(lambda leaf: leaf.value if leaf is self else leaf, (list(args), dict(kwargs)))
        result = walk.call(walk.target, *swapped)
        return pytree.tree_map(
            lambda leaf: Scores(self.queries, self.keys, self.shape, leaf) if isinstance(leaf, Coded) else leaf, result
        )

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Refuse: there is no layer for products of matrices of activations."""
        walk.refuse(
            "a product of two matrices of activations is used otherwise than as attention",
            "use softmax(queries @ keys^T) @ values, or scaled_dot_product_attention",
        )


def matrix_product(walk: ModuleWalk, one: Coded, two: Coded) -> Any:
    """Product of two matrices of activations: a mix of values where the first one is attention, else logits."""
    lead = np.broadcast_shapes(one.shape[:-2], two.shape[:-2])
    one, two = (part.map(lambda codes: codes.expand(*lead, *codes.shape[-2:])) for part in (one, two))
    found = sampled(walk, one)
    number, row, position = place(walk, found.codes[0])
    owner = walk.space.owner(int(number.flat[0]))
    if isinstance(owner, DraftLayer) and owner.merge is not None and owner.merge.gives_heads:
        return _mixed(walk, owner, found, number, row, position, two)
    keys = two.map(lambda codes: codes.transpose(-1, -2))
    other = sampled(walk, keys)
    if (found.axis, found.held) != (other.axis, other.held) or found.axis >= len(one.shape) - 2:
        walk.refuse("it multiplies numbers of different samples", "keep every sample of a batch apart")
    shape = (*found.shape[:-1], other.shape[-2])
    scores = Scores(one, keys, shape, one)
    start = walk.space.add(scores, math.prod(shape), walk.samples)
    scores.value = restored(walk, found, np.arange(start, start + math.prod(shape)).reshape(shape))
    return scores


def _mixed(
    walk: ModuleWalk, heads: DraftLayer, found: Sampled, number: Array, row: Array, position: Array, values: Coded
) -> Coded:
    """Values mixed by the weights of heads."""
    whole = len(found.codes) == 1 and (found.factors[0] == 1).all() and (number == number.flat[0]).all()
    rows = row[..., 0, 0]
    numbers = np.arange(math.prod(heads.grid)).reshape(heads.grid)
    fits = found.shape[-2:] == heads.grid and (row == rows[..., None, None]).all()
    if not (whole and fits and (position == numbers).all()):
        walk.refuse(
            "weights of attention are scaled, added up, or moved before they mix values",
            "use softmax(queries @ keys^T) @ values, or scaled_dot_product_attention",
        )
    return restored(walk, found, mixing(walk, heads, rows, found, values))


def attended(walk: ModuleWalk, scores: Scores, dim: int) -> Coded:
    """Weights of heads: the softmax of logits over keys."""
    if dim % len(scores.value.shape) != len(scores.value.shape) - 1:
        walk.refuse("its softmax runs over another axis than the last one, the keys", "use softmax(..., dim=-1)")
    found = sampled(walk, scores.value)
    offset, factor, bias = _logits(walk, scores, found)
    queries, keys = scores.shape[-2:]
    hidden = hidden_by(walk, bias)
    seen = ~hidden
    if found.shape[-1] != keys:
        walk.refuse("its softmax runs over a part of the keys", MASKS)
    start = np.where(seen, offset - np.arange(keys), -1).max(axis=-1, keepdims=True)
    first = factor[seen][0]
    if ((offset != start + np.arange(keys)) & seen).any() or (start % keys).any() or (factor[seen] != first).any():
        walk.refuse(
            "its logits are scaled differently for different keys, or are in another order",
            "multiply all logits by one scale",
        )
    head, query = np.divmod(start[..., 0] // keys, queries)
    mask = np.zeros((queries, keys), bool)
    mask[query] = hidden
    if (mask[query] != hidden).any():
        walk.refuse("its masks differ between heads", MASKS)
    if len(np.unique(query)) < queries and mask.any():
        walk.refuse("it masks some of the queries only", MASKS)
    causal = is_causal_mask(walk, mask)
    made = attending(walk, tokens_read(walk, scores.queries), tokens_read(walk, scores.keys), first, causal=causal)
    codes = walk.codes_of(made)[head[..., None], query[..., None] * keys + np.arange(keys)]
    return restored(walk, found, codes)


def _logits(walk: ModuleWalk, scores: Scores, found: Sampled) -> tuple[Array, Array, Array]:
    """Number of each product, its factor, and the constant that is added to it."""
    offset, factor, bias = np.full(found.shape, -1), np.zeros(found.shape), np.zeros(found.shape)
    for codes, factors in zip(found.codes, found.factors, strict=True):
        number, _, at = walk.space.locate(codes)
        for index in np.unique(number[factors != 0]).tolist():
            owner, mine = walk.space.owner(index), (number == index) & (factors != 0)
            if owner is None:
                bias = np.where(mine, bias + factors, bias)
            elif isinstance(owner, Scores) and owner.queries is scores.queries and not factor[mine].any():
                offset, factor = np.where(mine, at, offset), np.where(mine, factors, factor)
            else:
                walk.refuse(
                    "it adds to logits what depends on the input or on a parameter: a computed mask, or a learned bias",
                    "use no bias of logits; add learned positions to the tokens, or use rotary positions",
                )
    return offset, factor, bias


@operation("softmax", "_softmax", "log_softmax", "_log_softmax")
def softmax(walk: ModuleWalk, value: Coded, *args: Any, **kwargs: Any) -> Coded:
    """Refuse a softmax that is no attention."""
    walk.refuse(
        "a softmax over features is no activation of a vertex",
        "leave it out and let the loss have it (cross entropy takes logits)",
    )


@operation("baddbmm")
def baddbmm(walk: ModuleWalk, bias: Any, one: Any, two: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Product of matrices with a mask."""
    product = matrix_product(walk, one, two)
    added = torch.as_tensor(bias).to(torch.float64) if not isinstance(bias, Coded) else bias
    scores = product.value if isinstance(product, Scores) else product
    plus = added.scaled(beta) if isinstance(added, Coded) else Coded.constant(added * beta)
    total = scores.scaled(alpha).plus(plus)
    return Scores(product.queries, product.keys, product.shape, total) if isinstance(product, Scores) else total


@operation("masked_fill")
def masked_fill(walk: ModuleWalk, value: Coded, mask: Any, fill: Any) -> Coded:
    """Constants in place of some numbers."""
    filled: Coded = select(walk, mask, fill, value)
    return filled


@operation("where")
def select(walk: ModuleWalk, mask: Any, one: Any, two: Any) -> Coded:
    """Numbers of one value or of another, by a constant mask."""
    if isinstance(mask, Coded):
        walk.refuse("it chooses by a mask that depends on the input", "choose by constants, or use an activation")
    parts = []
    for value, chosen in ((one, mask), (two, ~mask)):
        part = value if isinstance(value, Coded) else Coded.constant(torch.as_tensor(value, dtype=torch.float64))
        shape = np.broadcast_shapes(part.shape, mask.shape)
        kept = part.map(lambda codes, shape=shape: codes.expand(shape))  # type: ignore[misc]
        parts.append(Coded(CodedTerm(term.codes, torch.where(chosen, term.factor, 0.0)) for term in kept.terms))
    return parts[0].plus(parts[1])
