"""Import of modules of torch as graphs, and the places of their parameters."""

from compilers.importing.imported import Imported, TensorLayout, from_module
from compilers.importing.parameters import ParameterMap

__all__ = ["Imported", "ParameterMap", "TensorLayout", "from_module"]
