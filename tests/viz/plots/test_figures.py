"""Figures without a window that notebooks show, and text that is shown as it is."""

import pickle
import sys

import pytest

from netgraph.errors import OptionError
from netgraph.markup import LONGEST_NAME
from netgraph.viz.plots.figures import axes_or_new, figure_or_new, literal, new_figure

PNG = b"\x89PNG\r\n"


def test_new_figures_are_unknown_to_pyplot_and_show_themselves():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    figure, axes = new_figure(3, 2), axes_or_new(None, 3, 2)
    assert pyplot.get_fignums() == before
    assert figure._repr_png_().startswith(PNG)
    assert axes._repr_png_() == axes.figure._repr_png_()
    assert axes.figure.axes == [axes]


def test_notebooks_find_the_picture():
    formatters = pytest.importorskip("IPython.core.formatters")
    for shown in (new_figure(3, 2), axes_or_new(None, 3, 2)):
        assert formatters.PNGFormatter()(shown).startswith(PNG)


def test_figures_can_be_pickled():
    axes = axes_or_new(None, 3, 2)
    axes.plot([1, 2], [3, 4])
    again = pickle.loads(pickle.dumps(axes))
    assert again.figure._repr_png_().startswith(PNG)
    assert again.lines[0].get_ydata().tolist() == [3, 4]


def test_what_is_given_is_used():
    figure = new_figure(3, 2)
    axes = figure.subplots()
    assert axes_or_new(axes, 1, 1) is axes
    assert figure_or_new(figure, 1, 1) is figure


def test_without_matplotlib_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OptionError, match=r"pip install 'netgraph-growth\[viz\]'"):
        new_figure(1, 1)


NASTY = ["$x^2$", "a$b", "\\$a$", "$\\frac{", "_hidden", "", "a\nb\x00", "<b>&", "x" * 300, "%s {0}"]


@pytest.mark.parametrize("text", NASTY)
def test_text_is_drawn_as_it_is(text):
    from matplotlib.text import Text

    shown = literal(text)
    drawn, is_math = Text()._preprocess_math(shown)
    assert is_math is False
    visible = "".join(c if c.isprintable() else " " if c in "\n\t" else "\ufffd" for c in text) or "(no name)"
    if len(visible) > LONGEST_NAME:
        head, tail = drawn.split("…")
        assert visible.startswith(head)
        assert visible.endswith(tail)
        assert len(drawn) <= LONGEST_NAME
    else:
        assert drawn.strip() == visible


def test_names_that_start_with_an_underscore_are_in_legends():
    axes = axes_or_new(None, 3, 2)
    axes.plot([1], [1], label=literal("_a"))
    assert [text.get_text().strip() for text in axes.legend().get_texts()] == ["_a"]


def test_text_can_be_shown_in_full():
    assert literal("x" * 100, None) == "x" * 100


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\u5c42\U0001f389 1", "\ufffd\ufffd 1"), ("\u03c4 \u2192 \xe9", "\u03c4 \u2192 \xe9"), ("\U00020000", "\ufffd")],
)
def test_letters_that_no_font_has_are_no_warning(name, shown):
    assert literal(name) == shown
    axes = axes_or_new(None, 3, 2)
    axes.set_title(literal(name))
    assert axes._repr_png_().startswith(PNG)  # warnings are errors


def test_letters_of_further_fonts_are_kept():
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"font.family": ["DejaVu Sans", "STIXGeneral", "a font that nobody has"]}):
        new = [c for c in map(chr, range(0x2000, 0x2C00)) if literal(c) == c]
    assert len(new) > sum(literal(c) == c for c in map(chr, range(0x2000, 0x2C00)))
