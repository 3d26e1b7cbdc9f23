"""Running statistics of vertices that a rewrite added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compilers.lifting.migrate import RewriteResult
from compilers.running import CompiledNetwork
from netgraph.errors import CompileError


def settle_running(net: CompiledNetwork, added: RewriteResult | Any, x: Tensor | Mapping[str, Tensor]) -> None:
    """Set the running means and variances of vertices that a rewrite added to those of one batch.

    New vertices under batch norm start at mean 0 and variance 1, far from what arrives at them, and at a momentum of
    0.1 come close to it after some tens of steps only. Until then the network is another one in eval mode than in
    train mode. Call it after `migrate`, and before `lift` for the next rewrite:

        net, optimizer = migrate(net, optimizer, result)
        settle_running(net, result, x)

    All other running statistics, gradients, collected statistics and the mode stay as they are, to the last bit.
    A rewrite that was exact in eval mode stays so as long as the new vertices are not read: those of `WidenLayer`
    with "outgoing zero", for example, but not copies, which have the statistics of their originals.

    Args:
        net: the network after the rewrite.
        added: the result of the rewrite, for its new vertices, or ids of vertices. Vertices without batch norm are
            left alone.
        x: inputs of one batch, as `forward` takes them; at least 2 samples where a layer has no grid.

    Raises:
        CompileError: when a vertex is not in the network.
        InputError: when the batch does not fit the network.

    Cost: one forward without gradients.
    """
    delta = getattr(added, "delta", None)
    ids = np.asarray(added if delta is None else delta.vertices_added.id, dtype=np.int64)
    present = net.graph.vertices.id
    if (missing := ids[~np.isin(ids, present)]).size:
        raise CompileError(
            f"Vertex {missing[0]} is not in the network; settle running statistics after migrating it, with the result "
            "of the last rewrite."
        )
    columns = [where for where in net.plan.vertex_slots.values() if not where.trained]
    found = [where.slots[np.isin(present[where.rows], ids)] for where in columns]
    if not any(len(slots) for slots in found):
        return
    slots = torch.from_numpy(np.concatenate(found)).to(net.running.device)
    values = net.batch_statistics(x)
    with torch.no_grad():
        net.running.index_copy_(0, slots, values[slots])
