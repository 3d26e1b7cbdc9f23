"""Figures of matplotlib that need no window, and texts that they show literally."""

from __future__ import annotations

from functools import cache, partial
from importlib import import_module
from io import BytesIO
from typing import Any

from netgraph.errors import OptionError, not_installed
from netgraph.markup import LONGEST_NAME, printable, shortened

_DOTS_PER_INCH = 110


def import_matplotlib(need: str, module: str = "matplotlib.figure") -> Any:
    """Import a module of matplotlib, or of a package that matplotlib depends on.

    Args:
        need: beginning of the message when it is missing, such as "Plots need".
        module: name of the module.

    Raises:
        OptionError: when it is not installed, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise OptionError(not_installed(need, "matplotlib", "viz")) from None


def new_figure(width: float, height: float) -> Any:
    """Make a matplotlib `Figure` that pyplot does not manage.

    It needs no display, and Python frees it with its last reference. Notebooks display it.

    Args:
        width, height: size in inches.

    Raises:
        OptionError: when matplotlib is not installed.
    """
    figure = import_matplotlib("Plots need").Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    # Notebooks can only display figures of pyplot without further help.
    figure._repr_png_ = partial(_png, figure)
    return figure


def axes_or_new(ax: Any, width: float, height: float) -> Any:
    """Return `ax`, or when it is None the only axes of a `new_figure`. Notebooks display these axes too.

    Raises:
        OptionError: when `ax` is neither axes nor None, or matplotlib is not installed.
    """
    if ax is not None:
        if not hasattr(ax, "get_xlim"):
            raise OptionError(f"ax must be axes of matplotlib or None, not {ax!r}; such as figure.subplots() gives.")
        return ax
    axes = new_figure(width, height).subplots()
    axes._repr_png_ = axes.figure._repr_png_
    return axes


def figure_or_new(figure: Any, width: float, height: float) -> Any:
    """Return `figure`, which may be a subfigure, or a `new_figure` when it is None.

    Raises:
        OptionError: when `figure` is neither a figure, a subfigure nor None, or matplotlib is not installed.
    """
    if figure is None:
        return new_figure(width, height)
    if not hasattr(figure, "subplots"):
        raise OptionError(f"figure must be a figure of matplotlib, part of one, or None, not {figure!r}.")
    return figure


def literal(text: object, longest: int | None = LONGEST_NAME) -> str:
    """Prepare a text so that a figure shows it literally: no `$` starts a formula, and a long text is shortened.

    Characters that do not print become U+FFFD. So do characters that no font in `matplotlib.rcParams["font.family"]`
    has, since matplotlib would draw an empty box for them and give a warning.

    Args:
        text: a value of any type; its `str` is shown.
        longest: largest number of characters; the middle of a longer text is left out. None for no limit.
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
    """All characters that at least one of the fonts has. Matplotlib tries the fonts in order for each character."""
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
