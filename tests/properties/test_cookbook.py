"""Rules of the cookbook: each is short, keeps the laws of rewriting, and has a certificate and a picture."""

import re
import runpy
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import settings

from benchmarks import cookbook
from benchmarks.pictures import IMAGES, pictures
from netgraph.testing import check_rule

FILES = sorted(cookbook.FOLDER.glob("*.py"))
EXAMPLES = max(4, settings.default.max_examples // 10)
LINES = 25


def test_the_page_has_every_rule():
    shown = re.findall(r"^<!-- code: examples/cookbook/(\w+)\.py rule -->$", cookbook.PAGE.read_text(), re.MULTILINE)
    assert sorted(shown) == [path.stem for path in FILES]
    assert len(cookbook.recipes()) >= 7


@pytest.mark.parametrize("path", cookbook.recipes(), ids=lambda path: path.stem)
def test_a_rule_is_short(path):
    assert cookbook.lines(path) <= LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_rule_keeps_the_laws_and_its_claim(path):
    module = cookbook.load(path)
    result = module.example()
    assert result.certificate.satisfies(result.rule.claim(result.matches))
    check_rule(result.rule, graphs=getattr(module, "GRAPHS", None), max_examples=EXAMPLES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_example_runs_and_draws_the_picture_of_the_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    for picture in pictures(tmp_path):
        assert (IMAGES / picture.name).is_file(), f"python -m benchmarks.pictures {path.stem}"
        assert ET.parse(picture).getroot().tag.endswith("svg")
    assert path.stem.endswith(cookbook.ONE_EDGE) or pictures(tmp_path)
