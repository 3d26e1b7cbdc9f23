"""Means, variances and mean squares over features, on the way to an RMS or layer norm that is written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compilers.importing.codes import Coded
from compilers.importing.movement import KEEPING
from compilers.importing.ops.arithmetic import is_parameter
from compilers.importing.ops.norms import normalised
from compilers.importing.sums import Weights, dense
from compilers.importing.walk import Lazy, ModuleWalk, operation

WRITTEN = (
    "write it as x * rsqrt(mean(x^2, -1, keepdim=True) + epsilon) * weight, for a layer norm with "
    "x - mean(x, -1, keepdim=True) in place of x, or use torch.nn.RMSNorm or torch.nn.LayerNorm"
)


@operation("rms_norm")
def rms_norm(
    walk: ModuleWalk, value: Coded, shape: Sequence[int], weight: Any = None, eps: float | None = None
) -> Coded:
    """RMS norm over the last axis."""
    if len(shape) != 1:
        walk.refuse(f"it normalises over {len(shape)} axes, {tuple(shape)}", "normalise over the features alone")
    assert eps is not None, "the export writes the epsilon of the precision into the operation"
    return normalised(walk, value, "rms", eps, {"scale": weight})


@dataclass(eq=False)
class Mean(Lazy):
    """Mean over the features of a value, which are its last axis.

    Attributes:
        base: the value.
        kept: whether the axis is kept, with size 1.
        node: the operation.
    """

    base: Coded
    kept: bool
    node: Node | None
    made: Coded | None = None

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Subtract the mean from the value."""
        name = name.removesuffix("_")
        if name in KEEPING:
            return self
        if name == "unsqueeze" and not self.kept and args[1] in (-1, len(self.base.shape) - 1):
            return replace(self, kept=True, made=None)
        centres = name in {"sub", "subtract"} and self.kept and args[1] is self and not kwargs
        if centres and isinstance(args[0], Coded) and args[0].equals(self.base):
            return Centred(self)
        return NotImplemented

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Make a layer of one vertex, with frozen edges of one weight."""
        if self.made is None:
            before, walk.node = walk.node, self.node
            self.made = self._weighted(walk, 1 / self.base.shape[-1])
            walk.node = before
        return self.made

    def total(self, walk: ModuleWalk) -> Coded:
        """Make a layer of one vertex for the sum in place of the mean."""
        return self._weighted(walk, 1.0)

    def _weighted(self, walk: ModuleWalk, weight: float) -> Coded:
        weights = Weights(walk, torch.full((1, self.base.shape[-1]), weight, dtype=torch.float64))
        made = dense(walk, self.base, weights, None)
        if self.kept:
            return made
        squeezed: Coded = made.map(lambda part: part.squeeze(-1))
        return squeezed


@dataclass(eq=False)
class Centred(Lazy):
    """A value minus its mean over the last axis."""

    mean: Mean
    made: Coded | None = None

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Square it, or divide it by the root of the mean of its squares."""
        name = name.removesuffix("_")
        if name in KEEPING:
            return self
        twice = name == "mul" and all(isinstance(v, Centred) and v.mean.base.equals(self.mean.base) for v in args)
        if twice or name == "square" or (name == "pow" and args[0] is self and args[1] == 2):
            return CentredSquare(self)
        other = next((value for value in args if value is not self), None)
        scales = name == "mul" or (name == "div" and args[0] is self)
        if scales and isinstance(other, MeanSquare) and other.centred is not None:
            same = other.centred.equals(self.mean.base)
            return other.norm_of(walk, 1.0, divides=name == "div") if same else NotImplemented
        return NotImplemented

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Subtract a layer that has the mean."""
        if self.made is None:
            self.made = self.mean.base.plus(self.mean.resolve(walk).scaled(-1.0))
        return self.made


@dataclass(eq=False)
class CentredSquare(Lazy):
    """Squares of a value minus its mean."""

    centred: Centred

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Take their mean: the variance."""
        if name in KEEPING:
            return self
        if name in {"mean", "sum"}:
            base = self.centred.mean.base
            return replace(mean_square(walk, base, 1.0, name, args[1:], kwargs), centred=base)
        return NotImplemented

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Make layers for the squares."""
        value = self.centred.resolve(walk)
        found: Coded = walk.call(torch.ops.aten.square.default, (value,), {}).resolve(walk)
        return found


@dataclass(eq=False)
class MeanSquare(Lazy):
    """`outer * (factor * mean(x^2) + epsilon) ^ power` over one axis of a value, on the way to a norm.

    Attributes:
        base: the value `x`.
        dim: the axis, counted from the end.
        kept: whether the axis is kept, with size 1.
        factor, epsilon, power, outer: numbers of the formula.
        centred: the value again, where squares are those of `x - mean(x)`; else None.
    """

    base: Coded
    dim: int
    kept: bool
    factor: float
    epsilon: float = 0.0
    power: float = 1.0
    outer: float = 1.0
    centred: Coded | None = None

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add epsilon, take the root, and multiply or divide the value."""
        name = name.removesuffix("_")
        if name in KEEPING:
            return self
        if name == "unsqueeze" and not self.kept and args[1] in (-1, len(self.base.shape) - 1) and self.dim == -1:
            return replace(self, kept=True)
        other = next((value for value in args if value is not self), None)
        number = _number(other)
        if number is not None and name in {"mul", "div"} and (name == "mul" or args[0] is self):
            return self._scaled(number if name == "mul" else 1 / number)
        if number is not None and name == "add" and self.power == 1 and not kwargs:
            return replace(self, epsilon=self.epsilon + number)
        powers = {"sqrt": 0.5, "rsqrt": -0.5, "reciprocal": -1.0}
        power = number if name == "pow" and args[0] is self else powers.get(name)
        if power is not None:
            return replace(self, power=self.power * power, outer=self.outer**power)
        if name == "div" and number is not None:  # a number divided by the root
            return replace(self, power=-self.power, outer=number / self.outer)
        if name in {"mul", "div"} and isinstance(other, Coded) and (name == "mul" or args[1] is self):
            ratio = other.ratio_to(self.base) if self.centred is None else None
            return NotImplemented if ratio is None else self.norm_of(walk, ratio, divides=name == "div")
        return NotImplemented

    def norm_of(self, walk: ModuleWalk, ratio: float, *, divides: bool) -> Any:
        """Norm that is `ratio` times the value, multiplied or divided by this number; or NotImplemented."""
        if not self.kept or self.power != (0.5 if divides else -0.5):
            return NotImplemented
        outer = ratio / self.outer if divides else ratio * self.outer
        name = "rms" if self.centred is None else "layer"
        return Normed(name, self.base, self.dim, self.factor, self.epsilon, outer, walk.node)

    def _scaled(self, number: float) -> MeanSquare:
        if self.power == 1:
            return replace(self, factor=self.factor * number, epsilon=self.epsilon * number)
        return replace(self, outer=self.outer * number)

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Refuse: there is no layer for a mean of squares alone."""
        walk.refuse("a mean of squares is used otherwise than in an RMS norm or a layer norm", WRITTEN)


@dataclass(eq=False)
class Normed(Lazy):
    """A value under a norm, whose scale and shift perhaps follow.

    Attributes:
        norm: name of the norm.
        base: the value.
        dim: axis of the features, counted from the end.
        factor, epsilon, outer: the norm is `outer * x / sqrt(factor * mean(x^2) + epsilon)`.
        node: the operation that ends the norm.
        columns: scale and shift, as far as they are known.
    """

    norm: str
    base: Coded
    dim: int
    factor: float
    epsilon: float
    outer: float
    node: Node | None
    columns: dict[str, Any] = field(default_factory=dict)
    made: Coded | None = None

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Multiply by one parameter or constant per feature, the scale of the norm, or add one, its shift."""
        name = name.removesuffix("_")
        if name in KEEPING:
            return self
        column = {"mul": "scale", "add": "shift"}.get(name)
        other = next((value for value in args if value is not self), None)
        fits = isinstance(other, Coded | Tensor) and tuple(other.shape) == tuple(self.base.shape[-1:])
        if column is None or not fits or kwargs or self.dim != -1 or self.made is not None:
            return NotImplemented
        if isinstance(other, Coded) and not is_parameter(walk, other):
            return NotImplemented
        if "shift" in self.columns or column in self.columns or (column == "shift" and not self._takes_shift):
            return NotImplemented
        return replace(self, columns={**self.columns, column: other}, node=walk.node)

    @property
    def _size(self) -> float:
        """Factor of the result of the norm."""
        return self.outer * self.factor**-0.5 if self.factor > 0 else 1.0

    @property
    def _takes_shift(self) -> bool:
        return self.norm == "layer" and self._size == 1

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Make the layer."""
        if self.made is None:
            before, walk.node = walk.node, self.node
            self.made = self._layer(walk)
            walk.node = before
        return self.made

    def _layer(self, walk: ModuleWalk) -> Coded:
        if self.dim != -1:
            walk.refuse(
                "it normalises over another axis than the last one", "normalise over the features, the last axis"
            )
        if self.factor <= 0 or self.epsilon <= 0:
            walk.refuse(f"its norm adds {self.epsilon:g} to the mean square", "add a number above 0, such as 1e-6")
        made = normalised(walk, self.base, self.norm, self.epsilon / self.factor, self.columns)
        return made if self._size == 1 else made.scaled(self._size)


def mean_square(
    walk: ModuleWalk, base: Coded, factor: float, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> MeanSquare:
    """Mean or sum of `factor` times the squares of a value, over one axis."""
    dim = args[0] if args else kwargs.get("dim")
    kept = args[1] if len(args) > 1 else kwargs.get("keepdim", False)
    dims = [dim] if isinstance(dim, int) else list(dim or [])
    if len(dims) != 1:
        walk.refuse("it averages squares over several axes", WRITTEN)
    size = base.shape[dims[0]]
    at = dims[0] - len(base.shape) if dims[0] >= 0 else dims[0]
    return MeanSquare(base, at, bool(kept), factor * (size if name == "sum" else 1))


@operation("var", "std", "var_mean")
def variance(
    walk: ModuleWalk, value: Coded, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
    correction: float | None = None,
) -> Any:  # fmt: skip
    """Variance over the features, on the way to a layer norm."""
    found = mean_square(walk, value, 1.0, "mean", (dim, keepdim), {})
    size = value.shape[found.dim]
    lost = float(unbiased) if correction is None else float(correction)
    found = replace(found, centred=value, factor=size / (size - lost))
    if walk.op_name == "var_mean":
        return found, Mean(value, keepdim, walk.node)
    return replace(found, power=0.5) if walk.op_name == "std" else found


def _number(value: Any) -> float | None:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    return float(value) if isinstance(value, int | float) else None
