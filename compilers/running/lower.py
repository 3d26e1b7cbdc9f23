"""`lower`: a network made from a graph."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from compilers.plan import Choice, CostTable, Plan, Site, build_plan
from compilers.running.activations import check_activations
from compilers.running.module import DTYPES, Options
from compilers.running.network import CompiledNetwork
from compilers.running.norms import check_norms
from netgraph.errors import CompileError
from netgraph.graph import Graph


def lower(
    graph: Graph,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    costs: CostTable | None = None,
    kernels: Mapping[str, str] | None = None,
) -> CompiledNetwork:
    """Compile a graph to a module that runs on batches.

    Args:
        graph: the network.
        device: where its tensors live.
        dtype: float32 or float64, of its tensors.
        costs: table by which kernels are picked; a built-in one by default.
        kernels: kernel name by layer name, to overrule the choice.

    Raises:
        CompileError: for what this compiler does not handle, naming the layer or link, and for unknown names.

    Cost: O(edges).
    """
    return lower_with(graph, Options(costs or CostTable(), dict(kernels or {})), torch.device(device), dtype)


def lower_with(
    graph: Graph,
    options: Options,
    device: torch.device,
    dtype: torch.dtype,
    *,
    settled: Mapping[Site, Choice] | None = None,
    previous: Plan | None = None,
) -> CompiledNetwork:
    """Compile as `lower` does, with choices that were made before, or after a rewrite of the graph of another plan.

    Args:
        graph: the network.
        options: how to lower.
        device: where its tensors live.
        dtype: float32 or float64, of its tensors.
        settled: choices of an earlier plan of the same graph.
        previous: the plan before a rewrite, of which what still holds is taken over.
    """
    if dtype not in DTYPES:
        raise CompileError(f"dtype {dtype} is not supported; use torch.float32 or torch.float64.")
    plan = build_plan(graph, options.costs, options.kernels, settled=settled, previous=previous)
    check_activations((layer.name, layer.activation) for layer in plan.layers)
    check_norms(plan)
    return CompiledNetwork(graph, plan, options, device, dtype)
