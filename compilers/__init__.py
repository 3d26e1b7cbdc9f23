"""Lower graphs to batched tensors, train them, and lift weights and statistics back onto edges and vertices."""

from compilers.lifting.carry import carry_optimizer
from compilers.lifting.lift import lift
from compilers.lifting.migrate import migrate
from compilers.lifting.nursery import ease_in
from compilers.lifting.optimizers import load_optimizer_state, optimizer_state_arrays, parameter_groups
from compilers.lifting.running import settle_running
from compilers.lifting.slots import SlotMoves, carry_values
from compilers.lifting.starts import register_state
from compilers.lowering import CompiledNetwork, CostTable, Plan, lower, save_costs, tune, tuned_costs

__all__ = [
    "CompiledNetwork",
    "CostTable",
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
    "register_state",
    "save_costs",
    "settle_running",
    "tune",
    "tuned_costs",
]
