"""From graphs to tensors: the plan, the executor, and the module around it."""

from compilers.lowering.costs import CostTable
from compilers.lowering.derivatives import Captured
from compilers.lowering.lower import lower
from compilers.lowering.network import CompiledNetwork
from compilers.lowering.plan import Block, Choice, LayerPlan, Plan, Site, VertexSlots
from compilers.lowering.tuning import costs_file, save_costs, tune, tuned_costs

__all__ = [
    "Block",
    "Captured",
    "Choice",
    "CompiledNetwork",
    "CostTable",
    "LayerPlan",
    "Plan",
    "Site",
    "VertexSlots",
    "costs_file",
    "lower",
    "save_costs",
    "tune",
    "tuned_costs",
]
