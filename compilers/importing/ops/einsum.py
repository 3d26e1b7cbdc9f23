"""Sums of products in the notation of Einstein, as products of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from compilers.importing.walk import ModuleWalk, operation

aten = torch.ops.aten


@operation("einsum")
def einsum(walk: ModuleWalk, equation: str, operands: Sequence[Any], **_: Any) -> Any:
    """Product of two tensors, summed over the axes that the result lacks.

    Axes are brought into the order shared, own, summed; then it is a product of matrices.
    """
    names, out = _axes(walk, equation.replace(" ", ""), operands)
    one, two = names
    shared = [name for name in one if name in two and name in out]
    summed = [name for name in one if name in two and name not in out]
    own = [[name for name in axes if name not in shared and name not in summed] for axes in names]
    if set(out) != {*shared, *own[0], *own[1]}:
        walk.refuse(f"einsum {equation!r} sums over an axis of one operand", "sum over it before or after")
    sizes = {
        name: size
        for axes, value in zip(names, operands, strict=True)
        for name, size in zip(axes, value.shape, strict=True)
    }
    orders = ([*shared, *own[0], *summed], [*shared, *summed, *own[1]])
    groups = ((own[0], summed), (summed, own[1]))
    parts = []
    for value, axes, order, (left, right) in zip(operands, names, orders, groups, strict=True):
        moved = walk.call(aten.permute.default, (value, [axes.index(name) for name in order]), {})
        lead = [sizes[name] for name in shared]
        shape = [*lead, *(math.prod(sizes[name] for name in group) for group in (left, right))]
        parts.append(walk.call(aten.reshape.default, (moved, shape), {}))
    product = walk.call(aten.matmul.default, tuple(parts), {})
    found = [*shared, *own[0], *own[1]]
    product = walk.call(aten.reshape.default, (product, [sizes[name] for name in found]), {})
    return walk.call(aten.permute.default, (product, [found.index(name) for name in out]), {})


def _axes(walk: ModuleWalk, equation: str, operands: Sequence[Any]) -> tuple[list[list[str]], list[str]]:
    """Names of the axes of both operands and of the result; an ellipsis becomes names of its own."""
    given, arrow, out = equation.partition("->")
    parts = given.split(",")
    if not arrow or len(parts) != 2:
        walk.refuse(f"einsum {equation!r} has no arrow, or not two operands", "write it as matrix products")
    found: list[list[str]] = []
    rest: list[str] = []
    for part, value in zip(parts, operands, strict=True):
        free = len(value.shape) - len(part.replace("...", ""))
        rest = [f"...{i}" for i in range(free)] if "..." in part else rest
        found.append(_names(part, rest))
    if any(len(set(names)) < len(names) for names in found):
        walk.refuse(f"einsum {equation!r} takes a diagonal", "write it as matrix products")
    return found, _names(out, rest)


def _names(part: str, rest: list[str]) -> list[str]:
    before, dots, after = part.partition("...")
    return [*before, *(rest if dots else []), *after]
