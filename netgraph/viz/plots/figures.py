"""Figures of matplotlib without a window, and text in them that is shown as it is."""

from __future__ import annotations

from functools import cache, partial
from importlib import import_module
from io import BytesIO
from typing import Any

from netgraph.errors import OptionError, not_installed
from netgraph.markup import LONGEST_NAME, printable, shortened

_DOTS_PER_INCH = 110


def import_matplotlib(need: str, module: str = "matplotlib.figure") -> Any:
    """Import a module of matplotlib, or of a package that comes with it.

    Args:
        need: beginning of the message when it is missing, such as "Plots need".
        module: its name.

    Raises:
        OptionError: when it is not installed, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise OptionError(not_installed(need, "matplotlib", "viz")) from None


def new_figure(width: float, height: float) -> Any:
    """A matplotlib `Figure` that pyplot does not know of: it needs no display, is freed with its last name, and
    notebooks show it.

    Args:
        width, height: in inches.

    Raises:
        OptionError: when matplotlib is not installed.
    """
    figure = import_matplotlib("Plots need").Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    # Without pyplot nothing tells a notebook how to show a figure.
    figure._repr_png_ = partial(_png, figure)
    return figure


def axes_or_new(ax: Any, width: float, height: float) -> Any:
    """`ax`, or when that is None new axes alone in a `new_figure`, which notebooks show too.

    Raises:
        OptionError: when `ax` is something else, or matplotlib is not installed.
    """
    if ax is not None:
        if not hasattr(ax, "get_xlim"):
            raise OptionError(f"ax must be axes of matplotlib or None, not {ax!r}; such as figure.subplots() gives.")
        return ax
    axes = new_figure(width, height).subplots()
    axes._repr_png_ = axes.figure._repr_png_
    return axes


def figure_or_new(figure: Any, width: float, height: float) -> Any:
    """`figure`, a figure or part of one, or when that is None a `new_figure`.

    Raises:
        OptionError: when `figure` is something else, or matplotlib is not installed.
    """
    if figure is None:
        return new_figure(width, height)
    if not hasattr(figure, "subplots"):
        raise OptionError(f"figure must be a figure of matplotlib, part of one, or None, not {figure!r}.")
    return figure


def literal(text: object, longest: int | None = LONGEST_NAME) -> str:
    """Text for a figure as it is: no `$` starts a formula, and the middle of a long one is cut out.

    What does not print becomes U+FFFD, and so does what none of the fonts in `matplotlib.rcParams["font.family"]` has,
    which would be an empty box and a warning whenever the figure is drawn.

    Args:
        text: anything; `str` of it is shown.
        longest: how many characters are shown; None for all.
    """
    shown = _drawable(printable(str(text))) or "(no name)"
    if longest is not None:
        shown = shortened(shown, longest)
    if shown.startswith("_"):
        shown = f" {shown}"  # matplotlib leaves labels that start with _ out of legends
    return shown.replace("$", r"\$")


def _drawable(text: str) -> str:
    if text.isascii():
        return text
    from matplotlib import rcParams

    letters = _letters(tuple(rcParams["font.family"]))
    return "".join(c if ord(c) in letters else "\ufffd" for c in text)


@cache
def _letters(families: tuple[str, ...]) -> frozenset[int]:
    """All characters that some fonts have; the second is asked for what the first has not, and so on."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    found: set[int] = set()
    for family in families:
        try:
            path = findfont(FontProperties(family=[family]), fallback_to_default=False)
        except ValueError:  # not installed
            path = findfont(FontProperties(family=["DejaVu Sans"]))
        found.update(get_font(path).get_charmap())
    return frozenset(found)


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
