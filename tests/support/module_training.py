"""Modules and networks that are trained side by side."""

import numpy as np
import torch
from torch.utils import _pytree as pytree

from compilers import lower


def arguments(example):
    return example if isinstance(example, tuple) else (example,)


def outputs(module, example):
    """Tensors that a module gives, in their order."""
    return [leaf for leaf in pytree.tree_leaves(module(*arguments(example))) if isinstance(leaf, torch.Tensor)]


def targets_like(tensors):
    """Drawn targets for outputs."""
    generator = torch.Generator().manual_seed(1)
    return [torch.empty_like(y, requires_grad=False).normal_(generator=generator) for y in tensors]


def steps(compute, targets, optimizer, count):
    """Losses of some steps of training; `compute()` gives the outputs."""
    losses = []
    for _ in range(count):
        loss = sum(((y - t) ** 2).mean() for y, t in zip(compute(), targets, strict=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def trained_on(module, example, imported, rate):
    """Train a module for two steps of AdamW, then both it and its imported network for five.

    Returns the losses of both in these five steps, the network, and the optimizers of both.
    """
    targets = targets_like(outputs(module.eval(), example))
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, eps=1e-4, weight_decay=0.1)
    steps(lambda: outputs(module, example), targets, optimizer, 2)
    net = lower(imported.parameters.load(imported.graph, module.state_dict()), dtype=torch.float64).train()
    theirs = imported.parameters.optimizer_for(net, module, optimizer)
    x = imported.to_inputs(example)
    wanted = steps(lambda: outputs(module, example), targets, optimizer, 5)
    found = steps(lambda: imported.from_outputs(net(x)), targets, theirs, 5)
    return np.array(found), np.array(wanted), net, optimizer, theirs


def assert_close(found, wanted, allowed=1e-9):
    """Equal to `allowed` of the largest number of each tensor, or of 1."""
    assert len(found) == len(wanted)
    for one, two in zip(found, wanted, strict=True):
        one, two = (np.asarray(part.detach() if isinstance(part, torch.Tensor) else part) for part in (one, two))
        np.testing.assert_allclose(one, two, rtol=0, atol=allowed * max(1.0, float(np.abs(two).max(initial=0))))
