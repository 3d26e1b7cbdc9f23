"""Lifting: weights and statistics read back onto graphs, and training state carried across rewrites.

Import from `compilers`; nothing is imported here, since lowering needs the collectors of statistics.
"""

from compilers.lifting.carry import carry_optimizer
from compilers.lifting.lift import lift
from compilers.lifting.migrate import migrate
from compilers.lifting.newcomers import BORN, OWN_STEPS, Newcomers
from compilers.lifting.nursery import ease_in
from compilers.lifting.optimizers import load_optimizer_state, optimizer_state_arrays, parameter_groups
from compilers.lifting.rebuild import Rebuilding
from compilers.lifting.running_statistics import settle_running
from compilers.lifting.slots import SlotMoves, carry_values
from compilers.lifting.starts import register_state

__all__ = [
    "BORN",
    "Newcomers",
    "OWN_STEPS",
    "Rebuilding",
    "SlotMoves",
    "carry_optimizer",
    "carry_values",
    "ease_in",
    "lift",
    "load_optimizer_state",
    "migrate",
    "optimizer_state_arrays",
    "parameter_groups",
    "register_state",
    "settle_running",
]
