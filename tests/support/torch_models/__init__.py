"""Modules of torch as users write them, each with an example of its input: `MODELS[name]()` gives both.

Parameters and running statistics are drawn, so that none has a value at which a mistake would not show.
"""

import inspect

import torch
from torch import nn

from torch_models import dense, forms, maps, tokens


def drawn(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 with every parameter and running statistic drawn."""
    module = module.double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if not tensor.is_floating_point() or name.rpartition(".")[2] in CONSTANTS:
                continue
            near = 1.0 if tensor.dim() == 1 and name.endswith(("weight", "var")) else 0.0
            spread = min(0.3, 1 / max(1, tensor[0].numel()) ** 0.5) if tensor.dim() > 1 else 0.2
            tensor.copy_(near + spread * torch.empty_like(tensor).uniform_(-1.5, 1.5, generator=generator))
    return module


CONSTANTS = ("pixel_mean", "pixel_std", "mask", "cos", "sin", "frequencies")
"""Buffers that are constants of a module."""


def _maker(kind):
    def make():
        torch.manual_seed(0)
        module = drawn(kind())
        return module, module.example()

    return make


MODELS = {
    kind.__name__: _maker(kind)
    for part in (dense, maps, tokens, forms)
    for kind in vars(part).values()
    if inspect.isclass(kind) and kind.__module__ == part.__name__ and hasattr(kind, "example")
}
"""Functions that make a module and its example, by name of the class."""
