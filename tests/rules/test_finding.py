"""Rules are found by name, file and module; what is missing or broken is named with its line and the remedy."""

import sys
import textwrap
from dataclasses import dataclass

import pytest
from nested_pytest import forget
from toy_rule import FreezeSmall

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.rules import SplitEdges, examples_of, find_rules, load_module, rules_of, split_target

TEXT = """
from dataclasses import dataclass
import netgraph as ng
from netgraph.rules import AddEdges
from other import HERE

@dataclass(frozen=True)
class Grow(ng.Rule):
    count: int
    pattern = ng.edge("e")
    def rewrite(self, m, rw): ...

class Cut(ng.Rule):
    pattern = ng.edge("e")
    def rewrite(self, m, rw): ...

class Half(ng.Rule):
    pattern = ng.edge("e")

FEW = Grow(count=2)
number = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_found.py").write_text(TEXT)
    (tmp_path / "other.py").write_text("HERE = 1\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    before = {*sys.modules}
    yield tmp_path
    forget(tmp_path, before)


def error(target):
    with pytest.raises(OptionError) as caught:
        find_rules(target)
    return str(caught.value)


def test_a_file_has_its_own_rules_and_instances_take_the_place_of_their_class(folder):
    found = find_rules("my_found.py")
    assert [*found] == ["Cut", "FEW"]
    assert found["FEW"].count == 2
    assert found == find_rules("my_found") == find_rules(str(folder / "my_found.py"))
    assert find_rules("my_found.py:Grow")["Grow"] is type(found["FEW"])
    module = load_module("my_found.py")
    assert [*rules_of(module, imported=True)] == ["AddEdges", "Cut", "FEW"]


def test_a_known_name_is_found_and_split_into_its_file(folder):
    assert find_rules("split-edges") == {"split-edges": SplitEdges}
    path, name = split_target("split-edges")
    assert (path.name, name) == ("split_edges.py", "SplitEdges")
    assert split_target("my_found.py:Cut") == (folder / "my_found.py", "Cut")
    assert split_target("my_found:Cut") == (folder / "my_found.py", "Cut")


def test_a_file_of_a_package_is_a_module_of_it(folder):
    inner = folder / "src" / "my_pack" / "deep"
    inner.mkdir(parents=True)
    for home in (inner, inner.parent):
        (home / "__init__.py").write_text("")
    (inner.parent / "base.py").write_text("import netgraph as ng\nPATTERN = ng.edge('e')\n")
    text = "import netgraph as ng\nfrom ..base import PATTERN\nclass A(ng.Rule):\n    pattern = PATTERN\n"
    (inner / "rules.py").write_text(f"{text}    def rewrite(self, m, rw): ...\n")
    (inner / "__init__.py").write_text("from .rules import A\n")
    assert find_rules("src/my_pack/deep/rules.py")["A"].__module__ == "my_pack.deep.rules"
    assert [*find_rules("my_pack.deep")] == ["A"]
    assert split_target("my_pack.deep.rules") == (inner / "rules.py", "")


def test_two_files_of_one_name_are_two_modules_and_no_library_is_hidden(folder):
    for home in ("one", "two"):
        (folder / home).mkdir()
        (folder / home / "random.py").write_text(
            TEXT.replace("from other import HERE", "").replace("FEW", home.upper())
        )
    one, two = (find_rules(f"{home}/random.py") for home in ("one", "two"))
    assert ([*one], [*two]) == (["Cut", "ONE"], ["Cut", "TWO"])
    assert hasattr(sys.modules["random"], "shuffle")


def test_what_is_not_there_is_named_with_the_nearest(folder):
    assert "There is no file 'my_fond.py'. Did you mean 'my_found.py'?" in error("my_fond.py")
    assert "There is no module 'no.where'; install its package" in error("no.where:A")
    assert "Unknown rule 'splt-edges'. Did you mean 'split-edges'?" in error("splt-edges")
    assert "A rule of your own is named by its file, as in my_rules.py:MyRule" in error("splt-edges")
    assert "Unknown rule 'Cat'. Did you mean 'Cut'? Known: Cut, FEW. It was looked for in my_found.py." in error(
        "my_found.py:Cat"
    )
    assert "number of my_found.py is no rule but 3; give a class below netgraph.Rule" in error("my_found.py:number")
    assert "Half of my_found.py cannot be used as a rule, since it has no rewrite" in error("my_found.py:Half")
    assert "other.py has no rule; a rule is a class below netgraph.Rule" in error("other.py")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n\ny = x +\n", "broken.py:3: SyntaxError: invalid syntax: 'y = x +'"),
        (
            "\nimport nowhere_at_all\n",
            "broken.py:2: ModuleNotFoundError: No module named 'nowhere_at_all'; the line",
        ),
        ("import other\nother.GONE\n", "broken.py:2: AttributeError: module 'other' has no attribute 'GONE'"),
    ],
)
def test_an_import_that_fails_is_named_with_its_line(folder, text, said):
    (folder / "broken.py").write_text(text)
    message = error("broken.py")
    assert message.startswith("broken.py cannot be imported: ")
    assert said in message
    assert message.endswith("Mend it and try again.")
    (folder / "broken.py").write_text(textwrap.dedent(TEXT))
    assert [*find_rules("broken.py")] == ["Cut", "FEW"], "once mended, it is imported"


def test_examples_are_variants_or_defaults_and_needed_values_are_named():
    @dataclass(frozen=True)
    class Needs(FreezeSmall):
        count: int = 0

    assert examples_of(FreezeSmall) == [FreezeSmall(), FreezeSmall(below=0.25)]
    assert examples_of(FreezeSmall(below=2.0)) == [FreezeSmall(below=2.0)]

    @dataclass(frozen=True)
    class Bare(ng.Rule):
        count: int
        pattern = ng.edge("e")

        def rewrite(self, m, rw): ...

    with pytest.raises(OptionError, match=r"Bare needs count: .* such as EXAMPLE = Bare\(count=\.\.\.\)\."):
        examples_of(Bare)
