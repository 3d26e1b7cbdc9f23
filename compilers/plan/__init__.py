"""The plan: kernels, slots and rows of every layer, as data. No tensors."""

from compilers.plan.build import build_plan, initial_columns, initial_weights
from compilers.plan.costs import CostTable
from compilers.plan.geometry import Geometry, as_maps
from compilers.plan.plan import Block, Choice, LayerPlan, Plan, Site, VertexSlots

__all__ = [
    "Block",
    "Choice",
    "CostTable",
    "Geometry",
    "LayerPlan",
    "Plan",
    "Site",
    "VertexSlots",
    "as_maps",
    "build_plan",
    "initial_columns",
    "initial_weights",
]
