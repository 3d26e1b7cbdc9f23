"""Refusal of tools that record or transform tensors: they would take the buffers of a network for constants."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from netgraph.errors import CompileError

# Bound once: they are asked at every forward.
_is_tracing, _is_exporting = torch._C._is_tracing, torch.compiler.is_exporting
_modes, _transforms = torch._C._len_torch_dispatch_stack, torch._C._functorch.peek_interpreter_stack

F = TypeVar("F", bound=Callable[..., Any])

ITSELF = (
    "Export the graph instead: compilers.export.to_module(lift(net)) is a plain module that torch traces and exports, "
    "and compilers.export.to_onnx(lift(net), path) writes ONNX."
)

DERIVATIVES = "Use net.jvp, net.vjp and net.capture, or torch.autograd.grad on the network itself."


def refuse_tracing(weights: Any, tensors: Callable[[], Sequence[Tensor]]) -> None:
    """Raise `CompileError` when a tool records or transforms tensors during this call; the message names the tool.

    Args:
        weights: flat weights of the network; under torch.fx they are no tensor.
        tensors: function that gives the flat tensors of the network, and its inputs.

    Cost: a microsecond, at every forward.
    """
    if _is_tracing():
        raise _refusal("torch.jit.trace, and torch.onnx.export by it,", ITSELF)
    if _is_exporting():
        raise _refusal("torch.export, and torch.onnx.export by it,", ITSELF)
    if not isinstance(weights, Tensor):
        raise _refusal("torch.fx.symbolic_trace", ITSELF)
    if _modes() and _records():
        raise _refusal("make_fx", ITSELF)
    if _transforms() is not None:
        raise _refusal("torch.func (vmap, grad, jvp, vjp, jacrev, ...)", DERIVATIVES)
    if forward_ad._current_level >= 0 and any(_has_tangent(tensor) for tensor in tensors()):
        raise _refusal("forward-mode differentiation (torch.autograd.forward_ad)", DERIVATIVES)


def refuse_script() -> None:
    """Raise `CompileError` that names torch.jit.script."""
    raise _refusal("torch.jit.script", ITSELF)


def _refusal(what: str, remedy: str) -> CompileError:
    return CompileError(
        f"{what} cannot see into a compiled network, which runs in buffers of its own: what it makes would be wrong. "
        f"{remedy}"
    )


def _has_tangent(tensor: Tensor) -> bool:
    return forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]


def _records() -> bool:
    module = sys.modules.get("torch.fx.experimental.proxy_tensor")
    return module is not None and module.get_proxy_mode() is not None


def outside_dynamo(function: F) -> F:
    """Keep torch.compile out of a function: it runs as it is, between the parts that are compiled.

    As `torch.compiler.disable`, which would load the compiler with the first import.
    """
    disabled: list[Callable[..., Any]] = []

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if "torch._dynamo" not in sys.modules:
            return function(*args, **kwargs)
        if not disabled:
            disabled.append(torch.compiler.disable(function))  # type: ignore[no-untyped-call]
        return disabled[0](*args, **kwargs)

    mark: Any = run
    mark._torchdynamo_disable = True
    mark._torchdynamo_disable_msg = "a compiled network runs as it is; leave out fullgraph=True, or compile around it"
    mark._torchdynamo_disable_recursive = True
    return mark  # type: ignore[no-any-return]
