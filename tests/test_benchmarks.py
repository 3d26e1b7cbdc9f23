"""Searches for wrong proofs on a few graphs, the peer of optimizers, and the benchmark beside gromo without gromo."""

from functools import partial
from importlib.metadata import PackageNotFoundError

import pytest
import torch

from benchmarks import peers, soundness
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


def test_without_gromo_the_benchmark_beside_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["peers"])
    monkeypatch.setattr(peers.metadata, "version", lambda name: (_ for _ in ()).throw(PackageNotFoundError(name)))
    with pytest.raises(SystemExit, match="make bench-peers"):
        peers.main()


def test_netgraph_networks_beside_gromo_are_as_large_as_those_of_torch_and_grow():
    for ours, theirs in ((peers.netgraph_stack, peers.torch_stack), (peers.netgraph_graph, peers.SkipNet)):
        assert sum(p.numel() for p in ours().parameters()) == sum(p.numel() for p in theirs().parameters())
    batch = torch.randn(4, 784), torch.randint(10, (4,))
    run = peers.Run.of(peers.netgraph_stack())
    run.step(batch)
    for grow in (partial(peers.netgraph_random, None), peers.netgraph_informed):
        before = run.net(batch[0])
        run = grow(run, [batch])
        torch.testing.assert_close(run.net(batch[0]), before)
        run.step(batch)
    assert [len(layer) for layer in run.net.graph.layers.values()] == [784, 320, 120, 10]
