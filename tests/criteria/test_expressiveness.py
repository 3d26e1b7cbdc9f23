"""NAGN: which layers are too narrow. Golden values were computed apart, in float64."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import netgraph as ng
from netgraph.criteria import GrowthRule, contrast, expressiveness, nagn, trainable_chain
from netgraph.errors import OptionError, StatisticsError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "nagn.json").read_text())
RULES = GOLDEN["b1_nagn_rule"]


def decide(values, widths, **options):
    return expressiveness(values, widths, rule=GrowthRule(**{"non_decreasing": False, "fallback": False, **options}))


@pytest.mark.parametrize("case", list(RULES))
@pytest.mark.parametrize("reading", ["all", "growable"])
def test_golden_cases(case, reading):
    known = RULES[case]
    options = {"threshold": known["tau"], "max_increment": known["delta_max"], "relative_to": reading}
    found = decide(known["g"], known["widths"], **options)
    expected = known[f"max_over_{reading}"]
    close = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(found.neighbours, known["neighbour_mean"], **close)
    np.testing.assert_allclose(found.contrast, known["r"], **close)
    np.testing.assert_allclose(found.excess, known["p"], **close)
    np.testing.assert_allclose(found.under, expected["s"], **close)
    assert found.increments.tolist() == expected["delta_n"]
    assert (found.widths + found.increments).tolist() == expected["new_widths"]
    ordered = decide(known["g"], known["widths"], **options, non_decreasing=True)
    assert (ordered.widths + ordered.increments).tolist() == expected["new_widths_nondecreasing"]


@pytest.mark.parametrize("case", list(RULES))
def test_the_fallback_is_taken_exactly_where_it_is_needed(case):
    known = RULES[case]
    found = decide(known["g"], known["widths"], threshold=known["tau"], fallback=True)
    assert found.fell_back == (known["fallback_needed"] and bool(known["fallback_candidates_1based"]))
    if found.fell_back:
        (chosen,) = np.flatnonzero(found.increments)
        assert chosen + 1 in known["fallback_candidates_1based"]
        assert chosen == 1  # 0.1 to 0.2 is the largest rise of 0.1, 0.2, 0.3, 0.4, 0.5
        assert found.increments[chosen] == known["widths"][chosen]
        assert "rises most" in found.reasons[chosen]


def test_an_output_layer_with_the_largest_value_holds_others_back_only_when_asked():
    values, widths = [1.0, 1.0, 1.4, 1.0, 3.0], [8, 8, 8, 8, 10]
    among_all = decide(values, widths, relative_to="all", max_increment=100)
    among_free = decide(values, widths, relative_to="growable", max_increment=100)
    assert among_all.under[2] < 1
    assert among_free.under[2] == 1
    assert among_free.increments[2] == 8 > among_all.increments[2]
    assert among_all.increments[-1] == among_free.increments[-1] == 0


def test_a_monotone_profile_has_no_contrast_inside_and_grows_by_the_fallback_alone():
    falling = decide([5.0, 4.0, 3.0, 2.0, 1.0], [4] * 5, fallback=True)
    assert not falling.fell_back  # nothing rises either
    assert not falling.increments.any()
    assert not decide([1.0, 2.0, 3.0, 4.0, 5.0], [4] * 5).increments.any()


def test_an_extrapolation_that_is_not_positive_says_nothing():
    values = [0.1, 0.1, 1.0, 1.9, 2.8]  # the first layer would have a neighbour of 0.1 - 0.9
    found = decide(values, [4] * 5)
    assert np.isnan(found.neighbours[0])
    assert found.contrast[0] == found.under[0] == found.increments[0] == 0
    assert "nothing to compare" in found.reasons[0]
    exactly_zero, _ = contrast(np.array([0.0, 1.0, 2.0]))
    assert np.isnan(exactly_zero[0])


def test_two_layers_are_compared_with_each_other_as_they_are():
    assert decide([5.0, 1.0], [4, 10]).increments.tolist() == [4, 0]
    assert decide([1.0, 5.0], [4, 10]).increments.tolist() == [0, 0]
    fallen = decide([1.0, 5.0], [4, 10], fallback=True)  # the only layer that may grow
    assert fallen.increments.tolist() == [4, 0]
    assert fallen.fell_back


def test_the_fallback_waits_for_layers_that_are_under_expressive_beside_a_larger_output():
    values, widths = [0.1, 0.13, 0.1, 1.0], [2, 2, 2, 10]
    assert not decide(values, widths, relative_to="all", fallback=True).increments.any()
    assert decide(values, widths, relative_to="growable", fallback=True).increments.tolist() == [0, 2, 0, 0]


def test_reasons_name_the_threshold_that_was_not_passed():
    assert (
        decide([1.0, 2.0, 1.0, 1.0], [4] * 4, threshold=5).reasons[1]
        == "100 % above its neighbours, no more than 500 %"
    )


@pytest.mark.parametrize("values", [[], [1.0]])
def test_chains_without_neighbours(values):
    found = decide(values, [3] * len(values), fallback=True)
    assert not found.increments.any()
    assert len(found.table().splitlines()) == 1 + len(values)


def test_tied_layers_grow_together_unless_one_cannot():
    values, widths = [1.0, 3.0, 1.0, 1.0, 1.0], [8, 8, 8, 8, 10]
    assert expressiveness(values, widths, groups=[0, 1, 2, 1, 3]).increments.tolist() == [0, 8, 8, 8, 0]
    alone = GrowthRule(non_decreasing=False)
    assert expressiveness(values, widths, groups=[0, 1, 2, 1, 3], rule=alone).increments.tolist() == [0, 8, 0, 8, 0]
    free = [True, True, True, False, False]
    stuck = expressiveness(values, widths, groups=[0, 1, 2, 1, 3], growable=free, rule=alone)
    assert not stuck.increments.any()
    assert stuck.reasons[1] == "cannot grow"


positive = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(positive, st.integers(1, 64)), min_size=2, max_size=9), st.integers(1, 40), st.booleans())
def test_increments_keep_their_limits(chain, most, ordered):
    values, widths = map(np.array, zip(*chain, strict=True))
    found = expressiveness(values, widths, rule=GrowthRule(max_increment=most, non_decreasing=ordered))
    assert found.increments.min() >= 0
    assert found.increments.max() <= most
    assert found.increments[-1] == 0
    assert ((found.under >= 0) & (found.under <= 1)).all()
    if not ordered:
        assert (found.increments <= widths).all()
    scaled = expressiveness(values * 8, widths, rule=GrowthRule(max_increment=most, non_decreasing=ordered))
    assert scaled.increments.tolist() == found.increments.tolist()


@pytest.mark.parametrize(
    ("options", "word"),
    [({"threshold": -0.1}, "-0.1"), ({"max_increment": 0}, "max_increment=0"), ({"relative_to": "most"}, "'most'")],
)
def test_options_are_checked(options, word):
    with pytest.raises(OptionError, match=word):
        GrowthRule(**options)


def test_lengths_are_checked():
    with pytest.raises(OptionError, match=r"\[3, 2, 3, 3, 3\]"):
        expressiveness([1.0, 2.0, 3.0], [4, 4])


def test_the_table_names_every_layer():
    known = RULES["case_interior_peaks"]
    found = expressiveness(known["g"], known["widths"], names=["a", "b", "c", "d", "e", "out"])
    table = str(found)
    assert "68 % above its neighbours" in table
    assert "cannot grow" in table.splitlines()[-1]


def test_values_of_layers_come_from_the_vertices():
    graph = ng.mlp([3, 2, 4, 2])
    column = np.array([np.nan] * 3 + [3.0, 4.0] + [2.0] * 4 + [0.0, 1.0])
    stats = ng.Statistics(graph.topology_hash, vertices={"rms_gradient": column})
    np.testing.assert_allclose(nagn(graph, stats), [np.sqrt(12.5), 2.0, np.sqrt(0.5)])
    assert [layer.name for layer in trainable_chain(graph)] == ["hidden1", "hidden2", "output"]


def test_the_chain_follows_the_links_not_the_order_in_which_layers_were_made():
    graph = ng.mlp([3, 4, 2], domain=(0, 1))
    grown = ng.apply(ng.rules.InsertLayer(), graph, limit=1, probe=None).graph
    chain = [layer.id for layer in trainable_chain(grown)]
    assert len(chain) == 3
    places = {i: k for k, i in enumerate(grown.topological_order)}
    assert chain == sorted(chain, key=places.__getitem__)
    assert chain != sorted(chain)  # what was inserted has the latest id


def test_layers_without_trainable_edges_are_not_in_the_chain():
    graph = ng.resnet(8, width=2, input_size=(1, 8, 8))
    names = [layer.name for layer in trainable_chain(graph)]
    assert names[0] == "conv"
    assert names[-1] == "output"
    assert "stage1-block1" not in names
    assert len(names) == 8


def test_missing_statistics_are_named():
    graph = ng.mlp([3, 2])
    with pytest.raises(StatisticsError, match="topology"):
        nagn(graph, ng.Statistics("other", vertices={"rms_gradient": np.ones(5)}))
    with pytest.raises(StatisticsError, match="Request it"):
        nagn(graph, ng.Statistics(graph.topology_hash))
    with pytest.raises(StatisticsError, match="not finite"):
        nagn(graph, ng.Statistics(graph.topology_hash, vertices={"rms_gradient": np.full(5, np.nan)}))
