"""Rules of the cookbook: each is short, keeps the laws of rewriting, and has a certificate and a picture."""

import re
import runpy
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings

from benchmarks import cookbook
from benchmarks.pictures import IMAGES, pictures
from netgraph import apply
from netgraph.testing import check_rule

FILES = sorted(cookbook.FOLDER.glob("*.py"))
EXAMPLES = max(4, settings.default.max_examples // 10)
LINES = 25


def test_the_page_has_every_rule():
    shown = re.findall(r"^<!-- code: examples/cookbook/(\w+)\.py rule -->$", cookbook.PAGE.read_text(), re.MULTILINE)
    assert sorted(shown) == [path.stem for path in FILES if not path.stem.endswith(cookbook.ONE_EDGE)]
    assert len(cookbook.recipes()) >= 15


@pytest.mark.parametrize("path", cookbook.recipes(), ids=lambda path: path.stem)
def test_a_rule_is_short(path):
    assert cookbook.lines(path) <= LINES
    other = cookbook.one_edge(path)
    assert other is None or cookbook.lines(path) < cookbook.lines(other)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_rule_keeps_the_laws_and_its_claim(path):
    module = cookbook.load(path)
    result = module.example()
    assert result.certificate.satisfies(result.rule.claim(result.matches))
    check_rule(result.rule, graphs=drawn(path), max_examples=EXAMPLES)


@pytest.mark.parametrize("path", [path for path in FILES if cookbook.one_edge(path)], ids=lambda path: path.stem)
def test_both_forms_of_a_rule_do_the_same(path):
    one, other = (cookbook.load(form).example().rule for form in (path, cookbook.one_edge(path)))

    @settings(max_examples=EXAMPLES)
    @given(drawn(path))
    def same(graph):
        assert edges(apply(one, graph).graph) == edges(apply(other, graph).graph)

    same()


def drawn(path):
    """Strategy of graphs for both forms of a rule, or None for the default one."""
    return getattr(cookbook.load(path.with_name(path.name.replace(cookbook.ONE_EDGE, ""))), "GRAPHS", None)


def edges(graph):
    """Ends, taps and rounded weights of the edges, sorted."""
    table = graph.edges
    weight = table.weight.astype(float).round(5) + 0.0  # without -0
    return sorted(zip(*(c.tolist() for c in (table.source_row, table.target_row, table.tap, weight)), strict=True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_example_runs_and_draws_the_picture_of_the_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    for picture in pictures(tmp_path):
        assert (IMAGES / picture.name).is_file(), f"python -m benchmarks.pictures {path.stem}"
        assert ET.parse(picture).getroot().tag.endswith("svg")
    assert path.stem.endswith(cookbook.ONE_EDGE) or pictures(tmp_path)
