"""Proofs that two modules of torch compute the same function."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from torch import nn

from compilers.importing.imported import Domain, TensorLayout, from_module
from netgraph.graph import Graph, Mode
from netgraph.proof import Certificate, aligned, certify


def certify_modules(
    old: nn.Module, new: nn.Module, example: Any, *, domain: Domain | None = None, mode: Mode = "eval"
) -> Certificate:
    """Prove that two modules compute the same function, or bound the difference of their outputs over a domain.

    Both are imported by `from_module`, their vertices are matched by structure and value (`netgraph.proof.aligned`),
    and the graphs are certified. So any transform can be checked, whoever wrote it: widening, pruning, permuting,
    merging, folding of batch norm into convolutions, heads that go, layers that come.

    Args:
        old, new: the modules. Inputs and outputs correspond by order.
        example: arguments of one call, as for `from_module`.
        domain: interval `(low, high)` of all floating inputs, None for no limits. Bounds need limits; exactness does
            not.
        mode: "eval", or "train" for a statement that holds in train mode too, with batch norm unfolded.

    Returns:
        The certificate; its bounds and places have the paths of modules as names of layers.

    Raises:
        ImportRefused: when a module computes what a graph cannot.

    Costs two imports and one proof.
    """
    (before, order), (after, other) = (_read(module, example, domain) for module in (old, new))
    if order != other:
        return Certificate(
            "unknown", "the tensors of inputs or outputs differ in shape or in the order of their numbers"
        )
    return certify(before, aligned(before, after), mode=mode)


def reader(value: Any, example: Any, domain: Any) -> tuple[Graph, Hashable] | None:
    """Read a module of torch for `netgraph.testing.assert_same_function`; None for other values."""
    return _read(value, example, domain) if isinstance(value, nn.Module) else None


def _read(module: nn.Module, example: Any, domain: Domain | None) -> tuple[Graph, Hashable]:
    """Graph of a module, and shapes and orders of the numbers of its inputs and outputs."""
    found = from_module(module, example, domain=domain)
    return found.graph, tuple(map(_order, (*found.inputs, *found.outputs)))


def _order(layout: TensorLayout) -> Hashable:
    return layout.shape, None if layout.index is None else layout.index.tobytes()
