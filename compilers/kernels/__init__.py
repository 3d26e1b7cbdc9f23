"""Kernels: what runs the edges of a block. Register another one in `KERNELS`."""

from functools import partial

from compilers.kernels.base import BoundKernel, Given, Gradients, Kernel, KernelKind, Ports
from compilers.kernels.convolution import ConvolutionKernel
from compilers.kernels.csr import CsrKernel, NativeProduct, SparseRows
from compilers.kernels.dense import DenseKernel
from compilers.kernels.maps import Maps
from compilers.kernels.sparse_convolution import SparseConvolutionKernel
from compilers.kernels.tiles import by_position, from_positions, reach
from compilers.kernels.torch_sparse import TorchSparseProduct, available
from compilers.kernels.wires import MapWireKernel, WireKernel

KERNELS: dict[str, KernelKind] = {
    "dense": KernelKind("rows", "cells", DenseKernel),
    "padded-dense": KernelKind("rows", "cells", DenseKernel),
    "csr": KernelKind("rows", "edges", CsrKernel),
    "torch-sparse": KernelKind("rows", "edges", partial(CsrKernel, product=TorchSparseProduct)),
    "wires": KernelKind("rows", "none", WireKernel),
    "convolution": KernelKind("maps", "cells", ConvolutionKernel),
    "padded-convolution": KernelKind("maps", "cells", ConvolutionKernel),
    "sparse-convolution": KernelKind("maps", "edges", SparseConvolutionKernel),
    "map-wires": KernelKind("maps", "none", MapWireKernel),
}
"""Kernels by the name that plans use."""

__all__ = [
    "BoundKernel",
    "Given",
    "Gradients",
    "KERNELS",
    "Kernel",
    "KernelKind",
    "Maps",
    "NativeProduct",
    "Ports",
    "SparseRows",
    "TorchSparseProduct",
    "available",
    "by_position",
    "from_positions",
    "reach",
]
