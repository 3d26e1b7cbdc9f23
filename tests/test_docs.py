"""Code in the docs is that of examples, which the tests run; what the docs show is what the code prints."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import types
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test

import compilers.testing
import netgraph.graph
import netgraph.rewriting
import netgraph.testing
from benchmarks import pages

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


def test_what_is_derived_is_what_stands_on_the_pages():
    texts = pages.derived()
    there = {path: path.read_text() for path in [*texts, *(ROOT / "docs" / "api").glob("*.md")] if path.is_file()}
    stale = [str(path.relative_to(ROOT)) for path in texts | there if texts.get(path) != there.get(path)]
    assert not stale, "run python -m benchmarks.pages"


def test_python_blocks_of_the_docs_are_regions_of_examples():
    shown = 0
    for page in PAGES:
        blocks = python_blocks(page)
        assert len(blocks) == len(pages.MARK.findall(page.read_text())), f"{page.name} has code of its own"
        shown += len(blocks)
    assert shown >= 30


def test_a_region_is_shown_without_its_indentation(tmp_path):
    path = tmp_path / "example.py"
    path.write_text("def f():\n    # region one\n    a = 1\n    if a:\n        b = 2\n    # endregion one\n")
    assert pages.region(path, "one") == "a = 1\nif a:\n    b = 2\n"
    with pytest.raises(ValueError, match="0 regions 'two'"):
        pages.region(path, "two")


def test_every_region_of_an_example_is_on_a_page():
    shown = {found for page in PAGES for found in pages.MARK.findall(page.read_text())}
    for path in (ROOT / "examples").glob("*.py"):
        for name in re.findall(r"# region (\w+)", path.read_text()):
            assert (f"examples/{path.name}", name) in shown, f"{path.name}: {name}"


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().split("nav:")[1]
    found = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(re.findall(r": (\S+\.md)$", navigation, flags=re.MULTILINE)) == sorted(found)


def test_the_code_of_the_readme_runs(monkeypatch, capsys):
    program, rule, call = python_blocks(ROOT / "README.md")
    exec(compile(program, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("exact: no output changes, because ")
    module = types.ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)  # where dataclasses look up annotations
    exec(compile(rule + call, "README.md", "exec"), vars(module))
    assert module.result.changed
    shown = call.split("# ")[1].removesuffix(" ...\n")
    assert capsys.readouterr().out.startswith(shown)


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) <= 5120
    assert max(map(len, text.splitlines())) <= 120
    for target in re.findall(r"\]\((?!https:)([^)#]+)", text):
        assert (ROOT / target).is_file(), target


def test_every_figure_of_the_readme_stands_in_the_results():
    table = (ROOT / "README.md").read_text().split("## Results\n\n")[1].split("\n\n")[0]
    rows = [row.split("|")[1:-1] for row in table.splitlines()[2:]]
    assert len(rows) == 6
    results = (ROOT / "docs" / "results.md").read_text()
    for _what, ours, peer in rows:
        for figure in re.findall(r"^\d[\d.]*", ours.strip()) + re.findall(r"^\d[\d.]*", peer.strip()):
            assert re.search(rf"\b{re.escape(figure)}\b", results), figure


# -- pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.stem not in ("glossary", "install")], ids=lambda page: page.stem
)
def test_every_page_has_a_picture_or_code_that_runs(page):
    text = page.read_text()
    assert re.search(r"^!\[.+\]\(images/\S+\)", text, re.MULTILINE) or python_blocks(page)


@pytest.mark.parametrize(
    "page", ["index", "tutorial", "rules", "sparse", "visualising", "gallery", "results", "take_away"]
)
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


def glossary():
    """(term, explanation) of every entry."""
    return re.findall(r"^\*\*(.+)\*\*\n:   (.+)", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)


def test_the_glossary_has_every_term_once_with_an_explanation():
    entries = glossary()
    names = [name.lower() for name, _ in entries]
    assert len(set(names)) == len(names)
    assert set(names) >= TERMS
    assert all(text.endswith(".") or len(text) > 60 for _, text in entries)


def test_a_name_belongs_to_one_class():
    found = defaultdict(list)
    for path in sorted(path for package in ("netgraph", "compilers") for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name.strip("_")].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not {name: places for name, places in found.items() if len(places) > 1}


def test_the_pages_use_the_words_of_the_glossary():
    other = re.compile(r"\b(neurons?|synaps\w+|mutations?|mutat\w+)\b", re.IGNORECASE)
    for page in PAGES:
        assert not other.search(page.read_text()), page.name


def test_the_tutorial_counts_the_checks():
    assert f"runs {number(len(netgraph.testing.RULE_CHECKS))} checks" in (ROOT / "docs" / "tutorial.md").read_text()


def test_what_contributing_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in re.findall(r"`make ([^`]+)`", text):
        assert set(command.split()) <= targets, command
    for module in re.findall(r"`python -m (benchmarks\.\w+)", text):
        assert importlib.util.find_spec(module), module
    paths = re.findall(r"`((?:netgraph|compilers|tests|docs|benchmarks)/[\w/.]*)`", text)
    assert all((ROOT / path).exists() for path in paths), paths
    assert max(map(len, text.splitlines())) <= 160


@pytest.mark.parametrize("word", ["networkx", "export", "onnx", "dataloader", "resume", "safetensors", "install"])
def test_words_that_are_looked_for_stand_in_headings(word):
    headings = [line for page in PAGES for line in page.read_text().splitlines() if line.startswith("#")]
    assert any(re.search(rf"\b{word}", line, re.IGNORECASE) for line in headings)


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


def test_tables_of_rules_are_those_that_are_printed():
    for page, name in (("proofs", "proofs"), ("rules", "rules")):
        text = (ROOT / "docs" / f"{page}.md").read_text()
        assert f"<!-- table: {name} -->\n{pages.TABLES[name]()}<!-- end -->" in text, "run python -m benchmarks.pages"


# -- property testing --------------------------------------------------------------------------------


def test_the_counterexample_that_is_shown_is_the_one_that_is_reported():
    text = (ROOT / "docs" / "property_testing.md").read_text()
    shown = text.split("<!-- report -->\n```text\n")[1].split("```")[0]
    # In a process of its own: Hypothesis prefers constants of the modules that are loaded, here those of other tests.
    command = [sys.executable, "-c", "import property_test; print(property_test.report())"]
    reported = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, check=True).stdout
    assert " ".join(shown.split()) in " ".join(reported.split())


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


def on_pages():
    """Dotted names in the directives of the pages of the reference, those of members with them."""
    for page in (ROOT / "docs" / "api").glob("*.md"):
        for name, options in re.findall(r"^::: (\S+)\n((?: {4}.*\n)+)", page.read_text(), re.MULTILINE):
            yield name
            yield from (f"{name}.{member}" for member in re.findall(r"\w+", options.partition("members:\n")[2]))


def resolve(name):
    """A module, or an attribute of one, by its dotted name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def test_every_package_that_exports_names_has_a_page():
    found = {module.__name__ for module in pages.public_modules()}
    for package in ("netgraph", "compilers"):
        for path in (ROOT / package).glob("*/__init__.py"):
            if "__all__" in path.read_text():
                assert f"{package}.{path.parent.name}" in found
    assert found >= {"netgraph", "compilers", "netgraph.errors", "netgraph.interpret", "netgraph.statistics"}


def test_every_public_name_is_in_the_reference():
    listed = {id(resolve(name)) for name in on_pages()}
    for module in pages.public_modules():
        for name in pages.exports(module):
            assert id(getattr(module, name)) in listed, f"{module.__name__}.{name}"


def test_a_member_is_not_hidden_by_a_module_of_its_name():
    for name in on_pages():
        home = getattr(resolve(name), "__module__", None) or ""
        package, _, member = name.rpartition(".")
        assert home == package or home.rpartition(".")[2] != member, f"the page would show the module {home}"
