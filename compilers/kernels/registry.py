"""Builders of kernels by the names of their kinds."""

from __future__ import annotations

from functools import partial

from compilers.kernels.base import Build
from compilers.kernels.convolution import ConvolutionKernel
from compilers.kernels.csr import CsrKernel
from compilers.kernels.dense import DenseKernel
from compilers.kernels.sparse_convolution import SparseConvolutionKernel
from compilers.kernels.torch_sparse import TorchSparseProduct
from compilers.kernels.wires import MapWireKernel, WireKernel
from compilers.plan import KernelKind, register_kind

KERNELS: dict[str, Build] = {
    "dense": DenseKernel,
    "padded-dense": DenseKernel,
    "csr": CsrKernel,
    "torch-sparse": partial(CsrKernel, product=TorchSparseProduct),
    "wires": WireKernel,
    "convolution": ConvolutionKernel,
    "padded-convolution": ConvolutionKernel,
    "sparse-convolution": SparseConvolutionKernel,
    "map-wires": MapWireKernel,
}
"""Builders by the names of `compilers.plan.KINDS`."""


def register_kernel(kind: KernelKind, build: Build) -> None:
    """Add a kernel of your own, for every network that is lowered, migrated or loaded from now on.

    Lowering picks it where its `kind.cost` is the lowest, or where `lower(graph, kernels={layer: name})` names it.
    A checkpoint of a network that uses it is loaded by programs that have registered it before.

    Args:
        kind: its name, layout and cost.
        build: called with the block, the number of input rows of the buffer, device and dtype; returns a `Kernel`,
            whose `bind` returns a `BoundKernel`.

    Raises:
        OptionError: for a name that is taken, and for a padded kernel that is not registered.

    Example:
        >>> from compilers import KernelKind, lower, register_kernel
        >>> from compilers.kernels import KERNELS
        >>> def cost(fan, costs):
        ...     return 0.5 * costs.dense(fan.edges, fan.targets, fan.columns, fan.trained, gathered=fan.gathered)
        >>> register_kernel(KernelKind(name="mine", reads="rows", layout="cells", cost=cost), KERNELS["dense"])
    """
    register_kind(kind)
    KERNELS[kind.name] = build
