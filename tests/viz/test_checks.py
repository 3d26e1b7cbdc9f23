"""What pictures refuse: values that are no graphs or headings, and graphs that are not of one history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeline_runs import ladder

from netgraph.errors import OptionError
from netgraph.graph import Graph, mlp, thinned
from netgraph.rewriting import apply, apply_delta
from netgraph.rules import SplitEdges, WidenLayer
from netgraph.serialize import load, save
from netgraph.testing import graphs, rewrites
from netgraph.viz import draw, draw_delta, plot_growth, timeline
from netgraph.viz.checks import check_history


class CompiledNetwork:
    """Stands for the one of the compiler, which pictures do without."""


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "not None"), (3, r"not 3 \(int\)"), ("g", "not 'g'"), ([], "not a list"), (CompiledNetwork(), "lift")],
)
def test_what_is_no_graph_is_named(value: object, said: str) -> None:
    for picture in (draw, draw_delta, lambda v: draw_delta(mlp([2, 2]), v), lambda v: timeline([v])):
        if value is not None or picture is draw:
            with pytest.raises(OptionError, match=said):
                picture(value)  # type: ignore[operator]


def test_titles_are_texts() -> None:
    graph = mlp([2, 2])
    for picture in (draw(graph), None):
        with pytest.raises(OptionError, match=r"title must be a text or None, not 3 \(int\)"):
            draw(graph, title=3) if picture else draw_delta(graph, graph, title=3)  # type: ignore[arg-type]


def test_a_timeline_of_nothing_is_refused_in_words() -> None:
    with pytest.raises(OptionError, match="of no graphs cannot be shown: give at least one"):
        timeline([])
    with pytest.raises(OptionError, match="not int"):
        timeline(3)  # type: ignore[arg-type]


UNRELATED = [
    ([4, 3, 2], [4, 5, 2]), ([4, 3, 2], [7, 2]), ([4, 3], [4, 3, 2]), ([4, 3, 2], [2, 3, 4]), ([700, 3], [700, 5]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), UNRELATED)
def test_graphs_of_other_histories_are_refused(one: list[int], other: list[int]) -> None:
    a, b = mlp(one), mlp(other)
    grown = apply(SplitEdges(), b, limit=1, probe=None).graph
    for old, new in ((a, b), (b, a), (a, grown), (grown, a)):
        for picture in (lambda x, y: draw_delta(x, y), lambda x, y: draw(x).diff(y), lambda x, y: timeline([x, x, y])):
            with pytest.raises(OptionError, match=r"not of one history: .* in one and .* in the other"):
                picture(old, new)


def test_graphs_of_one_history_pass(tmp_path) -> None:  # type: ignore[no-untyped-def]
    first = mlp([4, 3, 2])
    save(first, tmp_path / "first.safetensors")
    thin = thinned(first, np.arange(len(first.edges)) % 2 == 0)
    result = apply(WidenLayer(), first, probe=None)
    undone = apply_delta(result.graph, result.delta.inverse())[0]
    branch = apply(SplitEdges(), first, limit=2, probe=None).graph
    family = [first, load(tmp_path / "first.safetensors"), thin, result.graph, undone, branch, mlp([4, 3, 2], seed=7)]
    for old in family:
        for new in family:
            check_history(old, new)
    grown = [graph for _entry, graph in ladder(tmp_path / "run").replay()]
    for old in grown:
        for new in (*grown, thinned(grown[-1], np.ones(len(grown[-1].edges), bool))):
            check_history(old, new)


@given(st.data())
def test_no_rewrite_leads_out_of_its_history(data: st.DataObject) -> None:
    graph: Graph = data.draw(graphs())
    result = data.draw(rewrites(graph))
    check_history(graph, result.graph)
    check_history(result.graph, graph)


def test_metrics_of_a_journal_without_rewrites_are_refused_in_words(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from timeline_runs import record

    journal = record(tmp_path, mlp([2, 2]), [])
    with pytest.raises(OptionError, match=r"'nope' cannot be drawn: .* no rewrite yet"):
        plot_growth(journal, metric="nope")
