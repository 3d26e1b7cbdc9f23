"""Parts that all pictures in Graphviz's DOT language share: an empty picture, titles and legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netgraph.errors import OptionError
from netgraph.viz.colors import GRAY, INK, QUIET
from netgraph.viz.scales import Scale
from netgraph.viz.text import label, plain, text_width, visible, wrap

FONT = {"fontname": "Helvetica", "fontcolor": INK}
TITLE_SIZE, TEXT_SIZE = 14.0, 10.0
_LINE, _SWATCH = 15.0, 26.0


def digraph(**attributes: str) -> Any:
    """Return an empty picture with the fonts and colours that all pictures share.

    Args:
        attributes: further attributes of the picture.

    Raises:
        OptionError: when the package graphviz is not installed.
    """
    try:
        import graphviz
    except ImportError:
        raise OptionError("Drawing needs the package graphviz, which is not installed: pip install graphviz.") from None
    dot = graphviz.Digraph(graph_attr={"bgcolor": "white", "pad": "0.15", **FONT, **attributes})
    dot.attr("edge", color=GRAY, fontsize="9", arrowsize="0.6", fontname="Helvetica", fontcolor=QUIET)
    return dot


def caption(dot: Any, title: str | None, lines: Sequence[str]) -> None:
    """Put a title and lines of text above a picture whose layout Graphviz computes."""
    heading = [] if title is None else wrap(title)
    if heading or lines:
        # Blanks at both ends keep the text inside the picture when the installed font is wide.
        texts = [f"{' ' * 12}{plain(line)}{' ' * 12}" for line in (*heading, *lines)]
        dot.attr(label=label(*texts), labelloc="t", fontsize="11")


def at(x: float, y: float) -> str:
    """Format a position for DOT, whose y axis points upwards; `y` grows downwards."""
    return f"{x:.1f},{-y:.1f}"


class Notes:
    """Title above and legend below a picture with fixed positions. Each text and field is an item with its position."""

    def __init__(self, dot: Any, top: float, bottom: float) -> None:
        self._dot, self._top, self._y, self._n = dot, top, bottom + 24.0, 0

    def title(self, title: str | None) -> None:
        """Put a title above the picture, unless it is None."""
        lines = [] if title is None else wrap(title)
        for k, line in enumerate(reversed(lines)):
            self._text(line, 0.0, self._top - 20.0 - 18.0 * k, TITLE_SIZE)

    def line(self, text: str) -> None:
        """Add a text to the legend, broken into lines."""
        for part in wrap(text):
            self._text(part, 0.0, self._y, TEXT_SIZE)
            self._y += _LINE

    def colors(self, heading: str, samples: Sequence[tuple[str, str]]) -> None:
        """Add a line of coloured fields to the legend, `samples` of `(color, text)`."""
        x = self._text(f"{heading}:", 0.0, self._y, TEXT_SIZE) + 8.0
        for color, text in samples:
            self._field(color, x, _SWATCH / 2, 9.0)
            x = self._text(text, x + _SWATCH / 2 + 4.0, self._y, TEXT_SIZE) + 12.0
        self._y += _LINE

    def strokes(self, heading: str, samples: Sequence[tuple[float, str]]) -> None:
        """Add a line of strokes to the legend, `samples` of `(width, text)` with widths in points."""
        x = self._text(f"{heading}:", 0.0, self._y, TEXT_SIZE) + 8.0
        for width, text in samples:
            self._field(GRAY, x, _SWATCH, width)
            x = self._text(text, x + _SWATCH + 4.0, self._y, TEXT_SIZE) + 12.0
        self._y += _LINE

    def scale(self, heading: str, scale: Scale) -> None:
        """Add the colours of a scale to the legend, with their values."""
        self.colors(f"{heading}: {visible(scale.name)}", scale.samples())

    def _field(self, color: str, x: float, width: float, height: float) -> None:
        self._item("", x, self._y, width, height, shape="box", style="filled", fillcolor=color, penwidth="0")

    def _text(self, text: str, x: float, y: float, size: float) -> float:
        """Place a text that starts at `x`, and return the position of its end."""
        width = text_width(text, size)
        self._item(label(plain(text), align="l"), x, y, width, size, shape="plaintext", style="", fontsize=f"{size:g}")
        return x + width

    def _item(self, text: str, x: float, y: float, width: float, height: float, **attributes: str) -> None:
        self._n += 1
        size = {"width": f"{width / 72:.4f}", "height": f"{height / 72:.4f}", "pos": at(x + width / 2, y)}
        self._dot.node(f"note {self._n}", text, tooltip=" ", margin="0", **size, **attributes)
