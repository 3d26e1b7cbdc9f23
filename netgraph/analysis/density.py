"""Links that may miss edges, and their density."""

from __future__ import annotations

from collections.abc import Iterable

from netgraph.analysis.carrying import path_links
from netgraph.checks import checked
from netgraph.errors import GraphError
from netgraph.graph import Graph, LinkKey


@checked
def sparse_links(graph: Graph, *, head: bool = False) -> tuple[LinkKey, ...]:
    """Keys of the links that sparse training thins out and fills up, in the order of `graph.links_by_key`.

    Wires are never among them, nor are links whose edges are all frozen, because no edges may be added to these. Of
    several weighted links between the same two layers only the one at the lowest port is among them, because pairs of
    vertices name that one. Links into output layers are left out unless `head` is true or there are no other links:
    they hold few edges, and every class needs them.

    Links that no path of weights goes through are left out, see `path_analysis`: those into queries and keys, and those
    from positions. So are tables, the links from inputs of ids; and where the graph has attention, all links from
    inputs, which make the tokens. The other links of a transformer, into values, out of mixes and of its MLPs, are
    among them, as in PWMPR.

    Args:
        graph: any graph.
        head: whether links into output layers may be sparse as well.

    Cost: O(edges).
    """
    layers, on_path = graph.layers_by_id, path_links(graph)
    attends = any(x.merge is not None and x.merge.gives_heads for x in layers.values())
    embeds = {x.id for x in graph.inputs if attends or x.encoding == "index"}
    lowest: dict[tuple[int, int], LinkKey] = {}
    for key, link in graph.links_by_key.items():  # lower ports first
        if not link.kind.wires and on_path[key] and key[0] not in embeds:
            lowest.setdefault(key[:2], key)
    weighted = [key for key in lowest.values() if not len(graph.links_by_key[key]) or not _frozen(graph, key)]
    inner = [key for key in weighted if layers[key[1]].role != "output"]
    return tuple(weighted if head or not inner else inner)


@checked
def admissible_edges(graph: Graph, links: Iterable[LinkKey]) -> int:
    """Return the largest number of edges that these links could hold: `width * width * taps`, summed, without wires."""
    return sum(_cells(graph, key) for key in links)


@checked
def density(graph: Graph, links: Iterable[LinkKey]) -> float:
    """Density of these links: their edges over their admissible edges; 0 without links.

    Args:
        graph: any graph.
        links: keys of links of the graph, see `sparse_links`.

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
