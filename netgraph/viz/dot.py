"""What all pictures in Graphviz's DOT language share: the start of a file, headings, legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netgraph.errors import OptionError
from netgraph.viz.colors import GRAY, INK, QUIET
from netgraph.viz.scales import Scale
from netgraph.viz.text import label, plain, text_width, visible, wrapped

FONT = {"fontname": "Helvetica", "fontcolor": INK}
TITLE_SIZE, TEXT_SIZE = 14.0, 10.0
_LINE, _SWATCH = 15.0, 26.0


def digraph(**attributes: str) -> Any:
    """An empty picture.

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
    """Title and lines above a picture that Graphviz lays out."""
    heading = [] if title is None else wrapped(title)
    if heading or lines:
        # Blanks at both ends keep the text inside the picture where the font at hand is a wide one.
        texts = [f"{' ' * 12}{plain(line)}{' ' * 12}" for line in (*heading, *lines)]
        dot.attr(label=label(*texts), labelloc="t", fontsize="11")


def at(x: float, y: float) -> str:
    """A position, with y downwards."""
    return f"{x:.1f},{-y:.1f}"


class Notes:
    """Title above and legend below a picture at fixed positions, as items that have their own place."""

    def __init__(self, dot: Any, top: float, bottom: float) -> None:
        self._dot, self._top, self._y, self._n = dot, top, bottom + 24.0, 0

    def title(self, title: str | None) -> None:
        """The title, above everything."""
        lines = [] if title is None else wrapped(title)
        for k, line in enumerate(reversed(lines)):
            self._text(line, 0.0, self._top - 20.0 - 18.0 * k, TITLE_SIZE)

    def line(self, text: str) -> None:
        """A line of text."""
        for part in wrapped(text):
            self._text(part, 0.0, self._y, TEXT_SIZE)
            self._y += _LINE

    def colors(self, heading: str, samples: Sequence[tuple[str, str]]) -> None:
        """A line of coloured fields, each with the text that it stands for."""
        x = self._text(f"{heading}:", 0.0, self._y, TEXT_SIZE) + 8.0
        for color, text in samples:
            self._field(color, x, _SWATCH / 2, 9.0)
            x = self._text(text, x + _SWATCH / 2 + 4.0, self._y, TEXT_SIZE) + 12.0
        self._y += _LINE

    def strokes(self, heading: str, samples: Sequence[tuple[float, str]]) -> None:
        """A line of strokes of different widths, each with the text that it stands for."""
        x = self._text(f"{heading}:", 0.0, self._y, TEXT_SIZE) + 8.0
        for width, text in samples:
            self._field(GRAY, x, _SWATCH, width)
            x = self._text(text, x + _SWATCH + 4.0, self._y, TEXT_SIZE) + 12.0
        self._y += _LINE

    def scale(self, heading: str, scale: Scale) -> None:
        """The colours of a scale."""
        self.colors(f"{heading}: {visible(scale.name)}", scale.samples())

    def _field(self, color: str, x: float, width: float, height: float) -> None:
        self._item("", x, self._y, width, height, shape="box", style="filled", fillcolor=color, penwidth="0")

    def _text(self, text: str, x: float, y: float, size: float) -> float:
        """Place a text that starts at x; returns where it ends."""
        width = text_width(text, size)
        self._item(label(plain(text), align="l"), x, y, width, size, shape="plaintext", style="", fontsize=f"{size:g}")
        return x + width

    def _item(self, text: str, x: float, y: float, width: float, height: float, **attributes: str) -> None:
        self._n += 1
        size = {"width": f"{width / 72:.4f}", "height": f"{height / 72:.4f}", "pos": at(x + width / 2, y)}
        self._dot.node(f"note {self._n}", text, tooltip=" ", margin="0", **size, **attributes)
