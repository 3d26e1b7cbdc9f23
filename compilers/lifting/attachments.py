"""Hooks, attributes, buffers and modules that a user put on a network, carried across a rewrite."""

from __future__ import annotations

from types import MethodType
from typing import Any

from torch import Tensor, nn

from compilers.running import FLAT_BUFFERS, FLAT_PARAMETERS, OWN_ATTRIBUTES, CompiledNetwork
from netgraph.errors import CompileError

LEFT = frozenset({"_compiled_call_impl"})
"""Attributes that hold on to the code of the old network: after `net.compile()`, call it again."""


def check_attachments(net: CompiledNetwork) -> None:
    """Raise `CompileError` that names an attachment which `carry_attachments` cannot carry."""
    if not isinstance(net, CompiledNetwork):
        raise CompileError(
            f"migrate takes a compiled network, not {type(net).__name__}; give the network inside of a wrapper (its "
            "`.module` or `._orig_mod`), and wrap the new one again."
        )
    if missing := [name for name in FLAT_PARAMETERS if name not in net._parameters]:
        raise CompileError(
            f"The network has no parameter {missing[0]!r}: something else takes its place, such as a parametrization "
            "or pruning by torch.nn.utils. Remove it before migrating (remove_parametrizations, prune.remove), and "
            "put it on the new network."
        )
    shapes = {getattr(net, name).shape for name in (*FLAT_PARAMETERS, *FLAT_BUFFERS)}
    for name, value in {**net._parameters, **net._buffers, **net.__dict__}.items():
        if (
            name not in (*FLAT_PARAMETERS, *FLAT_BUFFERS)
            and isinstance(value, Tensor)
            and value.dim()
            and value.shape in shapes
        ):
            raise CompileError(
                f"{name!r}, which was put on the network, has {len(value)} values, one for each entry of one of its "
                "vectors. Which one is not known: take it off before migrating (del), and put it on the new network "
                "with carry_values(..., old, new, layout=...)."
            )


def carry_attachments(old: CompiledNetwork, new: CompiledNetwork) -> None:
    """Put the hooks, attributes, parameters, buffers and modules of a user on the new network as on the old one.

    They are shared with the old network, hooks included; its own methods among them are bound to the new one.
    """
    if type(old) is not CompiledNetwork:
        new.__class__ = type(old)
    for name, value in old.__dict__.items():
        if name not in OWN_ATTRIBUTES and name not in LEFT:
            new.__dict__[name] = _carried(value, old, new)
    new._keep_frozen_weights()
    for kind, own in (("_parameters", FLAT_PARAMETERS), ("_buffers", FLAT_BUFFERS), ("_modules", ())):
        mine, theirs = getattr(old, kind), getattr(new, kind)
        theirs.update({name: value for name, value in mine.items() if name not in own})
    for name in FLAT_PARAMETERS:
        _carry_parameter(getattr(old, name), getattr(new, name))


def _carry_parameter(old: nn.Parameter, new: nn.Parameter) -> None:
    new.__dict__.update(old.__dict__)
    for hook in (old._backward_hooks or {}).values():
        new.register_hook(hook)  # type: ignore[no-untyped-call]
    for hook in (getattr(old, "_post_accumulate_grad_hooks", None) or {}).values():
        new.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]
    new.requires_grad_(old.requires_grad)  # only now: a vector that is not trained takes no hooks


def _carried(value: Any, old: CompiledNetwork, new: CompiledNetwork) -> Any:
    if isinstance(value, MethodType) and value.__self__ is old:
        return MethodType(value.__func__, new)
    if isinstance(value, dict):
        copied = value.copy()
        copied.update((key, _carried(item, old, new)) for key, item in value.items())
        return copied
    return value.copy() if isinstance(value, list | set) else value
