"""Sums of values, products with constants and with other activations."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compilers.importing.codes import Coded, CodedTerm, distinct
from compilers.importing.drafts import DraftLayer
from compilers.importing.movement import as_coded
from compilers.importing.owners import ParameterTensor
from compilers.importing.reading import by_sample, reading, sampled, undecided
from compilers.importing.sums import Weights, layer_of, link, result, summed
from compilers.importing.walk import ModuleWalk, operation
from netgraph.errors import ImportRefused
from netgraph.graph import Dense, Identity, Product


@operation("add")
def add(walk: ModuleWalk, one: Any, two: Any, *, alpha: float = 1) -> Coded:
    """Sum of two values.

    Where a parameter is added to activations, the sum becomes a layer at once: later operations may move it to several
    positions, and a bias is at one place.
    """
    left, right = as_coded(one), as_coded(two)
    total = left.plus(right if alpha == 1 else right.scaled(alpha))
    parameter = any(is_parameter(walk, part) and not is_constant(walk, part) for part in (left, right))
    if parameter and not _waits(walk, total):
        with walk.trying():
            summed(walk, reading(walk, total))
    return total


def _waits(walk: ModuleWalk, value: Coded) -> bool:
    """Whether a later operation decides which axes of an input in a value are features."""
    with suppress(ImportRefused):
        return undecided(walk, sampled(walk, value))
    return False


@operation("sub", "subtract")
def sub(walk: ModuleWalk, one: Any, two: Any, *, alpha: float = 1) -> Coded:
    """Difference of two values."""
    return as_coded(one).plus(as_coded(two).scaled(-float(alpha)))


@operation("rsub")
def rsub(walk: ModuleWalk, one: Any, two: Any, alpha: float = 1) -> Coded:
    """Difference of two values, the other way round."""
    return as_coded(two).plus(as_coded(one).scaled(-float(alpha)))


@operation("neg", "negative")
def neg(walk: ModuleWalk, value: Coded) -> Coded:
    """Negative of a value."""
    return value.scaled(-1.0)


@operation("div", "divide", "true_divide")
def div(walk: ModuleWalk, one: Any, two: Any, **_: Any) -> Coded:
    """Quotient by a constant."""
    if isinstance(two, Coded):
        walk.refuse("it divides by a value that depends on an input or a parameter", "divide by constants only")
    return as_coded(one).scaled(1.0 / torch.as_tensor(two, dtype=torch.float64))


@operation("mul", "multiply")
def mul(walk: ModuleWalk, one: Any, two: Any) -> Any:
    """Product with a constant, with a parameter per feature, or of two activations."""
    for value, factor in ((one, two), (two, one)):
        if not isinstance(factor, Coded):
            return as_coded(value).scaled(factor.to(torch.float64) if isinstance(factor, Tensor) else float(factor))
    scale, value = (one, two) if is_parameter(walk, one) else (two, one)
    if is_parameter(walk, scale):
        return scaled_by(walk, value, scale)
    if (ratio := two.ratio_to(one)) is not None:
        square = walk.call(torch.ops.aten.square.default, (one,), {})
        return square if ratio == 1 else walk.call(torch.ops.aten.mul.Tensor, (square, ratio), {})
    return product(walk, one, two)


def is_constant(walk: ModuleWalk, value: Coded) -> bool:
    """Whether a value depends on no input and on no parameter."""
    return all(not walk.space.locate(term.codes[term.exists].numpy())[0].any() for term in value.terms)


def is_parameter(walk: ModuleWalk, value: Coded) -> bool:
    """Whether a value has no part that depends on an input."""
    owners: set[Any] = set()
    for term in value.terms:
        found = distinct(walk.space.locate(term.codes[term.exists].numpy())[0])
        owners |= {walk.space.owner(number) for number in found}
    return all(owner is None or isinstance(owner, ParameterTensor) for owner in owners)


def scaled_by(walk: ModuleWalk, value: Coded, scale: Coded) -> Coded:
    """Product with one parameter per feature: an edge from every vertex to a vertex of its own."""
    if is_parameter(walk, value):
        walk.refuse("it multiplies two parameters", "multiply them once, in one parameter")
    shape = torch.broadcast_shapes(value.shape, scale.shape)  # type: ignore[no-untyped-call]
    if shape != value.shape:
        walk.refuse("a parameter that is multiplied adds axes", "use one number per feature")
    term = scale.terms[0]
    constant = torch.where(term.exists, term.factor, 1.0)
    if len(scale.terms) == 1 and (constant != 1).any():  # a constant factor of the parameter is one of the product
        plain = Coded([CodedTerm(term.codes, term.exists.to(torch.float64))])
        return scaled_by(walk, value, plain).scaled(constant)
    read = reading(walk, value)
    full = scale.map(lambda part: part.expand(shape))
    found = read.sampled
    one = full.map(lambda part: by_sample(part, found.axis, found.held, walk.samples)[0])
    places = [a for a in range(len(read.sampled.shape)) if a not in read.features]
    flat = one.map(lambda part: part.permute([*read.features, *places]).reshape(read.width, -1))
    codes, factors = flat.terms[0].codes.numpy(), flat.terms[0].factor.numpy()
    if len(flat.terms) > 1 or (codes != codes[:, :1]).any() or (factors != factors[:, :1]).any():
        walk.refuse(
            "a parameter is multiplied that changes from position to position",
            "use one factor per feature, the same at all positions",
        )
    weights = Weights(walk, flat.map(lambda part: part[:, 0].contiguous()))
    source = layer_of(walk, read)
    made = walk.draft(source.width, source.output_grid, name="scaled")
    rows = np.flatnonzero(weights.exists)
    walk.count_edges(len(rows))
    link(
        made,
        source,
        Dense(),
        rows,
        rows,
        weights.values[rows],
        parameter=weights.codes[rows],
        frozen=weights.frozen[rows],
    )
    return result(walk, read, made)


def product(walk: ModuleWalk, one: Coded, two: Coded) -> Coded:
    """Product of two activations of one shape, feature by feature."""
    if one.shape != two.shape:
        walk.refuse(
            f"it multiplies activations of the shapes {tuple(one.shape)} and {tuple(two.shape)}",
            "multiply activations with the same features and positions",
        )
    reads = [reading(walk, one)]
    same = sampled(walk, two)
    if (same.axis, same.held) != (reads[0].sampled.axis, reads[0].sampled.held):
        walk.refuse("it multiplies numbers of different samples", "keep every sample of a batch apart")
    ndim = len(one.shape)
    axes = [axis for axis in range(ndim) if reads[0].sampled.axis_of(axis) in reads[0].features]
    reads.append(reading(walk, two, axes))
    layers: list[DraftLayer] = [layer_of(walk, read, name) for read, name in zip(reads, ("gate", "value"), strict=True)]
    if layers[0].output_grid != layers[1].output_grid:
        walk.refuse("it multiplies layers with different grids", "bring both to the same grid")
    made = walk.draft(layers[0].width, layers[0].output_grid, name="product", merge=Product())
    rows = np.arange(made.width)
    for port, layer in enumerate(layers):
        link(made, layer, Identity(), rows, rows, 1.0, frozen=True, port=port)
    return result(walk, reads[0], made)
