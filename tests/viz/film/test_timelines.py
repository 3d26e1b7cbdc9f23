"""What a film knows of each step, against the graphs of the journal."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from ported import as_stored
from timeline_runs import ladder, trained

from netgraph.errors import JournalError, OptionError
from netgraph.graph import GraphBuilder, mlp, resnet
from netgraph.markup import json_script
from netgraph.rewriting import apply
from netgraph.rules import AddEdges, SplitEdges, WidenLayer
from netgraph.storage.graphs import save
from netgraph.viz import timeline
from netgraph.viz.film.scene import make_scene


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    return ladder(tmp_path_factory.mktemp("runs") / "ladder")


def graphs_of(journal):
    return [journal.first(), *(graph for _, graph in journal.replay())]


def data_of(html):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S).group(1))


# ---- who is there when --------------------------------------------------------------------------------


def test_vertices_and_edges_of_each_step_are_those_of_the_replayed_graph(journal):
    film, graphs = timeline(journal, detail="vertices").film, graphs_of(journal)
    assert len(film.captions) == len(graphs) == len(journal) + 1
    for step, graph in enumerate(graphs):
        for lives, table in ((film.vertices, graph.vertices), (film.edges, graph.edges)):
            rows = lives.alive(step)
            assert sorted(lives.ids[rows].tolist()) == sorted(table.id.tolist())
            new, going = lives.states(rows, step, film.final)
            then = (graphs[step - 1].vertices if table is graph.vertices else graphs[step - 1].edges).id
            assert set(lives.ids[rows[new]].tolist()) == (
                set(table.id.tolist()) - set(then.tolist()) if step else set()
            )
            if step < film.final:
                after = (graphs[step + 1].vertices if table is graph.vertices else graphs[step + 1].edges).id
                gone = set(table.id.tolist()) - set(after.tolist())
                assert set(lives.ids[rows[going]].tolist()) == gone - set(lives.ids[rows[new]].tolist())
            else:
                assert not going.any()


def test_edges_join_the_vertices_that_they_join_in_the_graph(journal):
    film, graphs = timeline(journal, detail="vertices").film, graphs_of(journal)
    for step, graph in enumerate(graphs):
        rows = film.edges.alive(step)
        order = graph.edges.find(film.edges.ids[rows])
        assert (film.vertices.ids[film.edges.source[rows]] == graph.edges.source[order]).all()
        assert (film.vertices.ids[film.edges.target[rows]] == graph.edges.target[order]).all()


def test_layers_count_what_comes_and_goes(journal):
    film, graphs = timeline(journal, detail="layers").film, graphs_of(journal)
    assert film.vertices is None
    for step, graph in enumerate(graphs):
        for track in film.widths:
            layer = graph.layers_by_id.get(film.layers[track.ends[0]].id)
            assert track.counts[step, 0] == (len(layer) if layer else 0)
        assert sum(track.counts[step, 0] for track in film.links) == len(graph.edges)
        before = graphs[step - 1].edges.id if step else graph.edges.id
        assert sum(track.counts[step, 1] for track in film.links) == (~np.isin(graph.edges.id, before)).sum()
        after = graphs[step + 1].edges.id if step < film.final else graph.edges.id
        assert sum(track.counts[step, 2] for track in film.links) == (~np.isin(graph.edges.id, after)).sum()


def test_what_comes_back_lives_twice():
    small = mlp([2, 2])
    large = apply(SplitEdges(), small, limit=1).graph
    film = timeline([small, large, small]).film
    counts = [len(film.edges.alive(step)) for step in range(3)]
    assert counts == [len(small.edges), len(large.edges), len(small.edges)]
    assert sorted(film.vertices.ids[film.vertices.alive(2)].tolist()) == small.vertices.id.tolist()
    rows = film.edges.alive(2)
    assert film.edges.states(rows, 2, 2)[0].sum() == len(small.edges) - np.isin(small.edges.id, large.edges.id).sum()


def test_two_links_between_the_same_layers_are_counted_together():
    b = GraphBuilder()
    b.input("x", 3)
    b.layer("h", 3)
    b.output("y", 1)
    b.dense("x", "h")
    b.identity("x", "h", port=1)
    b.dense("h", "y")
    graph = as_stored(b)
    film = timeline([graph], detail="layers").film
    assert [track.counts[0].tolist() for track in film.links] == [[12, 0, 0], [3, 0, 0]]
    assert film.frozen
    assert not any(track.wires for track in film.links)
    assert timeline([graph], detail="vertices").film.edges.wire.sum() == 3


def test_links_of_wires_say_so():
    film = timeline([resnet(8, width=2, input_size=(3, 8, 8))], detail="layers").film
    wires = [track for track in film.links if track.wires]
    assert film.frozen
    assert {int(track.counts[0, 0]) for track in wires} == {2, 4, 8}
    assert not timeline([mlp([2, 2])]).film.frozen


def test_exchanged_edges_are_new_and_going():
    start = mlp([3, 3])
    without = start.edges.where(start.edges.id != 0)
    links = [_kept(k, without.id) for k in start.links]
    thin = type(start)(start.layers.values(), links, next_ids=start.next_ids)
    again = apply(AddEdges(), thin).graph
    film = timeline([start, thin, again], detail="layers").film
    assert film.links[0].counts.tolist() == [[9, 0, 1], [8, 0, 0], [9, 1, 0]]


def _kept(link, ids):
    from dataclasses import replace

    inside = np.isin(link.id, ids)
    return replace(link, **{name: values[inside] for name, values in link.columns.items()})


# ---- weights ------------------------------------------------------------------------------------------


def test_weights_are_those_before_the_next_rewrite(journal):
    film = timeline(journal, detail="vertices").film
    edges = film.edges
    for step in range(film.final):
        graph = journal.before(step + 1)
        rows = edges.alive(step)
        weights = graph.edges.weight[graph.edges.find(edges.ids[rows])].astype(float)
        shown = edges.levels(rows, step) / 127 * edges.largest
        assert np.abs(shown - np.clip(weights, -edges.largest, edges.largest)).max() <= edges.largest / 127 + 1e-9
        assert (np.sign(shown) == np.sign(weights)).all()


def test_the_last_step_has_the_weights_of_the_final_graph(tmp_path):
    journal = ladder(tmp_path / "run")
    last = trained(graphs_of(journal)[-1], 99)
    untrained = timeline(journal).film.edges
    save(last, tmp_path / "run" / "graph.safetensors")
    film = timeline(journal).film
    rows = film.edges.alive(film.final)
    weights = last.edges.weight[last.edges.find(film.edges.ids[rows])]
    assert (np.sign(film.edges.levels(rows, film.final)) == np.sign(weights)).all()
    assert not np.array_equal(untrained.weights, film.edges.weights)


def test_a_final_graph_of_another_topology_is_not_used(tmp_path):
    journal = ladder(tmp_path / "run")
    before = timeline(journal).film.edges.weights
    save(mlp([2, 2]), tmp_path / "run" / "graph.safetensors")
    assert np.array_equal(timeline(journal).film.edges.weights, before)


def test_of_many_edges_the_largest_and_all_new_ones_are_drawn():
    start = mlp([60, 60, 2])
    wide = apply(WidenLayer(count=5), start, limit=1).graph
    film = timeline([start, wide]).film
    rows = film.edges.alive(1)
    new, going = film.edges.states(rows, 1, 1)
    levels = np.abs(film.edges.levels(rows, 1).astype(int))
    drawn = ~new & ~going & (levels >= film.edges.threshold[1])
    assert 1300 < drawn.sum() <= 1500 < (~new).sum()
    assert levels[drawn].min() > levels[~new & ~drawn].max()
    assert new.sum() == 5 * 62


def test_weights_of_long_films_are_kept_for_some_steps_only(monkeypatch):
    monkeypatch.setattr("netgraph.viz.film.film._MOST_WEIGHTS", 40)
    graphs = [trained(mlp([3, 3]), seed) for seed in range(10)]
    edges = timeline(graphs).film.edges
    assert edges.stride == 3
    assert len(edges.weights) == 9 * 4
    for step in range(10):
        at = graphs[step - step % 3].edges
        rows = edges.alive(step)
        assert (np.sign(edges.levels(rows, step)) == np.sign(at.weight[at.find(edges.ids[rows])])).all()


# ---- which detail -------------------------------------------------------------------------------------


def test_small_networks_show_vertices_and_large_ones_layers():
    assert timeline([mlp([10, 10])]).film.vertices is not None
    assert timeline([mlp([700, 3])]).film.vertices is None
    assert timeline([mlp([10, 10])], detail="layers").film.vertices is None


def test_too_much_to_show_one_by_one_is_refused_or_shown_as_layers():
    # Few at a time, too many in all: every step has other edges.
    others = [mlp([150, 120], seed=k) for k in range(3)]
    shifted = [
        type(g)([*g.layers.values()], [_renumbered(k, 20_000 * at) for k in g.links]) for at, g in enumerate(others)
    ]
    with pytest.raises(OptionError, match=r"at most 40,000 edges .* there were 54,000\. Use detail='layers'"):
        timeline(shifted, detail="vertices")
    assert timeline(shifted).film.vertices is None


def _renumbered(link, by):
    from dataclasses import replace

    return replace(link, id=link.id + by)


def test_of_many_layers_those_that_change_are_shown():
    start = mlp([2] * 80)
    wide = apply(WidenLayer(count=1), start, limit=1).graph
    film = timeline([start, wide], detail="layers").film
    names = [layer.name for layer in film.layers]
    assert len(names) == 60
    assert names[0] == "input"
    assert names[-1] == "output"
    widened = [name for name, layer in wide.layers.items() if len(layer) == 3]
    assert set(widened) <= set(names)
    assert film.notes == ("20 of 80 layers, those that change least, are left out.",)


@pytest.mark.parametrize(
    ("given", "options", "text"),
    [
        ([], {}, "at least one"),
        (3, {}, "not int"),
        ([mlp([1, 1]), 5], {}, "Step 1 of a timeline needs a Graph, not 5"),
        ([mlp([1, 1])], {"detail": "layer"}, "Did you mean 'layers'"),
        ([mlp([6, 1])], {"pixels": (2, 2)}, "no input layer has so many vertices"),
        ([mlp([900, 1])], {"pixels": (2, 2)}, "no input layer has so many vertices"),
    ],
)
def test_wrong_arguments(given, options, text):
    with pytest.raises(OptionError, match=text):
        timeline(given, **options)


def test_a_directory_without_a_journal(tmp_path):
    with pytest.raises(JournalError, match="is this a run directory"):
        timeline(tmp_path)


# ---- places -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("portrait", [False, True])
def test_nothing_overlaps_and_all_is_inside(journal, portrait):
    film = timeline(journal).film
    scene = make_scene(film, portrait=portrait)
    x, y, w, h = scene.boxes.T
    assert (x - w / 2 >= 0).all()
    assert (x + w / 2 <= scene.width).all()
    assert (y - h / 2 >= 0).all()
    assert (y + h / 2 <= scene.height).all()
    for a in range(len(x)):
        for b in range(a):
            assert abs(x[a] - x[b]) >= (w[a] + w[b]) / 2 or abs(y[a] - y[b]) >= (h[a] + h[b]) / 2
    own = scene.boxes[film.vertices.layer]
    assert (np.abs(scene.points - own[:, :2]) <= own[:, 2:] / 2).all()
    distance = np.hypot(*(scene.points[:, None] - scene.points).T)
    assert distance[~np.eye(len(distance), dtype=bool)].min() > 2 * scene.radius


@pytest.mark.parametrize("portrait", [False, True])
def test_pixels_stand_as_an_image(portrait):
    film = timeline([mlp([12, 2])], pixels=(3, 4)).film
    points = make_scene(film, portrait=portrait).points[film.vertices.layer == 0]
    ids = film.vertices.ids[film.vertices.layer == 0]
    x, y = points[np.argsort(ids)].T
    assert len({round(v, 3) for v in y[:4]}) == 1  # the first row of the image is a row
    assert (np.diff(x[:4]) > 0).all()
    assert (np.diff(y[::4]) > 0).all()


@pytest.mark.parametrize("sizes", [[2, 2], [4, 3, 2], [6, 6]])
def test_small_networks_are_no_thin_strip(sizes):
    scene = make_scene(timeline([mlp(sizes)]).film, portrait=False)
    x, y, wide, high = scene.boxes.T
    order = np.argsort(x)
    gaps = (x - wide / 2)[order][1:] - (x + wide / 2)[order][:-1]
    assert gaps.max() <= max(200, 1.6 * high.max()) + 1e-6
    assert (x - wide / 2).min() == pytest.approx(scene.width - (x + wide / 2).max())
    assert high.max() > 40 * max(sizes)
    assert (y + high / 2).max() <= scene.height


def test_links_bend_only_around_layers_that_are_there():
    small = mlp([4, 2])
    film = timeline([small, apply(SplitEdges(), small, limit=2).graph]).film
    scene = make_scene(film, portrait=False)
    assert scene.crests(film, 0) == {}
    (crest,) = scene.crests(film, 1).values()
    assert crest < (scene.boxes[:, 1] - scene.boxes[:, 3] / 2).min()


@pytest.mark.parametrize("detail", ["vertices", "layers"])
def test_one_layer_alone_has_a_place(detail):
    b = GraphBuilder()
    b.input("x", 2)
    b.output("y", 1)
    scene = make_scene(timeline([b.build()], detail=detail).film, portrait=False)
    assert np.isfinite(scene.boxes).all()


# ---- the page as text ---------------------------------------------------------------------------------


def test_the_page_names_no_address_and_is_small(journal):
    html = timeline(journal).html
    assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]", html)
    assert '<link rel="icon" href="data:,">' in html
    assert len(html) < 100_000


def test_things_stand_in_the_page_once_however_many_steps_there_are():
    graph = mlp([200, 50])  # 10,000 edges
    few, many = timeline([graph] * 2), timeline([graph] * 40)
    weights = data_of(many.html)["edges"]["weights"]
    assert len(many.html) - len(few.html) < len(weights) + 20_000
    layers = [len(timeline([mlp([700, 300])] * n).html) for n in (2, 40)]
    assert layers[1] - layers[0] < 10_000


def test_json_cannot_end_its_script():
    text = "</script><!--\u2028\u2029&\x00\n'\""
    written = json_script({"a": text})
    assert json.loads(written) == {"a": text}
    assert not set("<>&\u2028\u2029") & set(written)


@pytest.mark.parametrize("key", ["", "1a", "a b", 'a"', "a<", "a.b", "é"])
def test_keys_that_are_no_ids(key):
    with pytest.raises(OptionError, match="letters, digits"):
        timeline([mlp([1, 1])]).fragment(key)


def test_fragment_is_a_section_with_its_key():
    html = timeline([mlp([1, 1])]).fragment("first-film")
    assert html.startswith('<section class="netgraph-timeline" id="first-film"')
    assert "#first-film {" in html
    assert "data-alone>" not in html


def test_save_page(tmp_path):
    film = timeline([mlp([1, 1])])
    film.save(tmp_path / "growth.HTML")
    assert (tmp_path / "growth.HTML").read_text(encoding="utf-8") == film.html
    with pytest.raises(OptionError, match=r"growth\.mp4' ends in neither \.html nor \.gif"):
        film.save(tmp_path / "growth.mp4")


def test_without_jinja_it_says_what_to_install(monkeypatch):
    import sys

    from netgraph.viz.film import page

    page._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(OptionError, match=r"pip install 'netgraph-growth\[viz\]'"):
        _ = timeline([mlp([1, 1])]).html
