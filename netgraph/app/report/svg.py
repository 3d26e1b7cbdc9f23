"""SVG pictures as elements of a page, with unique ids and the colours of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping

from netgraph.markup import escape

_ID = re.compile(r'\sid="([^"]*)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^")]*)')
_OPENING = re.compile(r"<svg\b[^>]*>", re.DOTALL)


_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)


def inline_svg(svg: str, prefix: str, label: str, colors: Mapping[str, str] | None = None, style: str = "") -> str:
    """Turn an SVG file into an element of a page with several pictures.

    Ids with a reference get a prefix and all others are removed, so that no two pictures share an id. The page sets the
    size; the picture keeps its proportions.

    Args:
        svg: text of the file; all text before its `<svg>` element is left out.
        prefix: prefix of the ids, unique on the page, letters and hyphens.
        label: description of the picture for screen readers; it is escaped here.
        colors: replacement, such as `var(--ink)`, for each hexadecimal colour of the picture; None keeps all colours.
        style: CSS of the element.
    """
    text = _COMMENT.sub("", svg[svg.index("<svg") :])
    # A text may look like a reference; a real one names an id of the picture.
    used = {match.group(2) for match in _REFERENCE.finditer(text)} & {m.group(1) for m in _ID.finditer(text)}
    text = _ID.sub(lambda m: f' id="{prefix}-{m.group(1)}"' if m.group(1) in used else "", text)
    text = _REFERENCE.sub(lambda m: f"{m.group(1)}{prefix}-{m.group(2)}" if m.group(2) in used else m.group(0), text)
    for color, replacement in (colors or {}).items():
        text = text.replace(color, replacement)
    opening = _OPENING.match(text)
    assert opening is not None
    look = f' style="{style}"' if style else ""
    view = " ".join(f"{number:g}" for number in view_box(svg))
    start = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{escape(label)}" viewBox="{view}"{look}>'
    )
    return start + text[opening.end() :].strip()


def view_box(svg: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of the visible part of a picture, in its units."""
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None
    left, top, width, height = (float(number) for number in box.group(1).split())
    return left, top, width, height
