"""Frames: pages inside of pages."""

from __future__ import annotations

from html import escape


def framed(html: str, title: str) -> str:
    """Put a page into a frame of its own, so that several pages share neither ids, styles nor keys.

    Args:
        html: the page.
        title: name of the frame for screen readers.
    """
    return (
        f'<iframe srcdoc="{escape(html)}" sandbox="allow-scripts" title="{escape(title)}" '
        'style="width:100%;height:720px;border:0" loading="lazy"></iframe>'
    )
