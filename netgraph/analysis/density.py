"""Which links may miss edges, and how many of their edges are there."""

from __future__ import annotations

from collections.abc import Iterable

from netgraph.checks import checked
from netgraph.errors import GraphError
from netgraph.graph import Graph, LinkKey


@checked
def sparse_links(graph: Graph, *, head: bool = False) -> tuple[LinkKey, ...]:
    """Keys of the links that methods of sparse training thin out and fill up, in the order of `graph.links_by_key`.

    Wires never are among them, nor links whose edges are all frozen, which take no others. Of several weighted links
    between two layers it is that at the lowest port, which pairs of vertices name. Links into output layers stay
    dense unless `head` is true, or no others are there: they hold few edges, and every class needs them.

    Args:
        graph: any graph.
        head: whether links into output layers may be sparse as well.

    Cost: O(edges).
    """
    lowest: dict[tuple[int, int], LinkKey] = {}
    for key, link in graph.links_by_key.items():  # lower ports first
        if not link.kind.wires:
            lowest.setdefault(key[:2], key)
    weighted = [key for key in lowest.values() if not len(graph.links_by_key[key]) or not _frozen(graph, key)]
    inner = [key for key in weighted if graph.layer(key[1]).role != "output"]
    return tuple(weighted if head or not inner else inner)


@checked
def admissible_edges(graph: Graph, links: Iterable[LinkKey]) -> int:
    """Largest number of edges that these links could hold: width times width times kernel positions, no wires."""
    return sum(_cells(graph, key) for key in links)


@checked
def density(graph: Graph, links: Iterable[LinkKey]) -> float:
    """Edges of these links over those that they could hold; 0 when there are no links.

    Args:
        graph: any graph.
        links: keys of its links, as of `sparse_links`.

    Raises:
        GraphError: when the graph has no such link.

    Cost: O(links).
    """
    keys = tuple(links)
    cells = admissible_edges(graph, keys)
    return sum(len(graph.links_by_key[key]) for key in keys) / cells if cells else 0.0


def _frozen(graph: Graph, key: LinkKey) -> bool:
    return bool(graph.links_by_key[key].frozen.all())


def _cells(graph: Graph, key: LinkKey) -> int:
    link = graph.link(key)
    if link is None:
        raise GraphError(f"There is no link {key}, (source, target, port); ids change with rewrites.")
    return link.kind.admissible_edges(len(graph.layer(link.source)), len(graph.layer(link.target)))
