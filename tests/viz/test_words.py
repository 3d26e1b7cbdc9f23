"""Words of layers and links in pictures: heads, mixes, gates, positions, symbols and moved positions."""

from __future__ import annotations

import pytest
from pictures import residual, transformer

from netgraph.graph import Graph, GraphBuilder
from netgraph.viz.words import kind_lines, operation_names, port_line, size_line


def test_vertices_of_attention_are_heads_and_sources_count_symbols_and_positions() -> None:
    layers = transformer(gated=True).layers
    assert size_line(layers["block1-heads"]) == "2 heads on 4x4"
    assert size_line(layers["tokens"]) == "5 symbols at 4 positions"
    assert size_line(layers["positions"]) == "4 positions"
    assert size_line(layers["block1-gated"]) == "8 vertices on 4"
    assert size_line(layers["class"]) == "3 vertices"


def test_operations_name_merges_norms_activations_and_sources() -> None:
    layers = transformer(gated=True).layers
    assert operation_names(layers["block1-heads"]) == ("attention", "causal", "rotary")
    assert operation_names(transformer().layers["block1-heads"]) == ("attention", "causal")
    assert operation_names(layers["block1-mix"]) == ("mix",)
    assert operation_names(layers["block1-gated"]) == ("product",)
    assert operation_names(layers["block1-norm1"]) == ("layer norm", "identity")
    assert operation_names(layers["tokens"]) == ("index input",)
    assert operation_names(layers["positions"]) == ("positions",)
    assert operation_names(residual().layers["b"]) == ("relu", "max pool 4x4")


def test_ports_of_merges_have_names_and_the_port_of_a_sum_has_none() -> None:
    layers = transformer(gated=True).layers
    assert [port_line(layers["block1-heads"], port) for port in (0, 1)] == [["queries"], ["keys"]]
    assert [port_line(layers["block1-mix"], port) for port in (0, 1)] == [["heads"], ["values"]]
    assert [port_line(layers["block1-gated"], port) for port in (0, 1)] == [["gate"], ["value"]]
    assert port_line(layers["block1-q"], 0) == []


def moved(source: tuple[int, ...], target: tuple[int, ...], offset: int) -> Graph:
    b = GraphBuilder()
    b.input("x", 2, grid=source)
    b.output("y", 2, grid=target)
    b.place("x", "y", offset)
    return b.build()


@pytest.mark.parametrize(
    ("source", "target", "offset", "lines"),
    [
        ((17,), (), 0, ("position 0 of 17",)),
        ((17,), (), -16, ("position 16 of 17",)),
        ((4, 4), (17,), 1, ("to positions 1 to 16 of 17",)),
        ((), (17,), 0, ("to position 0 of 17",)),
        ((17,), (4, 4), -1, ("positions 1 to 16 of 17",)),
        ((2, 8), (16,), 0, ()),
        ((5,), (5,), 1, ("place +1",)),
    ],
)
def test_moved_positions_are_counted_from_0(
    source: tuple[int, ...], target: tuple[int, ...], offset: int, lines: tuple[str, ...]
) -> None:
    graph = moved(source, target, offset)
    (link,) = graph.links
    assert kind_lines(link, graph.layers["x"], graph.layers["y"]) == lines
