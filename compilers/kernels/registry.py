"""Builders of kernels by the names of their kinds."""

from __future__ import annotations

from functools import partial

from compilers.kernels.base import Build
from compilers.kernels.convolution import ConvolutionKernel
from compilers.kernels.csr import CsrKernel
from compilers.kernels.dense import DenseKernel
from compilers.kernels.places import PlaceKernel
from compilers.kernels.sparse_convolution import SparseConvolutionKernel
from compilers.kernels.tables import SparseTableKernel, TableKernel
from compilers.kernels.token_csr import TokenCsrKernel
from compilers.kernels.torch_sparse import TorchSparseProduct
from compilers.kernels.wires import MapWireKernel, WireKernel
from compilers.plan import KINDS, UNREGISTERED, KernelKind, register_kind
from netgraph.errors import CompileError, unknown_name
from netgraph.registry import Registry

KERNELS: Registry[Build] = Registry(
    "builder of kernels",
    {
        "dense": DenseKernel,
        "padded-dense": DenseKernel,
        "csr": CsrKernel,
        "torch-sparse": partial(CsrKernel, product=TorchSparseProduct),
        "wires": WireKernel,
        "convolution": ConvolutionKernel,
        "padded-convolution": ConvolutionKernel,
        "sparse-convolution": SparseConvolutionKernel,
        "token-csr": TokenCsrKernel,
        "map-wires": MapWireKernel,
        "place-wires": PlaceKernel,
        "lookup": TableKernel,
        "padded-lookup": TableKernel,
        "sparse-lookup": SparseTableKernel,
        "table": TableKernel,
        "padded-table": TableKernel,
        "sparse-table": SparseTableKernel,
    },
    of=KINDS,
)
"""Builders by the names of `compilers.plan.KINDS`; `KINDS.remove(name)` takes a kernel back."""


def get_builder(name: str) -> Build:
    """Return the builder of the kernels called `name`.

    Raises:
        CompileError: when there is none, as where a network was unpickled whose kernel is not registered here.
    """
    try:
        return KERNELS[name]
    except KeyError:
        raise CompileError(f"{unknown_name('kernel', name, KERNELS)} {UNREGISTERED}") from None


def register_kernel(kind: KernelKind, build: Build, *, replace: bool = False) -> None:
    """Add a kernel of your own, for every network that is lowered, migrated or loaded from now on.

    Lowering picks it where its `kind.cost` is the lowest, or where `lower(graph, kernels={layer: name})` names it.
    A checkpoint of a network that uses it is loaded by programs that have registered it before.

    Args:
        kind: its name, layout and cost.
        build: called with the block, the number of input rows of the buffer, device and dtype; returns a `Kernel`,
            whose `bind` returns a `BoundKernel`.
        replace: whether it takes the place of one that was registered under the name before, as when a cell of a
            notebook runs again. What it reads, its layout and `in_place` stay.

    Raises:
        OptionError: for a name that is taken, a padded kernel that is not registered, and a replacement of another
            layout.

    Example:
        >>> from compilers import KernelKind, lower, register_kernel
        >>> from compilers.kernels import KERNELS
        >>> def cost(fan, costs):
        ...     return 0.5 * costs.dense(fan.edges, fan.targets, fan.columns, fan.trained, gathered=fan.gathered)
        >>> register_kernel(KernelKind(name="mine", reads="rows", layout="cells", cost=cost), KERNELS["dense"])
    """
    register_kind(kind, replace=replace)
    KERNELS.add(kind.name, build, replace=replace)
