"""Code in the docs is included from examples, which the tests run; what the docs show is what the code prints."""

import importlib
import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test

import compilers.testing
import netgraph.graph
import netgraph.rewriting
import netgraph.testing
from netgraph.app.rule_table import markdown

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


def python_blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def example(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_included_sections_exist():
    included = 0
    for page in PAGES:
        for path, section in re.findall(r'^--8<-- "([^":]+):(\w+)"$', page.read_text(), flags=re.MULTILINE):
            text = (ROOT / path).read_text()
            assert f"--8<-- [start:{section}]" in text, f"{page.name} includes {path}:{section}"
            assert f"--8<-- [end:{section}]" in text, f"{page.name} includes {path}:{section}"
            included += 1
    assert included >= 30


def test_python_blocks_of_the_docs_are_included_not_pasted():
    for page in PAGES:
        for block in python_blocks(page):
            assert block.startswith('--8<-- "examples/'), f"{page.name} has code of its own: {block[:60]!r}"


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().split("nav:")[1]
    assert sorted(re.findall(r": (\w+\.md)$", navigation, flags=re.MULTILINE)) == [page.name for page in PAGES]


def test_the_code_of_the_readme_runs(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)  # where dataclasses look up annotations
    blocks = python_blocks(ROOT / "README.md")
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), vars(module))
    assert capsys.readouterr().out.startswith("exact: no output changes, because ")
    assert module.before.equals(module.graph)
    assert (tmp_path / "delta.svg").read_text().startswith("<svg")


# -- pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem not in ("api", "glossary")], ids=lambda page: page.stem)
def test_every_page_has_a_picture_or_code_that_runs(page):
    text = page.read_text()
    assert re.search(r"^!\[.+\]\(images/\S+\)", text, re.MULTILINE) or python_blocks(page)


@pytest.mark.parametrize("page", ["index", "tutorial", "rules", "sparse", "visualising", "gallery"])
def test_pages_about_growth_have_pictures(page):
    pictures = re.findall(r"!\[(.+?)\]\((images/\S+)\)", (ROOT / "docs" / f"{page}.md").read_text())
    assert pictures
    for text, path in pictures:
        assert len(text) > 4, f"{path} needs a text for those who do not see it"
        assert (ROOT / "docs" / path).is_file()


def test_every_picture_is_shown():
    pages = [*PAGES, ROOT / "README.md"]
    text = "".join(page.read_text() for page in pages)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert f"images/{picture.name}" in text, f"{picture.name} is on no page"


