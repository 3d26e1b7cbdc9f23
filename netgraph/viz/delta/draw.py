"""`draw_delta`: what a rewrite added, removed, changed and kept, as a picture."""

from __future__ import annotations

from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Result
from netgraph.viz.checks import check_graph, check_history, check_title
from netgraph.viz.delta.difference import Difference
from netgraph.viz.delta.layers import layer_delta_dot
from netgraph.viz.delta.vertices import vertex_delta_dot
from netgraph.viz.drawing import Detail, Drawing, as_vertices, check_detail
from netgraph.viz.layout import Pixels
from netgraph.viz.text import count

# Above so many edges that came, went or changed, `auto` draws layers.
_MOST_CHANGES = 600


def draw_delta(
    result: Result | Graph,
    after: Graph | None = None,
    *,
    detail: Detail = "auto",
    title: str | None = None,
    pixels: Pixels | None = None,
) -> Drawing:
    """Draw what a rewrite did: what it added (green, thick), removed (red, dashed), changed (amber), kept (grey).

    What both graphs have is drawn once, at one place. The caption tells the counts, and of a rewrite the rule and the
    certificate.

    Args:
        result: what `apply` returned; or the earlier of two graphs of one history.
        after: the later graph, when `result` is a graph.
        detail: "vertices" or "layers"; "auto" draws vertices up to 600 edges that changed, and where `draw` does.
        title: heading of the picture; the rule, when there is one, stands below it.
        pixels: shape of the input, as for `draw`.

    Raises:
        OptionError: an option is unknown or does not fit, a second graph is missing or one too many, the graphs are
            not of one history, or too large to draw their vertices.

    Example:
        >>> result = apply(SplitEdges(), mlp([3, 2]))  # doctest: +SKIP
        >>> draw_delta(result).save("split.svg")  # doctest: +SKIP
    """
    check_detail(detail)
    check_title(title)
    old, new = _graphs(result, after)
    check_history(old, new)
    difference = Difference.between(old, new)
    facts = [] if isinstance(result, Graph) else [_rule_line(result)]
    summary = difference.summary()
    facts.append(f"{summary[0].upper()}{summary[1:]}.")
    if isinstance(result, Result):
        facts.append(f"Certificate: {result.certificate.brief()}.")
    vertices = new.num_vertices + int(difference.vertices_removed.sum())
    if detail == "auto" and difference.size > _MOST_CHANGES:
        small = False
    else:
        layers = new.num_layers + len(difference.layers_removed)
        small = as_vertices(detail, vertices, max(len(old.edges), len(new.edges)), layers)
    dot = vertex_delta_dot(difference, title, facts, pixels) if small else layer_delta_dot(difference, title, facts)
    return Drawing(dot, new, {"detail": detail, "title": title, "pixels": pixels})


def _graphs(result: Result | Graph, after: Graph | None) -> tuple[Graph, Graph]:
    if isinstance(result, Graph):
        if after is None:
            raise OptionError("draw_delta(graph) lacks the later graph: draw_delta(before, after), or a Result.")
        check_graph(after, "draw_delta(before, after)")
        return result, after
    if not isinstance(result, Result):
        check_graph(result, "draw_delta, without a Result,")
    if after is not None:
        raise OptionError("A Result has both of its graphs; leave out the second argument of draw_delta.")
    if result.delta.graphs is None:
        raise OptionError("The delta of this Result was read from a file; call draw_delta(before, after) instead.")
    return result.delta.graphs


def _rule_line(result: Result) -> str:
    name = result.rule.name
    if not result.changed:
        return f"{name} changed nothing." if len(result.matches) else f"{name} matched nothing."
    skipped = f", {len(result.skipped):,} skipped" if len(result.skipped) else ""
    return f"{name}: {count(len(result.matches), 'match', 'matches')}{skipped}."
