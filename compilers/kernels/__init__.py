"""Kernels: the code that runs the edges of a block. `register_kernel` adds another one."""

from compilers.kernels.base import BoundKernel, Build, Given, Gradients, Kernel, ParentGradients, ParentRows, Ports
from compilers.kernels.csr import NativeProduct, SparseRows
from compilers.kernels.maps import Maps, Picks, token_major
from compilers.kernels.places import placed
from compilers.kernels.registry import KERNELS, get_builder, register_kernel
from compilers.kernels.selections import Selection, add_maps, maps_at, selection
from compilers.kernels.tiles import by_position, from_positions
from compilers.kernels.torch_sparse import TorchSparseProduct

__all__ = [
    "BoundKernel",
    "Build",
    "Given",
    "Gradients",
    "KERNELS",
    "Kernel",
    "Maps",
    "NativeProduct",
    "ParentGradients",
    "ParentRows",
    "Picks",
    "Ports",
    "Selection",
    "SparseRows",
    "TorchSparseProduct",
    "add_maps",
    "by_position",
    "from_positions",
    "get_builder",
    "maps_at",
    "placed",
    "register_kernel",
    "selection",
    "token_major",
]
