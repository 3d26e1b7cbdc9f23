"""Lower graphs to batched tensors, train them, and lift weights and statistics back onto edges and vertices."""

from compilers.export import to_module, to_onnx
from compilers.kernels import register_kernel
from compilers.lifting import (
    SlotMoves,
    carry_optimizer,
    carry_values,
    ease_in,
    lift,
    load_optimizer_state,
    migrate,
    optimizer_state_arrays,
    parameter_groups,
    register_state,
    settle_running,
)
from compilers.plan import CostTable, KernelKind, Plan
from compilers.running import CompiledNetwork, lower, register_activation, register_norm, save_costs, tune, tuned_costs

__all__ = [
    "CompiledNetwork",
    "CostTable",
    "KernelKind",
    "Plan",
    "SlotMoves",
    "carry_optimizer",
    "carry_values",
    "ease_in",
    "lift",
    "load_optimizer_state",
    "lower",
    "migrate",
    "optimizer_state_arrays",
    "parameter_groups",
    "register_kernel",
    "register_activation",
    "register_norm",
    "register_state",
    "save_costs",
    "settle_running",
    "to_module",
    "to_onnx",
    "tune",
    "tuned_costs",
]
