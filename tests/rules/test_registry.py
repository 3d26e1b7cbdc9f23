"""Rules by name: a rule that is defined and registered outside of the package does all that a shipped one does."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import Phase, find, settings
from toy_rule import FreezeSmall

import compilers.testing
import netgraph as ng
from benchmarks import dyadic, pages
from netgraph.app import rule_table
from netgraph.app.listing import print_rule
from netgraph.rewriting import load_delta, save_delta
from netgraph.rules import RULES, register_rule, variants
from netgraph.testing import check_rule, graphs, rewrites, rules

NAME = "freeze-small"


@pytest.fixture
def toy():
    """The rule under its name, for one test."""
    yield register_rule(NAME)(FreezeSmall)
    RULES.remove(NAME)


@pytest.fixture
def graph():
    graph = ng.mlp([3, 4, 2], domain=(0, 1), dtype=np.float64)
    return graph.with_weights(graph.edges.weight * (graph.edges.id % 2))


def test_it_is_found_applied_and_explained(toy, graph):
    result = ng.apply(toy(), graph, require="exact")
    assert len(result.matches) == len(ng.find(toy(), graph)) == np.count_nonzero(graph.edges.weight == 0)
    assert result.graph.edges.frozen[graph.edges.weight == 0].all()
    assert "small" in str(ng.explain(toy(), graph))


def test_its_journal_and_its_delta_are_read_back(toy, graph, tmp_path):
    result = ng.apply(toy(below=0.25), graph)
    journal = ng.Journal.create(tmp_path / "journal", graph)
    journal.append(result, before=graph, epoch=1)
    ((entry, last),) = journal.replay()
    assert (entry.rule, last.topology_hash) == ("FreezeSmall", result.graph.topology_hash)
    save_delta(result.delta, tmp_path / "delta.safetensors")
    again, _delta = ng.rewriting.apply_delta(graph, load_delta(tmp_path / "delta.safetensors"))
    assert again.equals(result.graph)
    ng.save(result.graph, tmp_path / "graph.safetensors")
    assert ng.load(tmp_path / "graph.safetensors").equals(result.graph)


def test_it_passes_the_checks_of_rules_and_those_that_need_tensors(toy):
    for variant, rule in variants():
        if type(rule) is toy:
            check_rule(rule, max_examples=5)
            compilers.testing.check_rule(rule, max_examples=2, checks=compilers.testing.COMPILER_CHECKS)
            assert not variant.bitwise or dyadic.compare(rule, 5, 0).graphs == 5


def test_strategies_draw_it_with_its_choices(toy):
    def first(strategy, condition):
        many = settings(max_examples=3000, database=None, derandomize=True, phases=(Phase.generate,))
        return find(strategy, condition, settings=many)

    for below in (0.0, 0.25):
        assert first(rules(), lambda rule, below=below: rule == toy(below=below))
    assert first(graphs(exact=False).flatmap(rewrites), lambda result: result.rule.name == toy.__name__)


def test_the_command_line_and_the_pages_list_it(toy, capsys):
    from rich.console import Console

    assert dict(rule_table.rows())["freeze edges of weight 0"]["dense"].proved == "exact"
    print_rule(NAME, Console(width=120))
    printed = capsys.readouterr().out
    assert "freeze-small (`toy_rule.FreezeSmall`)" in printed
    assert "Largest magnitude that is small" in printed
    row = "| `FreezeSmall` (`freeze-small`) | Set small weights to 0, and freeze their edges | exact at weight 0;"
    assert row in pages.rule_list()


def test_a_rule_without_variants_is_shown_with_its_defaults(monkeypatch):
    @dataclass(frozen=True)
    class Plain(ng.Rule):
        pattern = ng.edge("e")

        def rewrite(self, m, rw):
            rw.remove(m.e)

    monkeypatch.setattr("netgraph.rules.registry.RULES", {"plain": Plain})
    ((variant, rule),) = variants()
    assert (variant.title, rule) == ("plain", Plain())


def test_names_are_unique_and_rules_are_made_without_arguments(toy):
    assert register_rule(NAME)(toy) is toy
    with pytest.raises(ng.errors.OptionError, match="There is a rule 'add-edges' already; give this one another name"):
        register_rule("add-edges")(toy)
    with pytest.raises(ng.errors.OptionError, match="give a class of rules, a subclass of Rule"):
        register_rule("toy")(toy())

    @dataclass(frozen=True)
    class Needs(ng.Rule):
        count: int
        pattern = ng.edge("e")

        def rewrite(self, m, rw):
            rw.remove(m.e)

    with pytest.raises(ng.errors.OptionError, match="Needs cannot be registered as 'needs', since it needs count"):
        register_rule("needs")(Needs)


def test_the_list_of_rules_needs_no_test_package():
    code = "import sys, netgraph.rules; print(sorted({'hypothesis', 'torch', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
