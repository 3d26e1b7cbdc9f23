"""Operations and densities of transformers: counts by hand."""

import numpy as np
import pytest
from tiny_transformer import tiny

import netgraph as ng
from netgraph.analysis import admissible_edges, density, forward_flops, sparse_links


def names(graph, keys):
    return {(graph.layer(a).name, graph.layer(b).name) for a, b, _port in keys}


def test_a_block_has_the_operations_counted_by_hand():
    t, d, heads, slots, channels, hidden = 5, 8, 2, 3, 4, 16
    graph = tiny(tokens=t, width=d, heads=heads, slots=slots, channels=channels, hidden=hidden, head="tokens")
    table = t * d + t * d  # one row of ids at each token, and one row of positions
    weights = d * (heads * slots * 2 + heads * channels) + heads * channels * d + d * hidden * 2 + d * 2
    attention = 2 * t * t * heads * slots + 2 * t * t * heads * channels
    assert forward_flops(graph) == table + 2 * t * weights + attention


def test_a_block_of_a_vision_transformer_has_the_known_number():
    """ViT-Tiny: 197 tokens, width 192, 3 heads of 64; attention is 2 T^2 d multiply-adds of its 107.9 million."""
    t, d = 197, 192
    graph = tiny(
        tokens=t, width=d, heads=3, slots=64, channels=64, hidden=4 * d, ids=False, positions=False, head="tokens"
    )
    multiply_adds = t * (4 * d * d + 8 * d * d) + 2 * t * t * d + t * (5 * d + 2 * d)
    assert forward_flops(graph) == 2 * multiply_adds


def test_gates_count_one_product_per_position():
    plain, gated = (tiny(hidden=6, gated=gated, head="tokens") for gated in (False, True))
    assert forward_flops(gated) - forward_flops(plain) == 2 * 3 * 4 * 6 + 3 * 6


def test_rows_of_a_thinned_table_count_by_their_mean():
    b = ng.GraphBuilder()
    b.input("x", 4, grid=(3,), encoding="index")
    b.output("y", 2, grid=(3,))
    b.edges("x", "y", [0, 0, 1, 2, 3], [0, 1, 1, 0, 0], weight=1.0)
    assert forward_flops(b.build()) == 2 * 3
    assert forward_flops(b.build(), dense=b.build().links_by_key) == 2 * 3


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("ids", [False, True])
def test_values_their_readers_and_mlps_may_be_sparse(gated, ids):
    graph = tiny(gated=gated, ids=ids)
    inner = {("norm1", "v"), ("mix", "attended"), ("mlp", "out")} | (
        {("norm2", "gate"), ("norm2", "up")} if gated else {("norm2", "mlp")}
    )
    assert names(graph, sparse_links(graph)) == inner
    assert names(graph, sparse_links(graph, head=True)) == inner | {("token", "y")}


def test_density_is_that_of_the_links_that_may_be_sparse():
    graph = tiny()
    cells = 4 * 4 + 4 * 4 + 4 * 6 + 6 * 4
    assert admissible_edges(graph, sparse_links(graph)) == cells
    weights = [k for k in graph.links if graph.layer(k.target).name in ("v", "q")]
    few = ng.draft(ng.rules.PruneEdges(below=None), graph, on=np.concatenate([k.id[:8] for k in weights])).graph  # fmt: skip  # noqa: E501
    assert density(few, sparse_links(few)) == (cells - 8) / cells
