import io

import numpy as np
import pytest
from rich.console import Console

import netgraph as ng
from compilers.training import EpochEnded, NothingSelected, PhaseBegan, Rewritten, Settled, Stopped
from netgraph.app.progress import ProgressDisplay, places, rewrite_line
from netgraph.methods import NewPhase, Proposal
from netgraph.rules import AddEdges, PruneEdges, PruneVertices, SplitEdges
from netgraph.schedules import Phase, StopReason

METRICS = {"train_loss": 0.5, "val_loss": 0.25, "val_accuracy": 0.875, "edges": 1234, "seconds": 1.5}


def rewritten(rule, graph, **options):
    result = ng.apply(rule, graph, **options)
    proposal = Proposal("split", rule, np.empty(0), "3 of 6 edges selected by [g_abs]")
    return Rewritten(2, proposal, result, graph, METRICS, 0)


@pytest.fixture
def shown():
    """`shown(*events)`: what a person reads."""

    def make(*events):
        console = Console(file=io.StringIO(), width=300)
        with ProgressDisplay(console, epochs=20) as display:
            for event in events:
                display(event)
        return console.file.getvalue()

    return make


def test_an_epoch_is_one_line(shown):
    text = shown(EpochEnded(3, 20, METRICS))
    for words in ("epoch  3/20", "loss 0.5000 train, 0.2500 val", "val_acc 0.8750", "edges 1,234", "1.50 s"):
        assert words in text


def test_a_line_in_a_file_is_not_wrapped():
    console = Console(file=io.StringIO(), width=40)
    with ProgressDisplay(console, epochs=20) as display:
        display(EpochEnded(3, 20, METRICS))
    assert (
        "epoch  3/20  loss 0.5000 train, 0.2500 val  val_acc 0.8750  edges 1,234  1.50 s\n" in console.file.getvalue()
    )


def test_regression_shows_its_error(shown):
    metrics = {k: v for k, v in METRICS.items() if k != "val_accuracy"} | {"val_rmse": 0.5}
    assert "val_rmse 0.5 (standardised)" in shown(EpochEnded(3, 20, metrics))


def test_a_rewrite_says_what_where_how_often_and_why(shown):
    graph = ng.mlp([3, 2], domain=(0, 1))
    event = rewritten(SplitEdges(), graph, limit=3)
    text = shown(event)
    for words in ("SplitEdges x 3 in input->output", "+3 vertices", "; exact; measured", "selected by [g_abs]"):
        assert words in text
    assert "; exact (" in rewrite_line(rewritten(SplitEdges(), graph, limit=3, probe=None))
    assert "; bounded, at most 0." in rewrite_line(rewritten(PruneEdges(below=None), graph, limit=3))


def test_what_selects_nothing_and_what_stops_is_told(shown):
    proposal = Proposal("split", SplitEdges(), np.empty(0), "0 of 6 edges selected")
    assert "split: nothing to rewrite (0 of 6 edges selected)" in shown(NothingSelected(2, proposal))
    reason = StopReason("other", "[enough]", "add some")
    assert "stopped: [enough]; add some" in shown(Stopped(4, reason))


def test_settling_prints_nothing(shown):
    assert shown(Settled(3, 20)).strip() == shown().strip()


def test_places_name_three_links_at_most():
    graph = ng.mlp([3, 2], domain=(0, 1))
    assert places(ng.apply(SplitEdges(), graph, limit=1)) == "in input->output"
    deep = ng.mlp([2, 2, 2, 2, 2, 2], domain=(0, 1))
    text = places(ng.apply(SplitEdges(), deep))
    assert text == "in input->hidden1, hidden1->hidden2, hidden2->hidden3 and 2 more"
    vertices = ng.apply(PruneVertices(only_dead=False), deep, limit=1)
    assert places(vertices) == "in hidden1"
    layers = ng.apply(ng.rules.WidenLayer(), deep)
    assert places(layers) == "in hidden1, hidden2, hidden3 and 1 more"
    links = ng.apply(ng.rules.InsertLayer(), deep, on=[("input", "hidden1"), ("hidden4", "output")])
    assert places(links) == "in input->hidden1, hidden4->output"
    pairs = ng.apply(ng.rules.AddSkip(), deep, on=[("input", "hidden2")])
    assert places(pairs) == "in input->hidden2"


def test_added_edges_are_told_by_their_links(shown):
    graph = ng.mlp([3, 4, 2], density=0.5, domain=(0, 1))
    event = rewritten(AddEdges(), graph)
    assert f"AddEdges x {len(event.result.matches)} in input->hidden1, hidden1->output: +" in shown(event)


def test_a_new_phase_is_told(shown):
    assert "grow: new phase (density [0.5] is reached)" in shown(
        PhaseBegan(3, NewPhase("grow", Phase(), "density [0.5] is reached"))
    )
