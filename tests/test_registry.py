"""One behaviour of all registries: names that are taken, replacement, and taking a registration back."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from toy_activation import SOFTSIGN, SQUAREPLUS
from toy_norm import GAIN, TOYS

import compilers
import netgraph as ng
import netgraph.testing.planting
from compilers.kernels import KERNELS
from compilers.plan import KINDS, KernelKind
from netgraph.app import rule_table
from netgraph.errors import CompileError, GraphError, OptionError
from netgraph.graph import ACTIVATIONS, NORMS, register_activation, register_norm
from netgraph.rules import RULES, register_rule


@dataclass(frozen=True)
class Halve(ng.Rule):
    """Halve all weights."""

    pattern = ng.edge("e")

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)


def kernel(**changes):
    fields = {"name": "toy", "reads": "rows", "layout": "cells", "in_place": True, "cost": lambda fan, costs: 0.0}
    return KernelKind(**{**fields, **changes})


WAYS = {
    "activation": (ACTIVATIONS, lambda **how: register_activation(replace(SQUAREPLUS, name="toy"), **how), "relu"),
    "norm": (NORMS, lambda **how: register_norm(replace(GAIN, name="toy"), **how), "batch"),
    "rule": (RULES, lambda **how: register_rule("toy", **how)(replace_rule()), "split-edges"),
    "kernel": (KINDS, lambda **how: compilers.register_kernel(kernel(), KERNELS["dense"], **how), "dense"),
}


def replace_rule():
    """Another class of the same name, as a cell of a notebook makes when it runs again."""
    return dataclass(frozen=True)(type("Halve", (Halve,), {}))


@pytest.mark.parametrize(("known", "register", "shipped"), WAYS.values(), ids=WAYS)
def test_a_registration_is_replaced_when_asked_and_taken_back(known, register, shipped):
    before = dict(known)
    register(replace=True)
    try:
        first = known["toy"]
        with pytest.raises(OptionError, match=r"There is an? \w+ 'toy' already; .* replace=True"):
            register()
        assert known["toy"] is first
        register(replace=True)
        assert known["toy"] is not first
    finally:
        known.remove("toy")
    assert dict(known) == before
    with pytest.raises(OptionError, match=r"Unknown \w+ 'toy'"):
        known.remove("toy")
    with pytest.raises(OptionError, match=f"{shipped!r} is shipped"):
        known.remove(shipped)
    register()
    known.remove("toy")


def test_shipped_ones_are_never_replaced():
    with pytest.raises(OptionError, match=r"an activation 'relu' already; give this one another name\.$"):
        register_activation(replace(SQUAREPLUS, name="relu"), replace=True)
    with pytest.raises(OptionError, match="a norm 'batch' already"):
        register_norm(replace(GAIN, name="batch"), replace=True)
    with pytest.raises(OptionError, match="a rule 'split-edges' already"):
        register_rule("split-edges", replace=True)(Halve)
    with pytest.raises(OptionError, match="a kernel 'csr' already"):
        compilers.register_kernel(kernel(name="csr", layout="edges"), KERNELS["csr"], replace=True)
    with pytest.raises(OptionError, match="function on tensors of the activation 'relu' already"):
        compilers.register_activation("relu", lambda z, p, s: torch.relu(z), replace=True)


def test_functions_on_tensors_go_with_what_they_belong_to():
    """A function that was held against the record of before says nothing of the new one."""
    softsign = lambda z, p, s: p["gain"] * z / (1 + z.abs())  # noqa: E731
    register_activation(SOFTSIGN)
    register_norm(GAIN)
    try:
        b = ng.GraphBuilder()
        b.input("x", 2)
        b.output("y", 2, activation="softsign", norm="gain")
        b.dense("x", "y")
        graph = b.build()
        for _again in range(2):
            compilers.register_activation("softsign", softsign)
            compilers.register_norm("gain", TOYS["gain"][1])
            with pytest.raises(OptionError, match=r"formula of the norm 'gain' already; .* replace=True"):
                compilers.register_norm("gain", TOYS["gain"][1])
            compilers.register_norm("gain", TOYS["gain"][1], replace=True)
            x = np.ones((1, 2), np.float32)
            y = compilers.lower(graph)(torch.from_numpy(x)).detach().numpy()
            np.testing.assert_allclose(y, ng.interpret(graph, x), rtol=1e-5)
            register_norm(GAIN, replace=True)
            with pytest.raises(CompileError, match="has the norm 'gain', which the compiler has no formula for"):
                compilers.lower(graph)
            compilers.register_norm("gain", TOYS["gain"][1])
            register_activation(SOFTSIGN, replace=True)
            with pytest.raises(CompileError, match="'softsign' has no function on tensors"):
                compilers.lower(graph)
            register_norm(GAIN, replace=True)
    finally:
        ACTIVATIONS.remove("softsign")
        NORMS.remove("gain")


def test_columns_of_a_norm_that_was_taken_back_are_free():
    register_norm(GAIN)
    clash = replace(SOFTSIGN, name="clash", parameters={"factor": 1.0})
    try:
        with pytest.raises(OptionError, match="parameter 'factor' is a vertex column"):
            register_activation(clash)
    finally:
        NORMS.remove("gain")
    with pytest.raises(OptionError, match="fails on a few numbers"):
        register_activation(clash)


def test_a_kernel_is_not_replaced_by_one_that_does_not_fit_into_plans():
    compilers.register_kernel(kernel(), KERNELS["dense"])
    try:
        with pytest.raises(OptionError, match=r"'toy' is in plans by reads='rows', layout='cells'.*another name"):
            compilers.register_kernel(kernel(layout="edges"), KERNELS["csr"], replace=True)
        assert KERNELS["toy"] is KERNELS["dense"]
    finally:
        KINDS.remove("toy")
    assert "toy" not in KERNELS


def test_a_rule_is_registered_under_a_name():
    with pytest.raises(OptionError, match=r"under a name, not .*Halve.*: @register_rule\('its-name'\)"):
        register_rule(Halve)


def test_what_is_kept_for_later_knows_the_registrations_of_now():
    """Graphs to start from and the table of rules are worked out once, for what is registered."""
    rule, before = Halve(), ng.testing.planting.default_graphs(Halve())
    register_norm(GAIN)
    try:
        drawn = ng.testing.planting.default_graphs(rule)
        assert drawn is not before
        assert any(layer.norm == "gain" for g in ng.testing.planting.some_graphs(drawn, 300) for layer in g.layers)
    finally:
        NORMS.remove("gain")
    assert ng.testing.planting.default_graphs(rule) is before
    known = len(rule_table.rows())
    register_rule("toy")(Halve)
    try:
        assert len(rule_table.rows()) == known + 1
    finally:
        RULES.remove("toy")
    assert len(rule_table.rows()) == known


def test_an_unknown_norm_or_activation_is_refused_by_the_name_of_its_layer():
    for options, words in (({"norm": "bach"}, "Unknown norm 'bach'"), ({"activation": "rleu"}, "Unknown activation")):
        with pytest.raises(GraphError, match=f"Layer 'hidden1': {words}"):
            ng.mlp([3, 2, 1], **options)
