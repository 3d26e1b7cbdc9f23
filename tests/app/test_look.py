"""The command `netgraph look`."""

import pytest

import netgraph as ng
from netgraph.app.cli import main
from netgraph.viz import explore


@pytest.fixture
def file(tmp_path):
    graph = ng.mlp([3, 4, 2], domain=(0, 1))
    ng.save(graph, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_a_graph_gets_a_page_beside_its_file(file, capsys):
    assert main(["look", str(file)]) == 0
    assert (file.parent / "net.html").read_text() == explore(file).html
    assert "page in " in capsys.readouterr().out


def test_two_graphs_and_a_rule(file, tmp_path):
    other = ng.apply(ng.rules.PruneEdges(below=0.2), ng.load(file)).graph
    ng.save(other, tmp_path / "other.safetensors")
    out = tmp_path / "both.html"
    command = ["look", str(file), "--beside", str(tmp_path / "other.safetensors"), "--rule", "prune-edges"]
    assert main([*command, "--set", "below=0.2", "--out", str(out)]) == 0
    rule = ng.rules.PruneEdges(below=0.2)
    assert out.read_text() == explore(file, beside=tmp_path / "other.safetensors", rule=rule).html


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing"], "There is no 'missing'"),
        (["FILE", "--set", "below=1"], "name the rule with --rule"),
        (["FILE", "--rule", "prune-edgs"], "prune-edges"),
        (["FILE", "--out", "page.txt"], "does not end in .html"),
    ],
)
def test_bad_input_is_refused(file, capsys, words, message):
    assert main(["look", *[str(file) if word == "FILE" else word for word in words]]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
