"""`timeline`: how a network grew, step by step, as a page to play with or as a moving picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Literal

from netgraph.checks import choice
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Journal
from netgraph.storage import write_atomically, write_text
from netgraph.viz.film.film import Film, TooManyThingsError, make_film
from netgraph.viz.film.page import render_fragment, render_page
from netgraph.viz.film.steps import open_source
from netgraph.viz.layout import Pixels

_DETAILS = ("auto", "vertices", "layers")
# (vertices, edges) of the largest step up to which `auto` shows vertices.
_AUTO_LIMITS = (600, 20_000)


@dataclass(frozen=True)
class Timeline:
    """A growth as a film. Notebooks show it by themselves.

    The first step is the start, then there is one per rewrite. What is new in a step is green, what will be gone in
    the next is red, and everything keeps its place.
    """

    film: Film

    @cached_property
    def html(self) -> str:
        """A page that stands alone: it needs no network and no other file."""
        return render_page(self.film)

    def fragment(self, key: str) -> str:
        """A part for another page: a section with id `key` that brings its own style and script.

        Args:
            key: a letter and then letters, digits, - and _; another one for each part of the same page.

        Raises:
            OptionError: when the key is none, or the package jinja2 is not installed.
        """
        return render_fragment(self.film, key)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file ending in .html, or the moving picture to one ending in .gif.

        Raises:
            OptionError: for any other suffix, or when a package that it takes is not installed.
            OSError: when the file cannot be written; what was there before stays.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".html":
            write_text(path, self.html)
        elif suffix == ".gif":
            from netgraph.viz.film.picture import render_gif

            write_atomically(path, render_gif(self.film))
        else:
            raise OptionError(f"{os.fspath(path)!r} ends in neither .html nor .gif, the kinds that can be written.")

    def frames(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write every step as a picture, `0000.png` and so on, into a directory, which is made when it is not there.

        Returns:
            The files in the order of the steps.

        Raises:
            OptionError: when the package matplotlib is not installed.
            OSError: when a file cannot be written.
        """
        from netgraph.viz.film.picture import render_png

        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for step in range(len(self)):
            paths.append(folder / f"{step:04d}.png")
            write_atomically(paths[-1], render_png(self.film, step))
        return paths

    def __len__(self) -> int:
        """Number of steps, the start included."""
        return len(self.film.said)

    def __repr__(self) -> str:
        first, last = self.film.said[0], self.film.said[-1]
        level = "layers" if self.film.vertices is None else "vertices"
        return (
            f"Timeline({len(self):,} steps, {first.edges:,} to {last.edges:,} edges, detail {level!r}; "
            ".save('growth.html'), .save('growth.gif'))"
        )

    def _repr_html_(self) -> str:
        # A frame of its own keeps ids, styles and keys of several timelines in one notebook apart.
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" title="{escape(self.film.title)}" '
            'style="width:100%;height:720px;border:0" loading="lazy"></iframe>'
        )


def timeline(
    journal: Journal | str | os.PathLike[str] | Sequence[Graph | tuple[Graph, str]],
    *,
    detail: Literal["auto", "vertices", "layers"] = "auto",
    title: str | None = None,
    pixels: Pixels | None = None,
) -> Timeline:
    """Show how a network grew.

    Of a journal with more than 200 rewrites, those of one epoch share a step, and then neighbouring epochs; the page
    says so. Weights are those just before the next rewrite, and at the end those of `graph.safetensors` where a run
    directory has it.

    Args:
        journal: a journal, a run directory, or graphs of one history in their order, each alone or with a caption.
        detail: "vertices" for every vertex and the edges with the largest weights, "layers" for a box per layer;
            "auto" shows vertices up to 600 vertices and 20,000 edges in any step.
        title: heading; by default it names the run directory.
        pixels: (height, width) or (channels, height, width) of the inputs, to show them as an image.

    Returns:
        The film: `.html`, `.save("growth.html")`, `.save("growth.gif")`, `.frames("pictures")`.

    Raises:
        JournalError: there is no journal, or a damaged one.
        OptionError: an argument is not allowed, or there is too much for `detail="vertices"`.

    Cost: O(vertices + edges) per rewrite, up to sorting.

    Example:
        >>> timeline("runs/digits", pixels=(8, 8)).save("growth.html")  # doctest: +SKIP
    """
    choice("detail", detail, _DETAILS)
    source = open_source(journal)
    heading, notes = source.name if title is None else str(title), [source.note]
    small = source.vertices <= _AUTO_LIMITS[0] and source.edges <= _AUTO_LIMITS[1]
    if detail == "vertices" or (detail == "auto" and small):
        try:
            return Timeline(make_film(heading, source.steps(trained=True), notes, vertices=True, pixels=pixels))
        except TooManyThingsError:
            if detail == "vertices":
                raise
    return Timeline(make_film(heading, source.steps(trained=False), notes, vertices=False, pixels=pixels))
