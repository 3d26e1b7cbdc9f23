"""Explorer pages: graphs, rewrites and runs on an interactive page in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from netgraph.errors import OptionError
from netgraph.rewriting import Rule
from netgraph.statistics import Statistics
from netgraph.storage import write_text
from netgraph.viz.explorer.page import page
from netgraph.viz.explorer.payload import make_payload
from netgraph.viz.explorer.subjects import Subject
from netgraph.viz.frames import framed


@dataclass(frozen=True, eq=False)
class ExplorerPage:
    """Interactive page. Notebooks display it without a further call.

    Attributes:
        payload: all that the page shows, as JSON values.
    """

    payload: Mapping[str, Any]

    @cached_property
    def html(self) -> str:
        """The page, which needs no network and no other file."""
        return page(self.payload)

    @property
    def title(self) -> str:
        """Title of the page."""
        return str(self.payload["title"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file whose name ends in .html.

        Raises:
            OptionError: for any other suffix.
            OSError: when the file cannot be written; a file that existed before stays unchanged.
        """
        if Path(path).suffix.lower() != ".html":
            raise OptionError(f"{os.fspath(path)!r} does not end in .html, the kind of file that a browser opens.")
        write_text(path, self.html)

    def widget(self, height: int = 720) -> Any:
        """Return a widget for notebooks that knows the chosen edge, vertex or layer.

        Its trait `chosen` is None, or a dictionary: `kind` ("edge", "vertex" or "layer"), `id`, and `graph`, the name
        of the graph on the page. `widget.observe(function, "chosen")` calls a function at each choice.

        Args:
            height: height in pixels.

        Raises:
            OptionError: when the package anywidget is not installed.
        """
        from netgraph.viz.explorer.widget import make_widget

        return make_widget(self.html, self.title, height)

    def __repr__(self) -> str:
        sizes = [graph["edges"]["columns"]["id"]["shape"][0] for graph in self.payload["graphs"]]
        graphs = ", ".join(
            f"{graph['name']} of {size:,} edges" for graph, size in zip(self.payload["graphs"], sizes, strict=True)
        )
        return f"ExplorerPage({self.title!r}: {graphs}; .save('explore.html'))"

    def _repr_html_(self) -> str:
        return framed(self.html, self.title)


def explore(
    subject: Subject,
    path: str | os.PathLike[str] | None = None,
    *,
    stats: Statistics | None = None,
    rule: Rule | None = None,
    beside: Subject | None = None,
) -> ExplorerPage:
    """Make an interactive page of a graph, a rewrite or a run.

    It shows layers, vertices and single edges, of 100,000 edges as well: search by id, colours and filters by any
    column, and for the chosen edge or vertex its history: the rewrite that made it with the reason and the certificate,
    and in a run weight and gradient over the epochs. It is one file, and requests nothing from a network.

    Args:
        subject: a `Graph`, the result of `apply` or `draft`, a `Journal`, a run directory, or the file of a graph. Of a
            rewrite and of a run both ends stand side by side.
        path: file to write, whose name ends in .html, or None to write none.
        stats: statistics of a graph on the page; each is a column for colours and filters.
        rule: rule whose matches and nearest misses are marked: in a graph, before a rewrite, at the end of a run.
        beside: second subject, to be shown beside the first one; both by the graph that they end with. What both have
            stays in its place if they are of one history.

    Raises:
        OptionError: the subject is none of these, or `path` has another suffix.
        StatisticsError: the statistics belong to another topology, or the rule needs some that are not given.
        JournalError, FileFormatError: a file of a run is missing or damaged.
        OSError: the file cannot be written.

    Cost: O(vertices + edges) per graph and, of a run, per rewrite, up to sorting.
    """
    made = ExplorerPage(make_payload(subject, stats=stats, rule=rule, beside=beside))
    if path is not None:
        made.save(path)
    return made
