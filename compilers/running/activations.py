"""Activation functions on tensors: written for torch, or taken from the expression of the activation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from netgraph.errors import CompileError, OptionError
from netgraph.graph import ACTIVATIONS, Activation, Expression, get_activation
from netgraph.registry import Registry

Parameters = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TensorActivation:
    """An activation function on tensors.

    Where `in_place` and `backward` are given, a layer without norm and pool needs no autograd: it keeps its values
    alone, and the derivative follows from them.

    Attributes:
        function: `f(z, parameters, slope)`, differentiable by autograd in both modes. Vertex parameters broadcast
            against `z`; `slope` is the fixed slope of the layer.
        in_place: writes `f(z)` over `z`, and returns it; for an activation without parameters and slope.
        backward: `backward(gradient, values, out) -> gradient * f'(z)` with `values = f(z)`, written to `out` unless
            that is None; `out` may be `gradient`.
    """

    function: Callable[[Tensor, Parameters, float], Tensor]
    in_place: Callable[[Tensor], Tensor] | None = None
    backward: Callable[[Tensor, Tensor, Tensor | None], Tensor] | None = None


def _relu_backward(gradient: Tensor, values: Tensor, out: Tensor | None) -> Tensor:
    result: Tensor
    if out is None:
        result = torch.ops.aten.threshold_backward(gradient, values, 0)
    else:
        result = torch.ops.aten.threshold_backward.grad_input(gradient, values, 0, grad_input=out)
    return result


def _relu6_backward(gradient: Tensor, values: Tensor, out: Tensor | None) -> Tensor:
    result: Tensor
    if out is None:
        result = torch.ops.aten.hardtanh_backward(gradient, values, 0, 6)
    else:
        result = torch.ops.aten.hardtanh_backward.grad_input(gradient, values, 0, 6, grad_input=out)
    return result


def _rational(z: Tensor, p: Parameters, slope: float) -> Tensor:
    v, c, l = p["v"], p["c"], p["l"]  # noqa: E741 (the paper's names)
    scale = torch.rsqrt(v**2 + c**2 + l**2 + 1e-8)
    return ((2 * v * z + c) / (1 + z**2) + l * z) * scale


FUNCTIONS: Registry[TensorActivation] = Registry(
    "function on tensors of the activation",
    {
        "identity": TensorActivation(function=lambda z, p, s: z),
        "relu": TensorActivation(function=lambda z, p, s: torch.relu(z), in_place=torch.relu_, backward=_relu_backward),
        "leaky_relu": TensorActivation(function=lambda z, p, s: functional.leaky_relu(z, s)),
        "prelu": TensorActivation(function=lambda z, p, s: torch.where(z >= 0, z, p["slope"] * z)),
        "relu6": TensorActivation(
            function=lambda z, p, s: functional.relu6(z),
            in_place=lambda z: z.clamp_(0, 6),
            backward=_relu6_backward,
        ),
        "tanh": TensorActivation(function=lambda z, p, s: torch.tanh(z)),
        "sigmoid": TensorActivation(function=lambda z, p, s: torch.sigmoid(z)),
        # Not functional.softplus, which is linear above 20.
        "softplus": TensorActivation(function=lambda z, p, s: torch.logaddexp(z, z.new_zeros(()))),
        "gelu": TensorActivation(function=lambda z, p, s: functional.gelu(z)),
        "gelu_tanh": TensorActivation(function=lambda z, p, s: functional.gelu(z, approximate="tanh")),
        "silu": TensorActivation(function=lambda z, p, s: functional.silu(z)),
        "rational": TensorActivation(function=_rational),
    },
    of=ACTIVATIONS,
)
"""Activations on tensors, of `netgraph.graph.ACTIVATIONS`."""


def tensor_activation(name: str) -> TensorActivation:
    """Return an activation on tensors: the registered one, or else that of its `Expression`.

    Raises:
        CompileError: when there is neither.
    """
    if (known := FUNCTIONS.get(name)) is not None:
        return known
    function = get_activation(name).function
    if isinstance(function, Expression):
        return TensorActivation(function=partial(function.expression, torch))
    raise CompileError(
        f"Activation {name!r} has no function on tensors. Give one to compilers.register_activation, or write its "
        "function as a netgraph.graph.Expression, which serves NumPy and torch."
    )


def check_activations(layers: Iterable[tuple[str, str]]) -> None:
    """Raise `CompileError` naming the first layer, of pairs of layer and activation, without a function on tensors."""
    for layer, activation in layers:
        try:
            tensor_activation(activation)
        except CompileError as error:
            raise CompileError(f"Layer {layer!r}: {error}") from None


def register_activation(
    name: str,
    function: Callable[[Tensor, Parameters, float], Tensor],
    *,
    in_place: Callable[[Tensor], Tensor] | None = None,
    backward: Callable[[Tensor, Tensor, Tensor | None], Tensor] | None = None,
    replace: bool = False,
) -> None:
    """Give the compiler a function on tensors for an activation that `netgraph.graph.register_activation` added.

    An activation whose function is an `Expression` needs none; one given here takes its place.

    Args:
        name: of the activation.
        function: `f(z, parameters, slope)`, see `TensorActivation`.
        in_place, backward: both or neither, see `TensorActivation`.
        replace: whether it takes the place of a function that was given before. A function goes with its activation:
            when that one is replaced or removed, give the new one its own.

    Raises:
        GraphError: when there is no such activation.
        OptionError: when it has a function on tensors already, or this one disagrees with the activation on a few
            numbers.
    """
    activation = get_activation(name)
    FUNCTIONS.check(name, replace=replace)
    if (in_place is None) != (backward is None):
        raise OptionError(f"Activation {name!r}: in_place and backward go together; give both or neither.")
    if in_place is not None and (activation.parameters or activation.uses_slope):
        raise OptionError(f"Activation {name!r} has parameters; leave in_place and backward out.")
    given = TensorActivation(function=function, in_place=in_place, backward=backward)
    if reason := _contradiction(activation, given):
        raise OptionError(f"Activation {name!r}: {reason}; make them agree.")
    FUNCTIONS.add(name, given, replace=replace)


def _contradiction(activation: Activation, given: TensorActivation) -> str:
    """Describe how functions on tensors differ from the activation on a few numbers; '' when they do not."""
    points, slope = np.array([-3.0, -1.25, -0.25, 0.375, 1.0, 2.75]), 0.25
    p = {name: np.full(1, value) for name, value in activation.parameters.items()}
    wanted = activation.value_and_derivatives(points, p, slope)
    z = torch.tensor(points, requires_grad=True)
    value = given.function(z, {name: torch.tensor(v) for name, v in p.items()}, slope)
    if not _near(value, wanted.value):
        return "function gives other values than the activation"
    (gradient,) = torch.autograd.grad(value.sum(), z)
    if not _near(gradient, wanted.argument):
        return "function has other derivatives than the activation"
    if given.in_place is None or given.backward is None:
        return ""
    over = torch.tensor(points)
    given.in_place(over)
    if not _near(over, wanted.value):
        return "in_place leaves other values than those of the activation"
    out = torch.ones_like(over)
    fresh = given.backward(torch.ones_like(over), over, None)
    given.backward(out, over, out)
    if not _near(fresh, wanted.argument) or not _near(out, wanted.argument):
        return "backward gives other derivatives than the activation"
    return ""


def _near(one: Tensor, two: object) -> bool:
    return bool(np.allclose(one.detach().numpy(), two, rtol=1e-9, atol=1e-9))  # type: ignore[arg-type]
