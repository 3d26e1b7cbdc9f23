"""The nearest part of a refused module that has an equal graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from compilers.importing.program import Arguments, in_eval_mode

TRIES = 4
"""Largest number of parts that are tried."""


def nearest_part(
    module: nn.Module, given: Arguments, path: str, try_import: Callable[[nn.Module, Arguments], Any]
) -> str:
    """Path of a submodule with parameters that can be imported; '' where none of the nearest ones can.

    The neighbours of the refused submodule come first, then those of the modules around it, the largest first.

    Args:
        module: the module.
        given: arguments of the module.
        path: path of the refused submodule.
        try_import: imports a submodule with the arguments of its first call, or raises an exception.

    Cost: one evaluation of the module, and at most `TRIES` imports.
    """
    if any(nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        return ""  # an evaluation would give them their shapes
    calls = _calls(module, given)
    tries = TRIES
    for name in _neighbours(module, path, calls):
        try:
            try_import(module.get_submodule(name), calls[name])
        except Exception:  # whatever a part does, the refusal of the module is the error to show
            tries -= 1
            if not tries:
                return ""
        else:
            return name
    return ""


def _calls(module: nn.Module, given: Arguments) -> dict[str, Arguments]:
    """Arguments of the first call of each submodule that is called, by path."""
    found: dict[str, Arguments] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda part, args, kwargs: found.setdefault(name, (args, kwargs)) and None

    parts = [(name, part) for name, part in module.named_modules() if name]
    handles = [part.register_forward_pre_hook(keep(name), with_kwargs=True) for name, part in parts]
    args, kwargs = given
    try:
        with in_eval_mode(module), torch.no_grad():
            module(*args, **kwargs)
    except Exception:  # parts that ran before it are tried all the same
        return found
    finally:
        for handle in handles:
            handle.remove()
    return found


def _neighbours(module: nn.Module, path: str, calls: dict[str, Arguments]) -> Iterator[str]:
    """Yield the paths of called submodules beside a path and beside the modules around it."""
    steps = path.split(".") if path else [""]
    for depth in range(len(steps) - 1, -1, -1):
        around, inner = ".".join(steps[:depth]), ".".join(steps[: depth + 1])
        found = [name for name in _called(module, around, calls) if name != inner and not inner.startswith(f"{name}.")]
        sizes = {name: sum(p.numel() for p in module.get_submodule(name).parameters()) for name in found}
        yield from sorted((name for name in found if sizes[name]), key=lambda name: -sizes[name])


def _called(module: nn.Module, path: str, calls: dict[str, Arguments]) -> Iterator[str]:
    """Yield the paths of the submodules of a module, and those inside of a list that is itself not called."""
    for name, _ in module.get_submodule(path).named_children():
        inner = f"{path}.{name}" if path else name
        if inner in calls:
            yield inner
        else:
            yield from _called(module, inner, calls)
