"""What pictures refuse: values that are no graphs or headings, and graphs that are not of one history."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeline_runs import ladder

from netgraph.errors import OptionError
from netgraph.graph import Graph, mlp, thinned
from netgraph.graph.history import MAX_STATIONS
from netgraph.rewriting import apply, apply_delta, draft
from netgraph.rules import AddEdges, PruneEdges, SplitEdges, WidenLayer
from netgraph.storage.graphs import load, save
from netgraph.testing import graphs, rewrites
from netgraph.viz import draw, draw_delta, plot_density, plot_growth, timeline
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
    pruned = apply(PruneEdges(below=None), first, limit=2, probe=None).graph  # a branch that adds nothing
    family = [first, load(tmp_path / "first.safetensors"), thin, result.graph, undone, pruned, mlp([4, 3, 2], seed=7)]
    for old in family:
        for new in family:
            check_history(old, new)
    grown = [graph for _entry, graph in ladder(tmp_path / "run").replay()]
    for old in grown:
        for new in (*grown, thinned(grown[-1], np.ones(len(grown[-1].edges), bool))):
            check_history(old, new)


def _drawn(old: Graph, new: Graph) -> list[Callable[[], object]]:
    return [
        lambda: draw_delta(old, new),
        lambda: draw(old).diff(new),
        lambda: timeline([old, old, new]),
        lambda: plot_density([old, new]),
    ]


@pytest.mark.parametrize("steps", [1, 3])
def test_two_runs_of_one_start_are_refused_once_both_have_grown(steps: int, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """They give the same ids to different things; files know it as well."""
    runs = []
    for seed, rule in enumerate((SplitEdges(), WidenLayer())):
        graph = mlp([4, 3, 2], domain=(0, 1), seed=seed)
        for _ in range(steps):
            graph = apply(rule, graph, limit=1, order_by="random", rng=seed, probe=None).graph
        save(graph, tmp_path / f"{seed}.safetensors")
        runs.append(graph)
    loaded = [load(tmp_path / f"{seed}.safetensors") for seed in range(2)]
    for old, new in (runs, runs[::-1], loaded, [runs[0], loaded[1]]):
        for picture in _drawn(old, new):
            with pytest.raises(OptionError, match=r"one history: they part after rewrite 0, and the .* id"):
                picture()
    check_history(runs[0], loaded[0], Graph.from_networkx(runs[0].to_networkx()))
    with pytest.raises(OptionError, match="they part after rewrite 0"):
        check_history(runs[0], Graph.from_networkx(runs[1].to_networkx()))
    check_history(mlp([4, 3, 2], domain=(0, 1)), runs[1])


def test_branches_are_refused_as_soon_as_both_have_something_new() -> None:
    first = apply(SplitEdges(), mlp([4, 3, 2], domain=(0, 1)), limit=1, probe=None).graph
    grown = apply(SplitEdges(), first, limit=1, probe=None).graph
    pruned = apply(PruneEdges(below=None), first, limit=1, probe=None).graph
    check_history(pruned, grown)
    with pytest.raises(OptionError, match="they part after rewrite 1"):
        check_history(apply(SplitEdges(), pruned, limit=1, probe=None).graph, grown)


def test_rewrites_that_are_composed_or_redone_stay_in_their_history() -> None:
    graphs_ = [mlp([4, 3, 2], domain=(0, 1))]
    deltas = []
    for _ in range(3):
        result = apply(SplitEdges(), graphs_[-1], limit=1, probe=None)
        graphs_.append(result.graph)
        deltas.append(result.delta)
    at_once = apply_delta(graphs_[0], deltas[0].then(deltas[1]).then(deltas[2]))[0]
    back = apply_delta(at_once, deltas[2].inverse())[0]
    for graph in (*graphs_, back):
        check_history(graph, at_once)
        check_history(back, graph)


def test_a_history_longer_than_a_file_holds_is_compared_as_far_as_it_is_known(tmp_path) -> None:  # type: ignore[no-untyped-def]
    graph = mlp([2, 2], domain=(0, 1))
    early = None
    for number in range(MAX_STATIONS + 20):
        graph = draft(AddEdges() if number % 2 else PruneEdges(below=None), graph, limit=1).graph
        early = graph if number == 5 else early
    save(graph, tmp_path / "late.safetensors")
    late = load(tmp_path / "late.safetensors")
    assert len(list(late.past)) == MAX_STATIONS
    check_history(early, late)


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
