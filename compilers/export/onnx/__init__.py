"""Graphs as files of ONNX, the exchange format that onnxruntime and other programs read."""

from compilers.export.onnx.file import to_onnx

__all__ = ["to_onnx"]
