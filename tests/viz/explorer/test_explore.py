"""Pages of `explore`: files, notebooks, and what is refused."""

import pytest

import netgraph as ng
from netgraph.errors import OptionError, StatisticsError


def test_a_page_is_one_file_that_requests_nothing(tmp_path):
    page = ng.viz.explore(ng.mlp([3, 4, 2]), tmp_path / "net.html")
    text = (tmp_path / "net.html").read_text()
    assert text == page.html
    assert "default-src 'none'" in text
    assert 'src="http' not in text
    assert "<title>Network" in text
    assert repr(page) == "ExplorerPage('Network': network of 20 edges; .save('explore.html'))"


def test_notebooks_show_pages_in_frames_of_their_own():
    html = ng.viz.explore(ng.mlp([2, 1]))._repr_html_()
    assert html.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in html
    assert html.count("<") == 2, "the page is escaped"


def test_the_matches_of_a_rule_are_marked():
    graph = ng.mlp([3, 4, 2], domain=(0, 1))
    page = ng.viz.explore(graph, rule=ng.rules.PruneEdges(below=0.2))
    part = page.payload["highlights"]["parts"][0]
    found = ng.find(ng.rules.PruneEdges(below=0.2), graph)
    assert part["matches"]["shape"] == [len(found)]


def test_a_page_with_another_ending_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"net\.svg' does not end in \.html"):
        ng.viz.explore(ng.mlp([2, 1]), tmp_path / "net.svg")
    assert not list(tmp_path.iterdir())


def test_statistics_of_another_topology_are_refused():
    with pytest.raises(StatisticsError, match="collect them again"):
        ng.viz.explore(ng.mlp([2, 1]), stats=ng.Statistics("0" * 8))


@pytest.mark.extras
def test_a_widget_knows_what_is_chosen():
    widget = ng.viz.explore(ng.mlp([2, 1])).widget(height=300)
    assert widget.chosen is None
    assert widget.height == 300
    assert "payload" in widget.page
    heard = []
    widget.observe(lambda change: heard.append(change["new"]), "chosen")
    widget.chosen = {"kind": "edge", "id": 1, "graph": "network"}
    assert heard == [{"kind": "edge", "id": 1, "graph": "network"}]
