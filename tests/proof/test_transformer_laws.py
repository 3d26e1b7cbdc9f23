"""Published expansions of transformers: what they compute, and what is proved of them."""

import numpy as np
import pytest
import transformer_laws
from transformer_laws import LAWS

import netgraph as ng
from netgraph.proof import certify

OPEN = ("lemon-uneven",)
"""Laws that are not proved: writers are padded with the mean of the others, which cancels up to rounding only."""

EXACT = [law for law, facts in LAWS.items() if facts["verdict"] == "exact up to rounding"]


@pytest.mark.parametrize("law", LAWS)
def test_the_graphs_compute_the_known_outputs(law):
    for graph, which in zip(transformer_laws.graphs(law), ("old", "new"), strict=True):
        values = ng.interpret(graph, transformer_laws.tokens(law))
        np.testing.assert_allclose(values, transformer_laws.output(law, which), rtol=0, atol=1e-12)


@pytest.mark.parametrize("law", [law for law in EXACT if law not in OPEN])
def test_exact_expansions_are_proved(law):
    certificate = certify(*transformer_laws.graphs(law))
    assert certificate.level in ("exact", "exact up to rounding"), certificate


@pytest.mark.parametrize("law", [law for law in LAWS if law not in EXACT])
def test_a_wrong_expansion_is_not_called_exact(law):
    certificate = certify(*transformer_laws.graphs(law))
    assert certificate.level in ("bounded", "unknown")
    if certificate.level == "bounded":
        assert certificate.bound >= LAWS[law]["largest_change"]


@pytest.mark.parametrize("law", OPEN)
def test_a_bound_of_an_expansion_that_is_not_proved_holds(law):
    certificate = certify(*transformer_laws.graphs(law))
    assert certificate.bound is None or certificate.bound >= 0
