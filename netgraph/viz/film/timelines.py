"""Timelines: the growth of a network, step by step, as an interactive page or as a moving picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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
from netgraph.viz.frames import framed
from netgraph.viz.layout import Pixels

_DETAILS = ("auto", "vertices", "layers")
# Largest numbers of vertices and edges in a step for which `auto` shows vertices.
_AUTO_LIMITS = (600, 20_000)


@dataclass(frozen=True)
class Timeline:
    """The growth of a network as a film. Notebooks display it without a further call.

    The first step shows the start, and each further step a rewrite. New items of a step are green, and items that the
    next step removes are red. No item changes its position.
    """

    film: Film

    @cached_property
    def html(self) -> str:
        """The film as a self-contained page, which needs no network and no other file."""
        return render_page(self.film)

    def fragment(self, key: str) -> str:
        """Return the film as a section for another page, with its own style and script.

        Args:
            key: id of the section, a letter and then letters, digits, - and _. Sections of one page need different
                keys.

        Raises:
            OptionError: when `key` is not such an id, or the package jinja2 is not installed.
        """
        return render_fragment(self.film, key)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file whose name ends in .html, or the moving picture to one that ends in .gif.

        Raises:
            OptionError: for any other suffix, or when a package that is needed is not installed.
            OSError: when the file cannot be written; a file that existed before stays unchanged.
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
        """Write every step as a picture into a directory, as `0000.png` and so on.

        Args:
            directory: the directory, which is made if it does not exist.

        Returns:
            Paths of the files in the order of the steps.

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
        return len(self.film.captions)

    def __repr__(self) -> str:
        first, last = self.film.captions[0], self.film.captions[-1]
        level = "layers" if self.film.vertices is None else "vertices"
        return (
            f"Timeline({len(self):,} steps, {first.edges:,} to {last.edges:,} edges, detail {level!r}; "
            ".save('growth.html'), .save('growth.gif'))"
        )

    def _repr_html_(self) -> str:
        return framed(self.html, self.film.title)


def timeline(
    journal: Journal | str | os.PathLike[str] | Sequence[Graph | tuple[Graph, str]],
    *,
    detail: Literal["auto", "vertices", "layers"] = "auto",
    title: str | None = None,
    pixels: Pixels | None = None,
) -> Timeline:
    """Make a film of the growth of a network, with a step per rewrite.

    For a journal with more than 200 rewrites, all rewrites of an epoch share a step, and if necessary several epochs
    do. The page states this. The weights of a step are the ones just before the next rewrite, and the weights of the
    last step come from `graph.safetensors` if the run directory has this file.

    Args:
        journal: a journal, a run directory, or graphs of one history in order, each alone or as `(graph, caption)`.
        detail: "vertices" shows every vertex and the edges with the largest weights, "layers" a box per layer; "auto"
            shows vertices when no step has more than 600 vertices or 20,000 edges.
        title: heading of the film; by default it names the run directory.
        pixels: shape of the input, `(height, width)` or `(channels, height, width)`, to show it as an image.

    Returns:
        The film, for `.html`, `.save("growth.html")`, `.save("growth.gif")` or `.frames("pictures")`.

    Raises:
        JournalError: the journal is missing or damaged.
        OptionError: an argument is not allowed, or the graphs are too large for `detail="vertices"`.

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
