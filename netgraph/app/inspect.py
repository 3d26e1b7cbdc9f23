"""Commands that look at a run, or take back its last rewrite."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.console import Console

from netgraph.app.layer_table import layer_table
from netgraph.app.lock import sole_writer
from netgraph.app.places import GROWN
from netgraph.app.report import REPORT, current_graph, write_pictures
from netgraph.app.rule_choice import one_rule
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import RunSummary
from netgraph.app.tables import print_table
from netgraph.errors import JournalError, OptionError
from netgraph.rewriting import Explanation, Stamp, explain
from netgraph.storage import save
from netgraph.tables import Table


def show(run: RunDirectory, console: Console) -> None:
    """Print the results, layers and rewrites of a run.

    Raises:
        DataError: a file of a run that has ended is damaged, or has lost lines.
        JournalError: the journal is damaged.
    """
    graph, entries = current_graph(run), run.journal.entries()
    values = run.read_summary()
    summary = None if values is None else RunSummary.from_json(values, run.path / "summary.json")
    run.check_complete(rewrites=len(entries), epochs=len(run.read_metrics()))
    state = "" if summary else " (not ended)"
    console.print(f"{run.path}{state}: {graph!r}", highlight=False, markup=False)
    if summary:
        print_table(console, summary.table())
        for sentence in summary.warnings:
            console.print(sentence, style="yellow", highlight=False, markup=False)
        for table in summary.score_tables:
            print_table(console, table)
    print_table(console, layer_table(graph))
    if (run.path / REPORT).is_file():
        console.print(f"with pictures: {run.path / REPORT}", highlight=False, markup=False, soft_wrap=True)
    if entries:
        headings = ("#", "epoch", "rule", "matches", "what changed", "edges", "function")
        changes = [
            (e.rewrite, e.epoch, e.rule, f"{e.matches:,}", e.summary, f"{e.edges:,}", e.certificate.brief())
            for e in entries
        ]
        print_table(console, Table("rewrites", headings, changes, left=(2, 4, 6)))


def replay(run: RunDirectory, console: Console) -> None:
    """Rebuild every topology of a run forwards and backwards and compare its hashes; print a line for each.

    Raises:
        JournalError: at the first that differs, or when the graph file has another topology than the last.
    """
    first = run.journal.first()
    graph = first
    console.print(f"start      {first.topology_hash}  {first!r}", highlight=False, markup=False)
    for entry, graph in run.journal.replay():
        console.print(
            f"rewrite {entry.rewrite:<3}{graph.topology_hash}  {entry.rule}: {entry.summary}", highlight=False
        )
    if run.graph_file.exists() and run.grown.topology_hash != graph.topology_hash:
        raise JournalError(
            f"The replayed journal ends at topology {graph.topology_hash[:8]}, but {run.grown_file.name} has "
            f"{run.grown.topology_hash[:8]}."
        )
    undone = [graph, *(before for _entry, before in run.journal.replay_backwards(graph))]
    if Stamp.of(undone[-1]) != Stamp.of(first):
        raise JournalError("Undoing every rewrite does not lead back to the topology of the first graph.")
    count = len(run.journal)
    ends = f"the last is that of {run.grown_file.name}" if run.graph_file.exists() else "the run has not ended"
    console.print(f"{count} rewrites replayed and undone, every hash agrees; {ends}", highlight=False, markup=False)


def undo(run: RunDirectory, console: Console) -> None:
    """Take back the last rewrite: the graph file becomes the trained graph just before it.

    Only a run that has ended can be undone: one that has not goes on from its checkpoint. Checkpoint and
    summary, which are ahead of that graph, and a comparison with it, are set aside; nothing is deleted. Pictures and
    report are made anew.

    Raises:
        OptionError: when the run has not ended.
        JournalError: when there is nothing to undo.
    """
    with sole_writer(run.path):
        _undo(run, console)


def _undo(run: RunDirectory, console: Console) -> None:
    if not run.graph_file.exists():
        raise OptionError(
            f"The run in {os.fspath(run.path)!r} has not ended; finish it with --resume before undoing rewrites."
        )
    entries = run.journal.entries()
    graph = run.journal.before_last()
    # The journal is cut last: whatever stops this half way, undo can be asked for again, and takes back no more.
    save(graph, run.graph_file)
    for name in (GROWN, "checkpoint.safetensors", "summary.json", "summary.md", "static.json", "static.md"):
        file = run.path / name
        if file.is_file():
            file.replace(file.with_stem(f"{file.stem}.undone"))
    run.journal.undo()
    last = entries[-1]
    console.print(
        f"rewrite {last.rewrite} taken back ({last.rule}: {last.summary}); now {graph!r}", highlight=False, markup=False
    )
    write_pictures(run, console)


def explain_rule(run: RunDirectory, rule_name: str, assignments: Mapping[str, str]) -> Explanation:
    """Why a rule would fire, or not, on the graph of a run.

    Raises:
        OptionError: for an unknown rule, file or parameter, with the nearest name.
    """
    return explain(one_rule(rule_name, assignments), current_graph(run))
