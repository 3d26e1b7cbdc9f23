"""Steps of a timeline: graphs with their captions, from a journal or from given graphs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from netgraph.errors import FileFormatError, OptionError
from netgraph.graph import Graph
from netgraph.proof import LEVELS, rounded_up
from netgraph.rewriting import Entry, Journal
from netgraph.storage import load
from netgraph.viz.checks import check_graph, check_history
from netgraph.viz.words import value_lines

MOST_STEPS = 200
"""Largest number of steps after the start. More rewrites are merged into this number of steps."""

_FINAL = "graph.safetensors"
# The facts of a step have these sizes already, before and after it.
_SKIPPED_METRICS = {"edges", "vertices", "layers"}

_KINDS = "a Journal, a run directory, or a sequence of graphs or (graph, caption) pairs"

Captioned = Graph | tuple[Graph, str]


@dataclass(frozen=True)
class Step:
    """A graph of the film with its caption: a heading, and facts as pairs of name and value."""

    graph: Graph
    heading: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Source:
    """Origin of the steps of a film: a journal, or graphs.

    Attributes:
        name: title of the film unless the caller gives another.
        count: number of steps, the start included.
        vertices, edges: largest numbers of vertices and edges in any step.
        note: remark about merged or omitted steps, or None.
        journal: the journal, or None.
        groups: entries of the journal that each step shows.
        graphs: graphs or pairs of graph and caption, when there is no journal.
    """

    name: str
    count: int
    vertices: int
    edges: int
    note: str | None
    journal: Journal | None = None
    groups: tuple[tuple[Entry, ...], ...] = ()
    graphs: tuple[Captioned, ...] = ()

    def steps(self, *, trained: bool) -> Iterator[Step]:
        """Yield the steps in order.

        Args:
            trained: take the weights just before the next rewrite where the journal has them, not the ones just after
                the rewrite of the step.
        """
        if self.journal is None:
            return _graph_steps(self.graphs)
        return _journal_steps(self.journal, self.groups, trained)


def open_source(given: Journal | str | os.PathLike[str] | Sequence[Captioned]) -> Source:
    """Check the argument of `timeline`, and make a source of it. The graphs of a journal are not read yet.

    Raises:
        JournalError: the directory has no journal, or a damaged one.
        OptionError: `given` has another type, is empty, or has graphs that are not of one history.
    """
    if isinstance(given, Journal | str | os.PathLike):
        return _journal_source(given if isinstance(given, Journal) else Journal(given))
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise OptionError(f"A timeline needs {_KINDS}, not {type(given).__name__}.")
    items = tuple(given)
    graphs = [item[0] if isinstance(item, tuple) and len(item) == 2 else item for item in items]
    if not graphs:
        raise OptionError(f"A timeline of no graphs cannot be shown: give at least one, or {_KINDS}.")
    for place, graph in enumerate(graphs):
        check_graph(graph, f"Step {place} of a timeline")
    check_history(*graphs)
    kept = (items[0], *(items[1 + run[-1]] for run in _even(len(items) - 1, MOST_STEPS)))
    note = None if len(kept) == len(items) else f"{len(kept):,} of {len(items):,} graphs are shown, evenly spread."
    vertices = max(graph.num_vertices for graph in graphs)
    return Source("Growth", len(kept), vertices, max(len(graph.edges) for graph in graphs), note, graphs=kept)


# ---- a journal -----------------------------------------------------------------------------------------


def _journal_source(journal: Journal) -> Source:
    entries, first = journal.entries(), journal.first()
    groups = _group(entries)
    note = None
    if len(groups) < len(entries):
        note = f"{len(entries):,} rewrites are shown in {len(groups):,} steps: neighbouring rewrites are merged."
    return Source(
        name=f"Growth of {journal.directory.resolve().name}",
        count=len(groups) + 1,
        vertices=max([first.num_vertices, *(entry.vertices for entry in entries)]),
        edges=max([len(first.edges), *(entry.edges for entry in entries)]),
        note=note,
        journal=journal,
        groups=groups,
    )


def _group(entries: Sequence[Entry]) -> tuple[tuple[Entry, ...], ...]:
    """Entries of each step: a rewrite; for more than 200 rewrites an epoch, for more than 200 epochs several."""
    if len(entries) <= MOST_STEPS:
        return tuple((entry,) for entry in entries)
    epochs: dict[int, list[Entry]] = {}
    for entry in entries:
        epochs.setdefault(entry.epoch, []).append(entry)
    parts = list(epochs.values())
    return tuple(tuple(entry for place in run for entry in parts[place]) for run in _even(len(parts), MOST_STEPS))


def _even(n: int, limit: int) -> list[list[int]]:
    """Numbers from 0 to n - 1, divided into at most `limit` runs of nearly equal length."""
    count = min(n, limit)
    cuts = [k * n // count for k in range(count)] + [n] if count else []
    return [list(range(a, b)) for a, b in pairwise(cuts)]


def _journal_steps(journal: Journal, groups: Sequence[Sequence[Entry]], trained: bool) -> Iterator[Step]:
    last_of_group = {group[-1].rewrite: group for group in groups}
    total, before = len(journal), journal.first()
    first = _with_trained(journal, before, 1, total) if trained else before
    yield Step(first, "Start", _start_facts(before, groups))
    edges = before.num_edges
    for entry, graph in journal.replay():
        group = last_of_group.get(entry.rewrite)
        if group is None:
            continue
        shown = _with_trained(journal, graph, entry.rewrite + 1, total) if trained else graph
        yield Step(shown, _heading(group, total), _facts(group, edges, graph))
        edges = graph.num_edges


def _with_trained(journal: Journal, graph: Graph, next_rewrite: int, total: int) -> Graph:
    """The graph with the weights just before the next rewrite, or `graph` itself if these were not stored."""
    try:
        other = journal.before(next_rewrite) if next_rewrite <= total else load(journal.directory / _FINAL)
    except (OSError, FileFormatError):
        return graph
    return other if other.topology_hash == graph.topology_hash else graph


def _heading(group: Sequence[Entry], total: int) -> str:
    rules = Counter(entry.rule for entry in group)
    names = ", ".join(f"{rule} ({n} times)" if n > 1 else rule for rule, n in rules.items())
    numbers = f"Rewrite {group[0].rewrite:,}"
    if len(group) > 1:
        numbers = f"Rewrites {group[0].rewrite:,} to {group[-1].rewrite:,}"
    return f"{numbers} of {total:,}: {names}"


def _start_facts(graph: Graph, groups: Sequence[Sequence[Entry]]) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Edges", f"{graph.num_edges:,}"),
        ("Vertices", f"{graph.num_vertices:,}"),
        ("Layers", f"{graph.num_layers:,}"),
    ]
    if not groups:
        facts.append(("Rewrites", "none was made"))
    return tuple(facts)


def _facts(group: Sequence[Entry], edges: int, graph: Graph) -> tuple[tuple[str, str], ...]:
    last = group[-1]
    epochs = f"{last.epoch:,}" if group[0].epoch == last.epoch else f"{group[0].epoch:,} to {last.epoch:,}"
    facts = [("Epoch", epochs)]
    if len(group) == 1:
        facts += [("Reason", last.reason)] if last.reason else []
        facts += [("Changed", last.summary), ("Matches", f"{last.matches:,}")]
    facts += [
        ("Edges", f"{edges:,} → {graph.num_edges:,}"),
        ("Vertices", f"{graph.num_vertices:,}"),
        ("Layers", f"{graph.num_layers:,}"),
    ]
    facts += _proved(group)
    metrics = {name: value for name, value in group[0].metrics.items() if name not in _SKIPPED_METRICS}
    if metrics:
        facts.append(("Just before", value_lines(metrics, " ")))
    if len(group) == 1 and last.parameters:
        facts.append(("Parameters", value_lines(last.parameters, " = ")))
    return tuple(facts)


def _proved(group: Sequence[Entry]) -> list[tuple[str, str]]:
    """Facts about the certificate of a rewrite and its measured change, or the number of certificates by level."""
    if len(group) > 1:
        levels = Counter(entry.certificate.level for entry in group)
        return [("Certificates", ", ".join(f"{levels[level]:,} {level}" for level in LEVELS if level in levels))]
    certificate = group[0].certificate
    bound = "" if certificate.bound is None or certificate.kind != "bounded" else rounded_up(certificate.bound)
    facts = [("Certificate", certificate.level + (f", at most {bound}" if bound else ""))]
    if certificate.measured is not None:
        m = certificate.measured
        facts.append(("Measured", f"changes by {m.change:.2g} on {m.samples:,} samples"))
    return facts


# ---- given graphs --------------------------------------------------------------------------------------


def _graph_steps(items: Sequence[Captioned]) -> Iterator[Step]:
    edges: int | None = None
    for place, item in enumerate(items):
        graph, caption = item if isinstance(item, tuple) else (item, "Start" if place == 0 else f"Step {place}")
        counts = f"{graph.num_edges:,}" if edges is None else f"{edges:,} → {graph.num_edges:,}"
        facts = (("Edges", counts), ("Vertices", f"{graph.num_vertices:,}"), ("Layers", f"{graph.num_layers:,}"))
        yield Step(graph, str(caption), facts)
        edges = graph.num_edges
