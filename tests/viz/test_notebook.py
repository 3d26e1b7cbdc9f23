"""What notebooks show: well-formed, nothing of a name becomes markup, the numbers are right, and it stays small."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import netgraph as ng
from compilers import lower
from netgraph import Statistics
from netgraph.errors import OptionError
from netgraph.methods import METHODS, get_method
from netgraph.proof import Certificate
from netgraph.rewriting import Explanation

NASTY = "</td><script>alert(1)</script>&\"'\n\x00"
SVG = "{http://www.w3.org/2000/svg}"
SHOWN = NASTY.replace("\x00", "�")


def parsed(value):
    """(rows of cells of the tables, captions), after checking that texts stay texts."""
    html = value._repr_html_()
    root = ET.fromstring(html)
    for picture in root.findall(f"{SVG}svg"):
        assert NASTY not in "".join(picture.itertext())
        root.remove(picture)
    html = ET.tostring(root, encoding="unicode")
    allowed = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert {element.tag for element in root.iter()} <= allowed
    assert "color" not in html  # that of the page around it, light or dark
    rows = [[cell.text or "" for cell in row] for row in root.iter("tr")]
    return rows, [caption.text for caption in root.iter("caption")]


def nasty_graph():
    b = ng.GraphBuilder(seed=0)
    b.input(NASTY, 3, domain=(0, 1))
    b.layer(f"{NASTY}2", 4)
    b.output("y", 2)
    b.dense(NASTY, f"{NASTY}2")
    b.dense(f"{NASTY}2", "y")
    return b.build()


# -- matches and rewrites ----------------------------------------------------------------------------


def test_matches_of_edges_show_ids_layers_and_weights():
    graph = nasty_graph()
    m = ng.find(ng.rules.SplitEdges(), graph)
    rows, captions = parsed(m)
    assert captions == ["20 matches, the first 10"]
    assert rows[0] == ["e.id", "e.weight", "p.id", "layer of p", "c.id", "layer of c"]
    assert len(rows) == 11
    for row, e, w, p, c in zip(rows[1:], m.e.id, m.e.weight, m.p.id, m.c.id, strict=False):
        assert row == [str(e), f"{w:.4g}", str(p), SHOWN, str(c), f"{SHOWN}2"]


def test_matches_of_every_pattern_are_shown():
    b = ng.GraphBuilder(seed=0)
    b.input("x", 2, grid=(4, 4), domain=(0, 1))
    b.layer("a", 3, grid=(4, 4))
    b.output("y", 2)
    b.conv2d("x", "a", kernel=3, padding=1, density=0.7)
    b.conv2d("a", "y", kernel=4)
    graph = b.build()
    rules = {
        "edge": ng.rules.SplitEdges(),
        "missing edge": ng.rules.AddEdges(),
        "layer": ng.rules.WidenLayer(),
        "vertex": ng.rules.PruneVertices(only_dead=False),
        "link": ng.rules.InsertLayer(),
        "missing link": ng.rules.AddSkip(),
    }
    seen = {name: parsed(ng.find(rule, graph)) for name, rule in rules.items()}
    assert seen["edge"][0][0] == ["e.id", "e.tap", "e.weight", "p.id", "layer of p", "c.id", "layer of c"]
    assert seen["missing edge"][0][0] == ["e.tap", "p.id", "layer of p", "c.id", "layer of c"]
    assert seen["layer"][0][1:] == [["a", "3"]]
    assert [row[1] for row in seen["vertex"][0][1:]] == ["a"] * 3
    assert seen["link"][0][1] == [str(len(graph.links["x", "a"])), "x", "2", "a", "3"]
    assert ["x", "2", "y", "2"] in seen["missing link"][0]


def test_no_matches():
    rows, captions = parsed(ng.find(ng.rules.PruneEdges(below=0.0), ng.mlp([2, 2])).take(np.empty(0, int)))
    assert captions == ["0 matches"]
    assert len(rows) == 1


def test_a_result_shows_sizes_before_and_after_what_changed_and_the_certificate():
    graph = ng.mlp([6, 4, 3], domain=(0, 1))
    result = ng.apply(ng.rules.SplitEdges(cross="none"), graph, limit=5)
    rows, captions = parsed(result)
    assert captions == ["SplitEdges: 5 matches, 31 skipped", "rewrite 1"]
    assert ["vertices", "13", str(result.graph.num_vertices)] in rows
    assert ["edges", "36", "41"] in rows
    assert ["edges", "10", "5", "0", ""] in rows
    assert ["layers", "1", "0", "0", f"+ {result.graph.layer(result.delta.layers_added[0].id).name}"] in rows
    assert ["certificate", "exact"] in rows


def test_a_result_without_a_match_shows_why():
    result = ng.apply(ng.rules.SplitEdges(signed="refuse"), ng.mlp([2, 2], domain=(-1, 1)))
    rows, captions = parsed(result)
    assert ET.fromstring(result._repr_html_()).text == "SplitEdges: nothing matched"
    assert captions == ["SplitEdges"]
    assert ["edges", "4"] in rows
    assert "nearest miss: edge " in result._repr_html_()


def pictures(value):
    return ET.fromstring(value._repr_html_()).findall(f"{SVG}svg")


def test_results_on_small_graphs_are_drawn_as_well():
    small = ng.mlp([6, 4, 3], domain=(0, 1))
    result = ng.apply(ng.rules.SplitEdges(), small, limit=2)
    (picture,) = pictures(result)
    assert "SplitEdges" in "".join(picture.itertext())
    large = ng.mlp([60, 4, 3], domain=(0, 1))
    assert pictures(ng.apply(ng.rules.SplitEdges(), large, limit=2, probe=None)) == []
    assert pictures(ng.apply(ng.rules.PruneEdges(below=0.0), small)) == []
    nasty = ng.apply(ng.rules.SplitEdges(), nasty_graph(), limit=2)
    parsed(nasty)
    assert not any("script" in element.tag for element in pictures(nasty)[0].iter())


def test_results_are_shown_without_graphviz(monkeypatch):
    def absent(drawing):
        raise OptionError("no Graphviz")

    monkeypatch.setattr(ng.viz.Drawing, "svg", property(absent))
    result = ng.apply(ng.rules.SplitEdges(), ng.mlp([3, 2], domain=(0, 1)))
    assert pictures(result) == []
    assert ["certificate", "exact"] in parsed(result)[0]


def test_a_delta_names_layers_and_counts_values():
    graph = nasty_graph()
    pruned = ng.apply(ng.rules.PruneVertices(only_dead=False), graph, on=graph.layer(f"{NASTY}2").vertex_ids[:1]).delta
    rows, _ = parsed(pruned)
    assert ["vertices", "0", "1", "0", ""] in rows
    assert ["edges", "0", "5", "0", ""] in rows
    split = ng.apply(ng.rules.SplitVertices(), graph, limit=2).delta
    rows, captions = parsed(split)
    assert ["edges", "10", "0", "4", "4 of weight"] in rows
    assert captions == ["rewrite 1"]
    assert parsed(split.inverse())[1] == []


def test_a_funnel():
    explanation = ng.explain(ng.rules.PruneEdges(below=0.1), ng.mlp([10, 10], seed=0))
    rows, captions = parsed(explanation)
    assert captions == ["PruneEdges"]
    assert rows[1:] == [[name, f"{count:,}"] for name, count in explanation.stages]
    assert ET.fromstring(explanation._repr_html_())[0].tail == f"nearest miss: {explanation.nearest_miss}"
    nasty = Explanation(NASTY, ((NASTY, 3),), NASTY)
    assert parsed(nasty)[0][1] == [SHOWN, "3"]
    assert ET.fromstring(nasty._repr_html_())[0].tail == f"nearest miss: {SHOWN}"


def test_a_journal_has_a_row_per_rewrite(tmp_path, monkeypatch):
    monkeypatch.setattr("netgraph.viz.notebook.SHOWN_REWRITES", 3)
    graph = nasty_graph()
    journal = ng.Journal.create(tmp_path / "<b>", graph)
    assert parsed(journal)[1] == [f"0 rewrites in {tmp_path}/<b>"]
    for epoch in range(5):
        result = ng.apply(ng.rules.WidenLayer(count=1), graph, limit=1, probe=None)
        journal.append(result, before=graph, epoch=epoch)
        graph = result.graph
    rows, captions = parsed(journal)
    assert captions == [f"5 rewrites in {tmp_path}/<b>, the last 3"]
    assert len(rows) == 4
    assert rows[-1] == [
        "5", "4", "WidenLayer", "1", "+5 edges, +1 vertex", "3", str(graph.num_vertices), str(graph.num_edges),
        "exact",
    ]  # fmt: skip


# -- certificates and statistics ---------------------------------------------------------------------


def test_a_certificate_shows_level_reason_bound_and_measurement():
    graph = ng.mlp([6, 4, 3], domain=(0, 1), seed=1)
    bounded = ng.apply(ng.rules.PruneEdges(below=0.2), graph).certificate
    rows, _ = parsed(bounded)
    facts = dict(rows)
    assert facts["certificate"] == "bounded"
    assert float(facts["no output changes by more than"].split()[0]) >= bounded.bound
    assert facts["because"] == bounded.reason
    assert facts["for inputs"] == "input in [0, 1]"
    assert facts["measured"].startswith(f"{bounded.measured.change:.2g} (")
    assert facts["changes enter at"] == ", ".join(bounded.stopped)


@pytest.mark.parametrize(("kind", "bound"), [("exact", 0.0), ("bounded", 0.5), ("unknown", None)])
def test_a_certificate_takes_texts_literally(kind, bound):
    own = Certificate(kind, NASTY, bound, domain={NASTY: (0, np.inf)}, assumptions=(NASTY,), stopped=(NASTY,))
    rows, _ = parsed(own)
    facts = dict(rows)
    assert facts["certificate"] == kind
    assert facts["provided"] == facts["changes enter at"] == SHOWN
    assert facts["why not more" if kind == "unknown" else "because"] == SHOWN
    assert ("for inputs" in facts) == (kind != "unknown")
    assert "measured" not in facts


def test_statistics_show_ranges_and_missing_values():
    graph = ng.mlp([2, 3])
    edges = {
        "g": np.array([1.0, 2, 3, np.nan, 4, 5]),
        NASTY: np.full(6, np.nan),
        "wide": np.array([np.inf, -np.inf] * 3),
    }
    stats = Statistics(graph.topology_hash, edges, {"v": np.arange(5)}, 7, {("cross", "a", "b"): np.eye(2)}, 1234)
    rows, captions = parsed(stats)
    assert captions == [f"Statistics of topology {graph.topology_hash[:8]}, over 7 batches and 1,234 samples"]
    assert rows == [
        ["of", "name", "shape", "min", "mean", "max", "NaN"],
        ["edges", "g", "6", "1", "3", "5", "1"],
        ["edges", SHOWN, "6", "", "", "", "6"],
        ["edges", "wide", "6", "-inf", "nan", "inf", "0"],
        ["vertices", "v", "5", "0", "2", "4", "0"],
        ["moments", "cross a b", "2 x 2", "0", "0.5", "1", "0"],
    ]
    assert parsed(Statistics("abc"))[1] == ["Statistics of topology abc, over 0 batches and 0 samples"]


# -- methods and plans -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(METHODS))
def test_methods_show_their_options_and_parts(name):
    spec = get_method(name)
    rows, captions = parsed(spec)
    assert captions == [f"{name}: {spec.description}"]
    assert rows[1:] == [[option, str(value)] for option, value in vars(spec.make_options()).items()]
    method = spec.build(ng.mlp([8, 6, 4], domain=(0, 1)), spec.make_options()) if name == "ssonn" else None
    if method is not None:
        rows, captions = parsed(method)
        assert captions[0].startswith("ssonn: ")
        assert {row[1] for row in rows[1:]} == {type(part).__name__ for part in method.parts}


def test_a_plan_is_the_table_of_its_summary():
    net = lower(nasty_graph())
    rows, captions = parsed(net.plan)
    assert captions == [net.plan.summary().splitlines()[-1]]
    assert rows[0][:3] == ["layer", "kernel", "edges"]
    assert [row[0] for row in rows[1:]] == [f"{SHOWN}2", "y"]
    assert [row[2] for row in rows[1:]] == ["12", "8"]
    rows, _ = parsed(net)
    assert len(rows) == 3
    deep = lower(ng.mlp([1] * 61))
    rows, captions = parsed(deep.plan)
    assert captions[0].startswith("the first 50 of 60 blocks; ")
    assert len(rows) == 51


# -- size --------------------------------------------------------------------------------------------


def test_a_million_edges_are_shown_in_ten_rows():
    graph = ng.mlp([1000, 1000], domain=(0, 1))
    result = ng.apply(ng.rules.PruneEdges(below=None), graph, on=graph.edges.id[:900_000], probe=None)
    stats = Statistics(graph.topology_hash, {"g": graph.edges.weight})
    for value in (result.matches, result, result.delta, stats, ng.find(ng.rules.SplitEdges(), graph)):
        assert len(value._repr_html_()) < 10_000
    assert len(parsed(result.matches)[0]) == 11
