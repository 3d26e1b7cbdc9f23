"""The plan: kernels, slots and rows of every layer, as data. No tensors."""

from compilers.plan.block import Block, Choice, Site
from compilers.plan.build import build_plan, initial_columns, initial_weights
from compilers.plan.choose import UNREGISTERED
from compilers.plan.costs import CostTable
from compilers.plan.fan_in import MapFanIn, RowFanIn, TableFanIn
from compilers.plan.geometry import Geometry, as_maps, as_pair, reach
from compilers.plan.kinds import KINDS, KernelKind, register_kind, torch_sparse_library
from compilers.plan.plan import LayerPlan, Plan, VertexSlots
from compilers.plan.reads import PortReads

__all__ = [
    "Block",
    "Choice",
    "CostTable",
    "Geometry",
    "KINDS",
    "KernelKind",
    "LayerPlan",
    "MapFanIn",
    "Plan",
    "PortReads",
    "RowFanIn",
    "Site",
    "TableFanIn",
    "UNREGISTERED",
    "VertexSlots",
    "as_maps",
    "as_pair",
    "build_plan",
    "initial_columns",
    "initial_weights",
    "reach",
    "register_kind",
    "torch_sparse_library",
]
