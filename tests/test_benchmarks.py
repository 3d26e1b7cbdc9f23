"""The search for wrong proofs, on a few graphs, and the peer of optimizers."""

import pytest
import torch

from benchmarks import soundness
from benchmarks.elementwise_adam import ElementwiseAdam


def test_no_difference_exceeds_its_bound():
    tally = soundness.Tally()
    soundness.run(60, 0, tally)
    assert tally.pairs >= 20
    assert {level for _, level in tally.levels} >= {"exact", "bounded"}
    assert 0 < tally.closest <= 1 + 1e-6


@pytest.mark.parametrize("decoupled", [False, True])
def test_step_counts_of_elements_that_are_all_alike_change_nothing(decoupled):
    start = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mine, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    stock = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizers = ElementwiseAdam([mine], weight_decay=0.1, decoupled=decoupled), stock([theirs], weight_decay=0.1)
    generator = torch.Generator().manual_seed(1)
    for k in range(40):
        if k == 20:
            optimizers = ElementwiseAdam.taking_over(optimizers[1], {theirs: torch.zeros(50).bool()}), optimizers[1]
            mine, theirs = theirs, torch.nn.Parameter(theirs.detach().clone())
            twin = stock([theirs], weight_decay=0.1)
            twin.state[theirs] = {key: value.clone() for key, value in optimizers[1].state[mine].items()}
            optimizers = optimizers[0], twin
        gradient = torch.randn(50, generator=generator, dtype=torch.float64)
        for parameter, optimizer in zip((mine, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
