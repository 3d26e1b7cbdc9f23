"""What a film says of each step, and which rewrites share a step."""

from __future__ import annotations

import dataclasses
import re

import pytest
from timeline_runs import ladder, long_run

from netgraph.graph import mlp
from netgraph.rewriting import Journal, apply
from netgraph.rules import SplitEdges
from netgraph.viz import timeline
from netgraph.viz.film.steps import _proved


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    return ladder(tmp_path_factory.mktemp("runs") / "ladder")


def test_captions_say_what_the_journal_says(journal):
    film = timeline(journal).film
    assert film.title == "Growth of ladder"
    assert film.captions[0].heading == "Start"
    entry = journal.entries()[0]
    facts = dict(film.captions[1].facts)
    assert film.captions[1].heading == f"Rewrite 1 of {len(journal)}: SplitEdges"
    assert facts["Epoch"] == "0"
    assert facts["Changed"] == entry.summary
    assert facts["Matches"] == "4"
    assert facts["Edges"] == f"48 → {entry.edges}"
    assert facts["Certificate"] == "exact"
    assert facts["Measured"].startswith("changes by ")
    assert facts["Just before"] == "val accuracy 0.5"
    assert "cross = selected" in facts["Parameters"].split("\n")


def test_bounds_are_stated(journal):
    bounded = [e.rewrite for e in journal.entries() if e.certificate.kind == "bounded"]
    assert bounded
    value = dict(timeline(journal).film.captions[bounded[0]].facts)["Certificate"]
    assert re.match(r"bounded, at most \d", value)


def test_bounds_are_not_rounded_down(journal):
    (entry,) = [e for e in journal.entries() if e.certificate.kind == "bounded"][:1]
    entry = dataclasses.replace(entry, certificate=dataclasses.replace(entry.certificate, bound=0.12341))
    assert dict(_proved([entry]))["Certificate"] == "bounded, at most 0.124"


def test_graphs_have_the_captions_that_they_are_given():
    start = mlp([2, 2])
    film = timeline([(start, "first <b>"), (apply(SplitEdges(), start).graph, "then")], title="T").film
    assert [caption.heading for caption in film.captions] == ["first <b>", "then"]
    assert film.title == "T"
    assert [caption.heading for caption in timeline([start, start]).film.captions] == ["Start", "Step 1"]


@pytest.mark.parametrize(("most", "steps", "heading"), [(20, 15, "Rewrites 3 to 4"), (8, 8, "Rewrites 3 to 6")])
def test_many_rewrites_are_merged_by_epoch_and_then_thinned(tmp_path, monkeypatch, most, steps, heading):
    monkeypatch.setattr("netgraph.viz.film.steps.MOST_STEPS", most)
    journal = long_run(tmp_path / "run")
    entries = journal.entries()
    film = timeline(journal).film
    assert len(film.captions) == steps + 1
    assert f"30 rewrites are shown in {steps} steps: neighbouring rewrites are merged." in film.notes
    caption = film.captions[2]
    first, last = (int(number) for number in re.findall(r"\d+", heading))
    assert caption.heading == f"{heading} of 30: AddEdges ({last - first + 1} times)"
    assert dict(caption.facts)["Certificates"] == f"{last - first + 1} exact"
    assert caption.edges == entries[last - 1].edges
    assert dict(caption.facts)["Edges"] == f"{entries[first - 2].edges} → {caption.edges}"
    assert dict(caption.facts)["Just before"] == f"val accuracy {0.5 + (first - 1) / 100:.4g}"
    assert film.captions[-1].edges == entries[-1].edges
    assert film.links[0].counts[2].tolist()[:2] == [caption.edges, last - first + 1]


def test_at_most_200_steps_follow_the_first():
    graph = mlp([1, 1])
    film = timeline([graph] * 1001).film
    assert len(film.captions) == 201
    assert film.captions[0].heading == "Start"
    assert film.captions[-1].heading == "Step 200"
    assert film.notes == ("201 of 1,001 graphs are shown, evenly spread.",)


def test_a_journal_without_rewrites_has_one_step(tmp_path):
    journal = Journal.create(tmp_path / "run", mlp([2, 2]))
    film = timeline(str(tmp_path / "run")).film
    assert len(film.captions) == 1
    assert dict(film.captions[0].facts)["Rewrites"] == "none was made"
    assert len(timeline(journal)) == 1


def test_repr(journal):
    assert repr(timeline(journal)).startswith(f"Timeline({len(journal) + 1} steps, 48 to ")
