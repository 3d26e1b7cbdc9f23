"""Records of norms: the shipped ones are right about themselves, and others are refused where they are not."""

from dataclasses import replace

import numpy as np
import pytest
from toy_norm import CENTRED, GAIN, PEAK, registered

import netgraph as ng
from netgraph.errors import GraphError, OptionError
from netgraph.graph import NORMS, Activation, Norm, get_norm, register_norm, variance_columns
from netgraph.graph.norms.contradictions import contradiction


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_no_shipped_record_contradicts_itself(norm):
    assert contradiction(norm) == ""
    assert get_norm(norm.name) is norm


def test_the_shipped_norms():
    assert list(NORMS) == ["none", "batch", "layer", "rms"]
    asked = {n.name: (n.identity, n.couples_vertices, n.couples_samples) for n in NORMS.values()}
    assert asked == {
        "none": (True, False, False),
        "batch": (False, False, True),
        "layer": (False, True, False),
        "rms": (False, True, False),
    }
    assert [n.label for n in NORMS.values()] == ["", "batch norm", "layer norm", "rms norm"]
    assert variance_columns() == {"var"}


def test_an_unknown_norm_names_the_nearest_and_the_way_to_register_one():
    with pytest.raises(GraphError, match=r"Unknown norm 'bacth'\. .*'batch'.*register_norm"):
        get_norm("bacth")


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(OptionError, match="There is a norm 'batch' already"):
        register_norm(replace(GAIN, name="batch"))
    with pytest.raises(OptionError, match="cannot be called 'my norm'"):
        register_norm(replace(GAIN, name="my norm"))
    with pytest.raises(OptionError, match="takes a Norm, not 'batch'"):
        register_norm("batch")


def test_a_record_without_facts_is_taken_and_nothing_is_claimed_of_it():
    bare = Norm(name="bare", function=GAIN.function, columns={"factor": 1.0})
    assert contradiction(bare) == ""


def rows_apart(z, columns, epsilon, train):
    return z * np.arange(1.0, z.shape[1] + 1).reshape(-1, *[1] * (z.ndim - 2))


def other_samples(z, columns, epsilon, train):
    return z - z.mean(axis=0)


@pytest.mark.parametrize(
    ("record", "changes", "words"),
    [
        (GAIN, {"function": lambda z, p, e, t: z[:, 0]}, "function gives an array of shape"),
        (GAIN, {"function": lambda z, p, e, t: 1 / 0}, "fails on a few numbers: ZeroDivisionError"),
        (GAIN, {"identity": True}, "identity=True, but"),
        (PEAK, {"couples_vertices": False}, "say couples_vertices=True"),
        (GAIN, {"function": rows_apart}, "or on its row; say couples_vertices=True"),
        (PEAK, {"function": rows_apart, "columns": {}}, "depends on its row in the layer"),
        (CENTRED, {"couples_samples": False}, "say couples_samples=True"),
        (CENTRED, {"function": other_samples}, "in eval mode the value of a sample depends on the others"),
        (GAIN, {"centres": True}, "centres=True, but"),
        (GAIN, {"interval": PEAK.interval}, "leave the interval"),
        (GAIN, {"interval": lambda low, high, s: (low - low, high - high)}, "leave the interval|interval gives NaN"),
        (GAIN, {"change": lambda c: (c.low, c.high)}, "move by more than change says"),
        (GAIN, {"rounding": lambda low, high, e, s: -e}, "rounding gives no"),
        (GAIN, {"factor": lambda p, e: 1.0}, "factor gives no"),
        (
            GAIN,
            {"affine": lambda p, e: (p["factor"] + 1, 0.0, 0.0 * p["factor"], 0.0 * p["factor"])},
            "leave affine out",
        ),
        (GAIN, {"standard": "centred"}, "leave standard out"),
        (GAIN, {"restoring": lambda sums: {"shift": 0.0}}, r"restoring gives values for \['shift'\]"),
        (GAIN, {"restoring": lambda sums: {"factor": 2.0}}, "does not hand sums on"),
        (GAIN, {"columns": {"bias": 1.0}}, "column 'bias' has a meaning"),
        (GAIN, {"columns": {"slope": 1.0}}, "column 'slope' is a parameter of the activation 'prelu'"),
        (GAIN, {"columns": {"mean": 1.0}}, "column 'mean' is one of the norm 'batch' too, but"),
        (GAIN, {"columns": {"factor": np.inf}}, "column 'factor' starts at inf"),
        (GAIN, {"buffers": {"other"}}, r"\['other'\] are no columns of it"),
        (GAIN, {"variances": {"factor"}}, "are variances that gradients train"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(record, changes, words):
    with pytest.raises(OptionError, match=f"Norm 'other'.*({words})"):
        register_norm(replace(record, name="other", **changes))
    assert "other" not in NORMS


def test_a_norm_and_an_activation_of_one_layer_have_columns_of_their_own():
    """An activation that came after the norm may have taken the name of its column."""
    taken = replace(ng.graph.ACTIVATIONS["prelu"], name="taken", parameters={"factor": 0.25})
    assert isinstance(taken, Activation)
    with registered("gain", tensors=False):
        ng.graph.ACTIVATIONS.add("taken", taken)
        try:
            b = ng.GraphBuilder()
            b.input("x", 1)
            b.output("y", 1, norm="gain", activation="taken")
            b.dense("x", "y")
            with pytest.raises(GraphError, match=r"Layer 'y': its norm and its activation both have .*\['factor'\]"):
                b.build()
        finally:
            ng.graph.ACTIVATIONS.remove("taken")
