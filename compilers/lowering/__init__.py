"""From graphs to tensors: the plan, the executor, and the module around it."""

from compilers.lowering.costs import CostTable
from compilers.lowering.lower import lower
from compilers.lowering.network import CompiledNetwork
from compilers.lowering.plan import Block, LayerPlan, Plan, VertexSlots

__all__ = ["Block", "CompiledNetwork", "CostTable", "LayerPlan", "Plan", "VertexSlots", "lower"]
