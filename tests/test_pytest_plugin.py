"""The plugin of pytest: a test for each rule and check, where it is asked for, and nothing elsewhere."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from nested_pytest import run_pytest

from netgraph.testing import RULE_CHECKS

ROOT = Path(__file__).parents[1]
NAMES = [check.__name__ for check in RULE_CHECKS]
RULES = '''
from dataclasses import dataclass
import netgraph as ng

@dataclass(frozen=True)
class Zero(ng.Rule):
    """Add missing edges of weight 0."""

    weight: float = 0.0
    pattern = ng.missing_edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        for g in m.by("port"):
            rw.connect(g.p, g.c, weight=self.weight, tap=g.e.tap, port=int(g.e.port[0]))

    def claim(self, m):
        return "exact"

class _Hidden(Zero): ...
'''
FEW = "--netgraph-examples=3"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "my_rules.py").write_text(RULES)
    return tmp_path


def write(folder, text, name="test_it.py"):
    (folder / name).write_text(textwrap.dedent(text))


def test_a_file_gives_a_test_for_each_rule_and_check_and_nothing_else(folder):
    write(folder, "def test_other(): pass")
    found = run_pytest(folder, "--netgraph-rules", "my_rules.py", FEW)
    assert found.passed == [f"my_rules.py::Zero::{name}" for name in NAMES]
    assert (found.code, len(found.tests)) == (0, len(NAMES))
    both = run_pytest(folder, "--netgraph-rules", "my_rules.py", FEW, "test_it.py")
    assert both.passed == ["test_it.py::test_other", *found.passed]


@pytest.mark.parametrize("target", ["my_rules.py:Zero", "my_rules:Zero", "my_rules"])
def test_one_rule_a_module_and_a_part_by_name(folder, target):
    found = run_pytest(folder, "--netgraph-rules", target, FEW, "-k", "Zero and (valid or ids)")
    assert found.passed == [f"my_rules.py::Zero::{name}" for name in NAMES[:2]]


def test_the_settings_name_rules_graphs_and_seed(folder):
    write(folder, "def test_other(): pass")
    write(folder, "[pytest]\nnetgraph_rules = my_rules.py\nnetgraph_examples = 2\nnetgraph_seed = 5\n", "pytest.ini")
    found = run_pytest(folder, "-k", "other or valid")
    assert found.passed == ["my_rules.py::Zero::check_valid_graph_after", "test_it.py::test_other"]


def test_a_mark_collects_the_rules_of_a_test_module(folder):
    write(
        folder,
        """
        import pytest
        from my_rules import Zero
        from netgraph.testing import check_deterministic, graphs

        dense = graphs(kinds="dense")
        pytestmark = pytest.mark.netgraph_rules(examples=2, seed=1, graphs=dense, checks=[check_deterministic])
        NEAR = Zero(weight=0.0)

        def test_own():
            assert NEAR.weight == 0
        """,
    )
    found = run_pytest(folder, "--strict-markers")
    assert found.passed == ["test_it.py::NEAR::check_deterministic", "test_it.py::test_own"], found.text


def test_a_failure_shows_the_counterexample_as_code(folder):
    write(folder, "from my_rules import Zero\nONE = Zero(weight=1.0)\n", "wrong.py")
    found = run_pytest(folder, "--netgraph-rules", "wrong.py", FEW)
    assert found.code == 1
    assert {*found.failures} == {
        f"wrong.py::ONE::check_{name}" for name in ("claim_equals_certificate", "function_preserved")
    }
    text = found.failures["wrong.py::ONE::check_function_preserved"]
    assert text.startswith("Zero(weight=1.0) fails check_function_preserved.")
    assert "    b = GraphBuilder(" in text
    assert "Traceback" not in text
    assert "search.py" not in found.text


def test_checks_of_a_rule_share_their_graphs(folder):
    write(
        folder,
        """
        from my_rules import Zero as Base
        made = []
        class Counted(Base):
            def rewrite(self, m, rw):
                made.append(len(m))
                super().rewrite(m, rw)
        """,
        "counted.py",
    )
    write(
        folder,
        "import counted\ndef pytest_unconfigure():\n    print('made', len(counted.made))\n",
        "conftest.py",
    )
    few = int(run_pytest(folder, "--netgraph-rules", "counted.py", FEW, "-k", "valid").text.split("made ")[1])
    assert few == 3, "only the check that was asked for has run, once on each graph"


def test_variants_have_tests_of_their_own(folder):
    text = """
    import netgraph as ng
    from my_rules import Zero
    class Two(Zero):
        variants = (ng.rewriting.Variant("none", {"weight": 0.0}), ng.rewriting.Variant("one", {"weight": 1.0}))
        def claim(self, m):
            return None
    """
    write(folder, text, "two.py")
    found = run_pytest(folder, "--netgraph-rules", "two.py", FEW, "-k", "ids")
    assert found.passed == [f"two.py::Two::check_ids_stable[{way}]" for way in ("defaults", "weight=1.0")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--netgraph-rules", "my_rule.py"], "There is no file '.*my_rule.py'. Did you mean 'my_rules.py'?"),
        (["--netgraph-rules", "my_rules.py:Zera"], "not found: .*my_rules.py::Zera"),
        (["--netgraph-rules", "empty.py"], "empty.py has no rule, no class below netgraph.Rule"),
        (["--netgraph-rules", "nowhere"], "Unknown rule 'nowhere'"),
        (["--netgraph-rules", "needs.py"], "Needs needs count: give every field a default, or its module an instance"),
        (["test_wrong_mark.py"], "pytest.mark.netgraph_rules has no example; it takes checks, claim, examples"),
    ],
)
def test_errors_name_the_remedy(folder, arguments, said):
    write(folder, "x = 1\n", "empty.py")
    write(folder, "from dataclasses import dataclass\nimport my_rules\n@dataclass(frozen=True, kw_only=True)\n"
                  "class Needs(my_rules.Zero):\n    count: int\n", "needs.py")  # fmt: skip
    write(folder, "import pytest\nfrom my_rules import Zero\npytestmark = pytest.mark.netgraph_rules(example=2)\n",
          "test_wrong_mark.py")  # fmt: skip
    found = run_pytest(folder, *arguments)
    assert found.code not in (0, 1)
    assert not found.tests
    assert re.search(said, " ".join(found.text.split())), found.text


def test_an_installed_name_is_a_target(folder):
    found = run_pytest(folder, "--netgraph-rules", "add-edges", FEW, "-k", "ids")
    assert [name.split("::")[1:] for name in found.passed] == [
        ["AddEdges", "check_ids_stable[defaults]"], ["AddEdges", "check_ids_stable[spread=0.1]"],
    ]  # fmt: skip


def test_where_it_is_not_asked_for_it_does_nothing(folder):
    write(folder, "from my_rules import Zero\ndef test_own(): pass\n")
    assert run_pytest(folder, "--strict-markers").passed == ["test_it.py::test_own"]


def test_pytest_loads_no_netgraph_and_no_numpy(tmp_path):
    code = (
        "import sys, pytest\n"
        "code = pytest.main(['-q', '-p', 'netgraph_pytest', '--collect-only', '-p', 'no:cacheprovider'])\n"
        "print(int(code), sorted({'numpy', 'netgraph', 'netgraph.testing'} & set(sys.modules)))\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-Werror", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "5 []"
