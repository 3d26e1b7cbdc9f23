"""`netgraph check`: a table of checks, proved claims and counterexamples as code; and errors that name the remedy."""

import re
import sys

import pytest
from installed_rules import enter
from nested_pytest import forget

from netgraph.app import rule_table
from netgraph.rules import RULES
from netgraph.testing import RULE_CHECKS, to_code

FILE = '''
from __future__ import annotations
from dataclasses import dataclass
import netgraph as ng

@dataclass(frozen=True)
class Base(ng.Rule):
    """Add edges.

    Attributes:
        weight: weight of a new edge.
        count: a number that only one rule needs.
    """
    weight: float = 0.0
    pattern = ng.missing_edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        for g in m.by("port"):
            rw.connect(g.p, g.c, weight=self.weight, tap=g.e.tap, port=int(g.e.port[0]))

    def claim(self, m):
        return "exact"
'''
STATISTICS = '''
import numpy as np
import netgraph as ng

class ByGradient(ng.Rule):
    """Halve edges with a gradient."""
    pattern = ng.edge("e")
    def where(self, m, stats):
        if stats is None:
            raise ng.errors.StatisticsError("ByGradient needs statistics")
        return stats.edge("mean_abs_gradient")[m.e.rows] > 0
    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)

def ones(graph):
    return ng.Statistics(graph.topology_hash, edges={"mean_abs_gradient": np.ones(len(graph.edges))})
'''
FEW = ("--examples", 3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adding.py").write_text(FILE)
    before, known = {*sys.modules}, {*RULES}
    yield tmp_path
    forget(tmp_path, before)
    for name in {*RULES} - known:
        RULES.remove(name)


def test_a_right_rule_passes_and_its_proofs_are_counted(folder, call):
    code, out, err = call("check", "adding.py", *FEW, "--seed", 2)
    assert (code, err) == (0, "")
    for check in RULE_CHECKS:
        assert check.__name__ in out
    assert "claims exact: proved on 3 of 3 graphs" in out
    assert re.search(r"\d+ matches rewritten on 3 graphs; \d+ more graphs were drawn, on which it has no match", out)
    assert out.endswith("Base: every check passed")


def test_a_wrong_rule_fails_with_code_that_builds_the_graph(folder, capsys):
    from netgraph.app.cli import main

    assert main(["check", "adding.py:Base", "--set", "weight=2", "--kinds", "dense,skip", "--examples", "5"]) == 1
    out = capsys.readouterr().out
    assert "Base(weight=2.0)" in out
    assert re.search(r"check_function_preserved +│ failed", out)
    assert "Base: failed: check_claim_equals_certificate, check_function_preserved" in out
    code = out.split("On the graph:\n\n")[1].split("Applied with")[0]
    built = {}
    exec(re.sub("^    ", "", code, flags=re.MULTILINE), built)
    assert to_code(built["graph"]).strip() == re.sub("^    ", "", code, flags=re.MULTILINE).strip()


def test_all_rules_of_a_file_are_checked_and_one_that_fails_decides(folder, call):
    (folder / "two.py").write_text("from adding import Base\nRIGHT = Base()\nWRONG = Base(weight=1.0)\n")
    code, out, _err = call("check", "two.py", *FEW)
    assert code == 1
    assert "Base: every check passed" in out
    assert out.endswith("1 of 2 rules have passed every check.")


def test_statistics_come_from_a_function(folder, call, monkeypatch):
    monkeypatch.setattr("netgraph.testing.planting.MAX_TRIALS", 20)  # of graphs on which it has a match
    (folder / "graded.py").write_text(STATISTICS)
    code, out, _err = call("check", "graded.py", *FEW, "--stats", "graded.py:ones")
    assert (code, "claims nothing: proved" in out) == (0, True)
    code, out, _err = call("check", "graded.py", *FEW)
    assert code == 1
    assert "find_a_match" in out
    assert "StatisticsError: ByGradient needs statistics" in out
    assert "--kinds chooses the kinds of graphs and --stats the statistics" in out


def test_known_and_installed_names_are_rules_too(folder, call, monkeypatch):
    enter(monkeypatch, freeze_small="toy_rule:FreezeSmall", gone="no_such_module:Rule")
    monkeypatch.setattr(rule_table, "GRAPHS", {"dense": rule_table.GRAPHS["dense"]})
    assert call("check", "freeze-small", *FEW)[0] == 0
    code, out, _err = call("rules")
    assert code == 0
    for text in ("of other packages: freeze-small (my-rules 1.2)", "freeze small edges", "The rule 'gone' of"):
        assert text in out
    assert "freeze-small (`toy_rule.FreezeSmall`)" in call("rules", "freeze-small")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ading.py",), "There is no file 'ading.py'. Did you mean 'adding.py'?"),
        (("needs.py",), "Needs needs count: give every field a default, or its module an instance to test, such as "
         "EXAMPLE = Needs(count=...). On the command line: needs.py:Needs --set count=VALUE."),
        (("needs.py:Needs", "--set", "weight=1"), "Needs needs count: needs.py:Needs --set count=VALUE."),
        (("needs.py:Needs", "--set", "count=many"), "count='many' is not a whole number."),
        (("two.py", "--set", "weight=1"), "--set is for one rule, but two.py has A, B; name one, as in two.py:A."),
        (("adding.py", "--examples", 0), "examples=0"),
        (("adding.py", "--kinds", "dens"), "Unknown kind of graph 'dens'. Did you mean 'dense'?"),
        (("adding.py", "--stats", "adding.py:nothing"), "--stats 'adding.py:nothing' names no function"),
        (("broken.py",), "broken.py:2: NameError: name 'ngg' is not defined; the line is 'ngg.edge'"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_refused_with_the_remedy(folder, call, arguments, said):
    (folder / "needs.py").write_text(
        "from dataclasses import dataclass\nimport adding\n@dataclass(frozen=True, kw_only=True)\n"
        "class Needs(adding.Base):\n    count: int\n"
    )
    (folder / "two.py").write_text("import adding\nA = adding.Base()\nB = adding.Base(weight=1.0)\n")
    (folder / "broken.py").write_text("import netgraph\nngg.edge\n")
    code, _out, err = call("check", *arguments)
    assert code == 2
    assert said in err
