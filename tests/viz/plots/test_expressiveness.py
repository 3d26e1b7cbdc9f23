"""The plot of the gradients at every layer."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from netgraph.criteria import expressiveness
from netgraph.errors import OptionError
from netgraph.viz import plot_expressiveness

RULES = json.loads((Path(__file__).parents[2] / "golden" / "nagn.json").read_text())["b1_nagn_rule"]


def test_the_plot_shows_every_layer():
    known = RULES["case_interior_peaks"]
    found = expressiveness(known["g"], known["widths"], names=["a", "b", "c", "d", "e", "out"])
    axes = plot_expressiveness(found)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c", "d", "e", "out"]
    (line, near) = axes.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), known["g"])
    np.testing.assert_array_equal(near.get_ydata(), found.neighbours)
    assert plot_expressiveness(found, ax=axes) is axes


def test_names_of_layers_are_drawn_as_they_are():
    axes = plot_expressiveness(expressiveness([1.0, 2.0], [4, 4], names=["$x^2$", "n" * 100]))
    labels = [label._preprocess_math(label.get_text()) for label in axes.get_xticklabels()]
    assert labels[0] == ("$x^2$", False)
    assert len(labels[1][0]) < 40
    assert axes._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OptionError, match=r"pip install 'netgraph-growth\[viz\]'"):
        plot_expressiveness(expressiveness([1.0, 2.0], [4, 4]))
