"""The console that everything is printed on: no name, path or message can steer the terminal, or is taken as markup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.text import Text

from netgraph.markup import printable


class Terminal(Console):
    """Console of rich that prints texts literally: no markup, and no control characters but those of its own styles."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as it is, on one line: no markup, no emoji codes, no highlighting; line ends become blanks.

        So no name starts a line that reads as another. `console.print(*lines, sep="\\n")` prints several.
        """
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments whose texts print; those by which rich itself steers the terminal stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text, "\n"), segment.style)
