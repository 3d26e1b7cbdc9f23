"""Operations that only move numbers: on codes they run as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from compilers.importing.codes import ONE, Coded, CodedTerm

MOVEMENTS = frozenset(
    [
        "alias",
        "broadcast_to",
        "chunk",
        "clone",
        "contiguous",
        "detach",
        "diagonal",
        "expand",
        "flatten",
        "flip",
        "lift_fresh",
        "lift_fresh_copy",
        "movedim",
        "narrow",
        "numpy_T",
        "permute",
        "pixel_shuffle",
        "pixel_unshuffle",
        "repeat",
        "repeat_interleave",
        "reshape",
        "roll",
        "rot90",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "swapaxes",
        "swapdims",
        "t",
        "tensor_split",
        "transpose",
        "unbind",
        "unflatten",
        "unsqueeze",
        "view",
        "channel_shuffle",
        "index",
        "index_select",
        "take_along_dim",
        "unfold",
        "_unsafe_view",
    ]
)
"""Operations whose result has the numbers of the first argument, in other places."""

KEEPING = frozenset(
    [
        "to",
        "_to_copy",
        "type_as",
        "dropout",
        "dropout_",
        "feature_dropout",
        "alpha_dropout",
        "float",
        "double",
        "requires_grad_",
        "cudnn_is_acceptable",
    ]
)
"""Operations that return their first argument: casts, and dropout, which does nothing in eval mode."""

JOINS = frozenset(["cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack"])
"""Operations whose result has the numbers of a list of tensors."""

_BY_RESHAPE = frozenset({"view", "_unsafe_view"})


def move(name: str, target: Any, value: Coded, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Run a movement `name` on a value; `args` and `kwargs` are the further arguments of `target`."""
    if name in _BY_RESHAPE:  # codes may lie in memory in another order than the numbers
        return value.map(lambda part: part.reshape(args[0]))
    return value.map(lambda part: target(part, *args, **kwargs))


def joined(values: Sequence[Coded], join: Callable[[list[Tensor]], Tensor]) -> Coded:
    """Join values by an operation on tensors, such as `torch.cat`; values with fewer terms get terms of nothing."""
    terms = []
    for number in range(max(len(value.terms) for value in values)):
        parts = [value.terms[number] if number < len(value.terms) else _nothing(value.shape) for value in values]
        terms.append(CodedTerm(join([part.codes for part in parts]), join([part.factor for part in parts])))
    return Coded(terms)


def stacked(values: Sequence[Coded], dim: int) -> Coded:
    """Stack values along a new axis."""
    return joined(values, lambda parts: torch.stack(parts, dim))


def padded(value: Coded, pad: Sequence[int], mode: str, fill: float) -> Coded:
    """Pad a value, as `torch.nn.functional.pad`."""
    terms = []
    for number, term in enumerate(value.terms):
        if mode == "constant":
            codes = torch.nn.functional.pad(term.codes, list(pad), value=ONE)
            factor = torch.nn.functional.pad(term.factor, list(pad), value=fill if number == 0 else 0.0)
        else:  # codes are below 2^53, so float64 holds them
            codes = torch.nn.functional.pad(term.codes.to(torch.float64), list(pad), mode=mode).to(torch.int64)
            factor = torch.nn.functional.pad(term.factor, list(pad), mode=mode)
        terms.append(CodedTerm(codes, factor))
    return Coded(terms)


def _nothing(shape: Sequence[int]) -> CodedTerm:
    return CodedTerm(torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.float64))


def as_coded(value: Any) -> Coded:
    """The value itself, or constants as a value."""
    if isinstance(value, Coded):
        return value
    return Coded.constant(value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64))
