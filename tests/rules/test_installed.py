"""Rules of other packages: listed by their entry points, imported when they are asked for, and never in the way."""

import pytest
from installed_rules import enter
from toy_rule import FreezeSmall

from netgraph.errors import OptionError
from netgraph.rules import RULES, SplitEdges, enter_installed_rules, get_rule, installed_rules


@pytest.fixture
def install(monkeypatch):
    """`install(name=value)` enters entry points of a package `my-rules 1.2`; rules are taken back after the test."""
    before = {*RULES}

    yield lambda **values: enter(monkeypatch, **values)
    for name in {*RULES} - before:
        RULES.remove(name)


def test_a_rule_is_imported_when_its_name_is_asked_for(install):
    (entry,) = install(freeze_small="toy_rule:FreezeSmall")
    assert installed_rules()["freeze-small"].home == "my-rules 1.2"
    assert (entry.loaded, "freeze-small" in RULES) == (0, False)
    assert get_rule("freeze-small") is RULES["freeze-small"] is FreezeSmall
    assert get_rule("freeze-small") is FreezeSmall
    assert entry.loaded == 1


def test_an_unknown_name_is_compared_with_installed_ones(install):
    (entry,) = install(freeze_small="toy_rule:FreezeSmall")
    with pytest.raises(OptionError, match="Did you mean 'freeze-small'"):
        get_rule("freese-small")
    assert entry.loaded == 0


def test_one_that_cannot_be_used_hides_no_other_and_takes_no_name(install):
    install(
        gone="no_such_module:Rule",
        split_edges="toy_rule:FreezeSmall",
        number="math:pi",
        freeze_small="toy_rule:FreezeSmall",
    )
    entered, remarks = enter_installed_rules()
    assert entered == ["freeze-small (my-rules 1.2)"]
    assert RULES["split-edges"] is SplitEdges
    gone, number, split = remarks
    assert "The rule 'gone' of the installed package my-rules 1.2 cannot be imported from 'no_such_module:Rule'" in gone
    assert "ModuleNotFoundError" in gone
    assert gone.endswith("or remove it: pip uninstall my-rules.")
    assert "3.14" in number
    assert split == "There is a rule 'split-edges' already, so that of the package my-rules 1.2 is not used."
