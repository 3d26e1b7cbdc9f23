"""Export of graphs: as plain modules of torch, and as files for other programs."""

from compilers.export.forms import Additions
from compilers.export.modules import ExportedModule, export_module, to_module, write_module
from compilers.export.onnx import to_onnx

__all__ = ["Additions", "ExportedModule", "export_module", "to_module", "to_onnx", "write_module"]
