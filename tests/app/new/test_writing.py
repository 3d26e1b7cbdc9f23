"""`netgraph new rule`: files that pass their own tests, ruff and mypy at once, and replace nothing."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import pytest
from nested_pytest import forget, run_pytest

from netgraph.app.new import write_rule
from netgraph.app.new.names import LONGEST, RuleNames
from netgraph.app.requests import NewRuleRequest, Start
from netgraph.errors import OptionError
from netgraph.rules import examples_of, find_rules
from netgraph.testing import RULE_CHECKS, examine_rule

ROOT = Path(__file__).parents[3]
LONG = "with-a-name-of-thirty-letters-"[: LONGEST - 1] + "x"
IDEA = "let every vertex with very many readers have fewer of them, by a copy that takes half of them over"
STARTS = get_args(Start)


@pytest.fixture(autouse=True)
def _imports_are_forgotten(monkeypatch, tmp_path_factory):
    """Rules are found in folders of a test, which no later one searches."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield
    forget(tmp_path_factory.getbasetemp(), before)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Rules of each pattern, alone and as packages, with short and long names: the folders by pattern and kind."""
    found = {}
    for pattern in STARTS:
        for package in (False, True):
            for name, idea in (("ab", ""), (LONG, IDEA)):
                folder = tmp_path_factory.mktemp("new") / "it"
                request = NewRuleRequest(name=name, out=folder, pattern=pattern, package=package, idea=idea)
                assert all(path.is_file() for path in write_rule(request).files)
                found[pattern, package, name] = folder
    return found


def ruff(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_the_linter_accepts_all_of_it(written):
    packages = [folder for (_, package, _), folder in written.items() if package]
    assert not ruff("check", "--no-cache", *packages)
    assert not ruff("format", "--no-cache", "--check", *packages)
    for folder in set(written.values()) - set(packages):
        assert not ruff("check", "--no-cache", "--isolated", "--select=E,F,W,B,UP", folder)
        assert not ruff("format", "--no-cache", "--isolated", "--check", folder)


@pytest.mark.long
def test_the_type_checker_accepts_all_of_it(written, tmp_path):
    for (_, package, _), folder in written.items():
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path)]
        command += [] if package else [path.name for path in folder.glob("*.py")]
        environment = {"MYPYPATH": f"{ROOT}:{folder}", "PATH": ""}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("pattern", STARTS)
def test_the_rule_keeps_every_law(written, pattern):
    folder = written[pattern, False, "ab"]
    (rule,) = examples_of(find_rules(f"{folder / 'ab.py'}:Ab")["Ab"])
    report = examine_rule(rule, max_examples=8)
    report.require_passed()
    assert [*report.claims()] == ["claims exact: proved on 8 of 8 graphs"]


def test_a_package_passes_its_own_tests(written):
    found = run_pytest(written["missing-edge", True, LONG], "--netgraph-examples=3")
    assert (found.code, len(found.passed)) == (0, len(RULE_CHECKS) + 2), found.text


def test_the_page_shows_the_picture_that_was_drawn(written):
    for (_, package, name), folder in written.items():
        module = RuleNames(name).module
        page, picture = ("docs/index.md", f"docs/{module}.svg") if package else (f"{module}.md", f"{module}.svg")
        text = (folder / page).read_text()
        assert f"({module}.svg)" in text
        assert ET.parse(folder / picture).getroot().tag.endswith("svg")
        for part in ("pip install .", "Publish", f"netgraph rules {name}") if package else ():
            assert part in (folder / "README.md").read_text()


def test_the_idea_is_the_first_sentence_everywhere(written):
    folder = written["edge", True, LONG]
    sentence = IDEA[0].upper() + IDEA[1:] + "."
    for file in (
        "README.md",
        "docs/index.md",
        "pyproject.toml",
        *(p.relative_to(folder) for p in folder.rglob("w*.py")),
    ):
        assert sentence in " ".join((folder / file).read_text().split()), file


@pytest.mark.parametrize("text", ["bend-edges", "bend_edges", "BendEdges", "Bend-edges"])
def test_a_name_is_read_in_every_spelling(text):
    names = RuleNames.of(text)
    assert (names.name, names.cls, names.module) == ("bend-edges", "BendEdges", "bend_edges")
    assert (names.distribution, names.package) == ("netgraph-bend-edges", "netgraph_bend_edges")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no name for a rule"),
        ("../up", "letters and digits in words joined by hyphens"),
        ("2-edges", "beginning with a letter"),
        ("x" * (LONGEST + 1), "at most 30 characters"),
        ("split-edges", "netgraph has a rule 'split-edges'. Give another one, such as my-split-edges"),
        ("SplitEdges", "netgraph has a rule 'split-edges'"),
        ("lambda", "'lambda' is a word of Python"),
        ("Graph", "Graph is a class of netgraph or of Python"),
        ("random", "there is a module 'random', which a file of this name would hide"),
    ],
)
def test_a_name_that_means_something_else_is_refused(text, said):
    with pytest.raises(OptionError, match=said.replace(".", r"\.")):
        RuleNames.of(text)


@pytest.mark.parametrize("idea", ["two\nlines", 'a "quote"', "a \\", " "])
def test_an_idea_is_one_plain_line(idea, tmp_path):
    with pytest.raises(OptionError, match="give one line without quotes and backslashes"):
        write_rule(NewRuleRequest(name="ab", out=tmp_path, idea=idea))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["ab.py", "test_ab.py", "ab.svg"])
def test_no_file_is_replaced_and_nothing_is_half_written(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(OptionError, match=f"{name}' exists already and is not replaced"):
        write_rule(NewRuleRequest(name="ab", out=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(OptionError, match="is not empty; choose another --out"):
        write_rule(NewRuleRequest(name="ab", out=tmp_path, package=True))
    with pytest.raises(OptionError, match="is a file; choose another --out"):
        write_rule(NewRuleRequest(name="ab", out=tmp_path / name))


def test_the_command_lists_files_and_the_next_steps(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {*sys.modules}
    code, out, _err = call("new", "rule", "CutThem", "--pattern", "vertex", "--package")
    assert code == 0
    assert "netgraph-cut-them/src/netgraph_cut_them/cut_them.py" in out
    assert out.endswith('next: cd netgraph-cut-them pip install -e ".[testing]" pytest netgraph check cut-them')
    assert not {name for name in {*sys.modules} - before if "cut_them" in name}
    code, _out, err = call("new", "rule", "CutThem", "--package")
    assert (code, "not empty" in err) == (2, True)
    assert call("new", "graph", "x")[0] == 2
