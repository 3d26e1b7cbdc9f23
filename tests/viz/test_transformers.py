"""Every picture takes transformers: changes, films, plots and notebooks; a picture of layers never grows with depth."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from pictures import arrow, attribute, inside, item, transformer

import netgraph as ng
from netgraph.rewriting import Draft
from netgraph.viz import (
    draw,
    draw_delta,
    plot_adjacency,
    plot_degrees,
    plot_paths,
    plot_receptive_fields,
    plot_tau_core,
    plot_weights,
    timeline,
)
from netgraph.viz.themes import LIGHT


@pytest.fixture(scope="module")
def widened() -> Draft:
    """Three more vertices in the MLP of the second of five blocks."""
    graph = transformer(5)
    chosen = [graph.layers["block2-hidden"].id]
    return ng.draft(ng.rules.WidenLayer(count=3), graph, on=chosen, rng=0)


def test_a_change_of_one_block_is_shown_with_its_neighbours(widened: Draft) -> None:
    dot = draw_delta(widened, detail="layers").dot
    layer = widened.graph.layers["block2-hidden"].id
    assert inside(item(dot, f"layer {layer}")) == ["block2-hidden", "+3 vertices", "8 vertices kept", "gelu"]
    shown = {int(i) for i in re.findall(r'^\s*"layer (\d+)" \[', dot, re.M)}
    names = {widened.graph.layer(i).name for i in shown}
    assert {"block2-norm2", "block2-hidden", "block2"} <= names
    assert len(names) < 30
    assert "… 3 alike blocks left out …" in dot


def test_changes_name_heads_ports_and_shapes() -> None:
    old = transformer()
    rw = ng.Rewriter(old, np.random.default_rng(0))
    rw.set_merge(rw.graph.layers["block1-heads"], ng.Attend(0.5))
    graph, _delta = rw.commit()
    dot = draw_delta(old, graph, detail="layers").dot
    heads = graph.layers["block1-heads"].id
    box = item(dot, f"layer {heads}")
    assert inside(box) == ["block1-heads", "2 heads kept", "attention"]
    assert attribute(box, "shape") == "hexagon"
    wires = arrow(dot, f"layer {graph.layers['block1-q'].id}", f"layer {heads}")
    assert inside(wires) == ["queries, 4 wires kept"]
    assert "1 layer changed" in dot
    assert "1 layer changed" in draw_delta(old, graph, detail="vertices").dot


@pytest.mark.parametrize("detail", ["layers", "vertices"])
def test_a_film_of_a_transformer_has_all_layers(detail: Any, widened: Draft) -> None:
    film = timeline([transformer(5), widened.graph], detail=detail)
    assert [caption.layers for caption in film.film.captions] == [widened.graph.num_layers] * 2
    assert film.film.captions[1].edges - film.film.captions[0].edges == 3 * 2 * 4
    assert '"role":"position"' in film.html
    (names,) = re.findall(r"for \(const name of \[(.*?)\]\)", film.html, re.DOTALL)
    assert set(re.findall(r'"([\w-]+)"', names)) == LIGHT.keys()


def test_a_film_of_many_blocks_shows_the_neighbours_of_a_change() -> None:
    start = transformer(12)
    chosen = [start.layers["block9-hidden"].id]
    grown = ng.draft(ng.rules.WidenLayer(count=3), start, on=chosen, rng=0).graph
    names = {layer.name for layer in timeline([start, grown], detail="layers").film.layers}
    assert len(names) == 60
    assert {"block9-norm2", "block9-hidden", "block9"} <= names


def test_notebooks_show_transformers_and_their_rewrites(widened: Draft) -> None:
    assert draw(widened.graph).svg == widened.graph._repr_svg_()  # type: ignore[attr-defined]
    assert "WidenLayer" in widened._repr_html_()  # type: ignore[attr-defined]


@pytest.mark.parametrize("gated", [False, True])
def test_plots_take_transformers(gated: bool) -> None:
    graph = transformer(2, gated=gated)
    image = plot_adjacency(graph).images[0].get_array()
    sources = [layer for layer in graph.layers.values() if layer.role != "output"]
    targets = [layer for layer in graph.layers.values() if not layer.is_source]
    assert image.shape == (sum(map(len, sources)), sum(map(len, targets)))
    assert float(image.sum()) == len(graph.edges)
    assert "position (4 vertices" in str([text.get_text() for text in plot_degrees(graph).axes[1].get_legend().texts])
    assert plot_weights(graph, by="link").get_title() == f"Weights of {graph.num_edges:,} trainable edges"
    for plot in (plot_paths, plot_tau_core):
        plot(graph)
    assert plot_receptive_fields(graph).axes


@pytest.mark.parametrize("blocks", [3, 40])
def test_pictures_of_layers_have_few_boxes_however_deep(blocks: int) -> None:
    dot = draw(transformer(blocks), detail="layers").dot
    assert len(re.findall(r'^\s*"(?:layer|left out from layer) \d+" \[', dot, re.M)) == 16
