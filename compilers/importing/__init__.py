"""Import of modules of torch as graphs, and the places of their parameters."""

from compilers.importing.certifying import certify_modules, reader
from compilers.importing.imported import Imported, TensorLayout, from_module
from compilers.importing.parameters import ParameterMap

__all__ = ["Imported", "ParameterMap", "TensorLayout", "certify_modules", "from_module", "reader"]
