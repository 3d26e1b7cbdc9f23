"""Export of graphs: as plain modules of torch, and as files for other programs."""

from compilers.export.modules import ExportedModule, export_module, to_module, write_module

__all__ = ["ExportedModule", "export_module", "to_module", "write_module"]