def test_the_gallery_has_every_example():
    text = (ROOT / "docs" / "gallery.md").read_text()
    listed = re.findall(r"^`examples/(\w+)\.py`", text, re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    assert len(re.findall(r"^!\[", text, re.MULTILINE)) >= 5


TERMS = {
    "vertex", "edge", "layer", "link", "tap", "rule", "match", "rewrite", "delta", "certificate", "criterion", "budget",
    "trigger", "lower", "lift", "migrate", "plan", "kernel", "density", "graph", "port", "wire", "domain", "id", "part",
    "journal", "statistics", "method", "phase", "topology", "birth", "exact", "bounded", "condition", "pattern",
    "claim",
}  # fmt: skip


def test_the_glossary_has_every_term_once_with_an_explanation():
    entries = re.findall(r"^\*\*(.+)\*\*\n:   (.+)", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    names = [name.lower() for name, _ in entries]
    assert len(set(names)) == len(names)
    assert set(names) >= TERMS
    assert all(text.endswith(".") or len(text) > 60 for _, text in entries)


def test_the_pages_use_the_words_of_the_glossary():
    other = re.compile(r"\b(neurons?|synaps\w+|mutations?|mutat\w+)\b", re.IGNORECASE)
    for page in PAGES:
        assert not other.search(page.read_text()), page.name


def test_the_tutorial_counts_the_checks():
    assert f"runs {number(len(netgraph.testing.RULE_CHECKS))} checks" in (ROOT / "docs" / "tutorial.md").read_text()


# -- rules -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [netgraph.graph.EdgeTable, netgraph.graph.VertexTable])
def test_every_column_of_a_table_is_listed(table):
    text = (ROOT / "docs" / "rules.md").read_text()
    section = text.split("## Ids and rows\n")[1].split("\n## ")[0]
    rows = section.split(f"<!-- columns: {table.__name__} -->\n\n")[1].split("\n\n")[0]
    listed = set(re.findall(r"`(\w+)(?:\(name\))?`", "".join(re.findall(r"^\| (.*?) \|", rows, re.MULTILINE))))
    name = f"graph.{'edges' if table is netgraph.graph.EdgeTable else 'vertices'}"
    others = set(re.findall(rf"`{name}\.(\w+)", section))
    public = {name for name in vars(table) if not name.startswith("_")}
    assert listed | others >= public - {"find"}
    assert listed <= public


def test_every_choice_and_edit_of_a_rewriter_is_listed():
    section = (ROOT / "docs" / "rules.md").read_text().split("## What a rewriter can do\n")[1].split("\n## ")[0]
    first = "".join(re.findall(r"^\| (.*?) \|", section, re.MULTILINE))
    public = {name for name in vars(netgraph.rewriting.Rewriter) if not name.startswith("_")}
    assert set(re.findall(r"`(\w+)\(", first)) == public - {"delta", "commit"}


# -- proofs ------------------------------------------------------------------------------------------


def test_the_table_of_rules_is_the_one_that_is_printed():
    text = (ROOT / "docs" / "proofs.md").read_text()
    shown = text.split("<!-- rules -->\n")[1].split("<!-- /rules -->")[0]
    assert shown == markdown(), "paste the output of `netgraph rules --markdown` between the markers"


# -- property testing --------------------------------------------------------------------------------


def test_the_counterexample_that_is_shown_is_the_one_that_is_reported():
    text = (ROOT / "docs" / "property_testing.md").read_text()
    shown = text.split("<!-- report -->\n```text\n")[1].split("```")[0]
    assert " ".join(shown.split()) in " ".join(example("property_test").report().split())


def test_the_pasted_graph_is_written_as_it_was_reported():
    own = example("property_test")
    source = (ROOT / "examples" / "property_test.py").read_text()
    pasted = source.split("def counterexample():\n")[1].split("    return graph")[0]
    code = netgraph.testing.to_code(own.counterexample()).replace("import numpy as np\n", "")
    assert pasted.replace('"', "'").replace("    ", "") == code


def test_every_check_is_listed():
    text = (ROOT / "docs" / "property_testing.md").read_text()
    rows = re.findall(r"^\| `(check_\w+)` \|", text, flags=re.MULTILINE)
    assert rows == [check.__name__ for check in compilers.testing.RULE_CHECKS]
    assert f"{number(len(netgraph.testing.RULE_CHECKS))} checks" in (ROOT / "README.md").read_text()


def number(n):
    return {11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen"}[n]


def test_the_example_has_tests_of_hypothesis():
    own = example("property_test")
    found = [name for name in vars(own) if name.startswith("test_") and is_hypothesis_test(getattr(own, name))]
    assert len(found) >= 3


# -- reference ---------------------------------------------------------------------------------------


def directives():
    """(dotted name, members or None) of everything that the reference includes."""
    text = (ROOT / "docs" / "api.md").read_text()
    parts = re.findall(r"^::: (\S+)((?:\n    .*)*)", text, flags=re.MULTILINE)
    result = []
    for name, options in parts:
        members = re.search(r"members: \[(.*)\]", options)
        result.append((name, None if members is None else members.group(1).split(", ")))
    return result


def resolve(name):
    """A module, or an attribute of one, by its dotted name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize(("name", "members"), directives(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_the_reference_names_exists(name, members):
    target = resolve(name)
    for member in members or ():
        assert hasattr(target, member), f"{name}.{member}"
        # The page would show the module of that name, which says nothing, in place of what is exported under it.
        hidden = hasattr(target, "__path__") and importlib.util.find_spec(f"{name}.{member}") is not None
        assert not hidden, f"give {name}.{member}.{member} a line of its own"


@pytest.mark.parametrize("name", ["rules", "proof", "rewriting", "testing", "viz", "analysis"])
def test_what_is_exported_is_in_the_reference(name):
    package = importlib.import_module(f"netgraph.{name}")
    listed = {path.rpartition(".")[2] for path, _ in directives()}
    for path, members in directives():
        listed |= set(members or ()) if path == f"netgraph.{name}" else set()
    missing = {n for n in package.__all__ if not n.startswith(("check_", "MAX_")) and not n.endswith("Rows")}
    assert missing - listed - {"Meddle", "Entry", "Stamp", "PathMeasure"} == set()
