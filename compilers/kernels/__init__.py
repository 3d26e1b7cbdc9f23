"""Kernels: what runs the edges of a block. Register another one in `KERNELS`."""

from compilers.kernels.base import BoundKernel, Kernel, KernelKind
from compilers.kernels.csr import CsrKernel
from compilers.kernels.dense import DenseKernel
from compilers.kernels.wires import WireKernel

KERNELS: dict[str, KernelKind] = {
    "dense": KernelKind("cells", DenseKernel),
    "padded-dense": KernelKind("cells", DenseKernel),
    "csr": KernelKind("edges", CsrKernel),
    "wires": KernelKind("none", WireKernel),
}
"""Kernels by the name that plans use."""

__all__ = ["KERNELS", "BoundKernel", "Kernel", "KernelKind"]
