"""Edits of whole layers: each changes what it says, gives a valid graph, and is caught where it claims to be exact."""

import os
from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph import testing
from netgraph.testing import LAYER_EDITS, MeddleLayer, RuleCheckError, check_rule, graphs, possible_edits, to_code


@dataclass(frozen=True, kw_only=True)
class Claiming(MeddleLayer):
    """Claims that the edit changes nothing."""

    def claim(self, m):
        return "exact"


LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
EDITS = sorted(LAYER_EDITS) if LONG else ["heads", "scale"]


GRAPHS = graphs(kinds=("tokens", "attention"), exact=False, max_layers=2, max_heads=2)
CHECKS = (
    testing.check_ids_stable,
    testing.check_claim_equals_certificate,
    testing.check_function_preserved,
    testing.check_certificate_sound,
)


@pytest.mark.parametrize("what", EDITS)
def test_a_wrong_edit_that_claims_to_be_exact_is_caught_on_a_small_graph(what):
    with pytest.raises(RuleCheckError) as error:
        check_rule(Claiming(what=what), graphs=GRAPHS, max_examples=12 if LONG else 5, checks=CHECKS)
    failures = {failure.check: failure for failure in error.value.failures}
    assert set(failures) == {"check_function_preserved", "check_claim_equals_certificate"}, str(error.value)
    graph = failures["check_function_preserved"].graph
    assert graph.num_vertices <= 8, to_code(graph)
    assert max(max(layer.grid, default=0) for layer in graph.layers) <= 3
    names = {}
    exec(to_code(graph), names)
    assert names["graph"].equals(graph)


@settings(max_examples=1_000 if LONG else 60)
@given(GRAPHS, st.data())
def test_every_possible_edit_gives_a_valid_graph(graph, data):
    edits = [(layer.id, what) for layer in graph.layers for what in possible_edits(graph, layer)]
    assume(edits)
    layer, what = data.draw(st.sampled_from(edits))
    result = ng.draft(MeddleLayer(what=what, at=data.draw(st.integers(0, 5))), graph, on=layer)
    new = result.graph
    ng.Graph(new.layers_by_id.values(), new.links_by_key.values(), next_ids=new.next_ids)
    assert ng.apply_delta(new, result.delta.inverse())[0].equals(graph)
