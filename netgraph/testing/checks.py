"""The checks of a rule, each a function of one example."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netgraph.errors import NetgraphError, RewriteError
from netgraph.graph import Graph, get_norm
from netgraph.proof import rounding_allowance
from netgraph.rewriting import (
    Journal,
    LayerPairRows,
    Matches,
    PairRows,
    Pattern,
    Result,
    Rewriter,
    Rule,
    VertexRows,
    apply,
    apply_delta,
    find,
)
from netgraph.testing.cases import Case, Irrelevant, columns_of
from netgraph.testing.compare import RELATIVE, difference
from netgraph.testing.exact import is_exact
from netgraph.testing.search import RuleCheck, rule_check

ROUNDED = 1e-5
"""Relative tolerance for "exact up to rounding", from the precision of float32 weights."""


def _result(case: Case) -> Result:
    """Result of the rewrite. Raises `Irrelevant` when it fails, since another check reports this."""
    try:
        return case.result
    except Exception as error:
        raise Irrelevant from error


@rule_check
def check_valid_graph_after(case: Case) -> None:
    """Check that the rewrite raises no error, gives a valid graph, and keeps inputs and outputs."""
    try:
        new = case.result.graph
    except NetgraphError as error:
        raise AssertionError(
            f"The rewrite of matches that passed `where` was refused; `where` should refuse them. {error}"
        ) from error
    whole = Graph(new.layers_by_id.values(), new.links_by_key.values(), next_ids=new.next_ids)
    assert whole.topology_hash == new.topology_hash, "The graph does not have the hash of its parts."
    old = case.graph
    for role, before, after in (("inputs", old.inputs, new.inputs), ("outputs", old.outputs, new.outputs)):
        a, b = ([(x.id, x.name, len(x), x.output_grid) for x in layers] for layers in (before, after))
        assert a == b, f"The {role} were {a} and are {b}."


@rule_check
def check_ids_stable(case: Case) -> None:
    """Check that kept items keep id and position, new items have unused ids, and no edge is removed and put back."""
    old, new, delta = case.graph, _result(case).graph, _result(case).delta
    for what, mine, theirs, first in (
        ("vertex", old.vertices.id, new.vertices.id, old.next_ids.vertex),
        ("edge", old.edges.id, new.edges.id, old.next_ids.edge),
        ("layer", list(old.layers_by_id), list(new.layers_by_id), old.next_ids.layer),
    ):
        fresh = np.setdiff1d(theirs, mine)
        assert (fresh >= first).all(), f"The new {what} {fresh.min(initial=first)} has an id that was given out before."
    assert all(b >= a for a, b in zip(old.next_ids, new.next_ids, strict=True)), "Ids would be given out again."
    rows = new.vertices.find(old.vertices.id)
    moved = (rows >= 0) & (new.vertices.layer[rows] != old.vertices.layer)
    assert not moved.any(), f"Vertex {old.vertices.id[moved][:1]} is in another layer under the same id."
    before, after = _places(old), _places(new)
    for edge, place in before.items():
        assert after.get(edge, place) == place, f"Edge {edge} was at {place} and is at {after[edge]}."
    put_back = {place: edge for edge, place in before.items() if edge not in after}
    for edge, place in after.items():
        assert edge in before or place not in put_back, (
            f"Edge {put_back.get(place)} was removed and edge {edge} put in its place {place}, which loses its "
            "training state; use set_weight."
        )
    assert (delta.vertex_rows >= 0).sum() == np.isin(new.vertices.id, old.vertices.id).sum(), "Rows do not follow ids."
    assert (delta.edge_rows >= 0).sum() == np.isin(new.edges.id, old.edges.id).sum(), "Rows do not follow ids."


def _places(graph: Graph) -> dict[int, tuple[int, ...]]:
    e = graph.edges
    columns = (e.source.tolist(), e.target.tolist(), e.tap.tolist(), e.port.tolist())
    return dict(zip(e.id.tolist(), zip(*columns, strict=True), strict=True))


@rule_check
def check_delta_invertible(case: Case) -> None:
    """Check that the delta redoes the rewrite and its inverse undoes it, bit for bit, and both together are empty."""
    result = _result(case)
    again, _ = apply_delta(case.graph, result.delta)
    assert again.equals(result.graph), "Applying the delta to the old graph does not give the new one."
    back, _ = apply_delta(result.graph, result.delta.inverse())
    assert back.equals(case.graph), "Applying the inverse of the delta does not give the old graph back."
    both = result.delta.then(result.delta.inverse())
    assert both.is_empty, f"The delta and then its inverse are {both} instead of nothing."


def _check_journal_replays(case: Case) -> None:
    """Check that a journal records the rewrite, replay gives the new graph, and undo gives the old one."""
    result = _result(case)
    if not result.changed:
        raise Irrelevant
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.create(folder, case.graph)
        journal.append(result, before=case.graph, seed=case.rng)
        (entry, graph), *_ = list(journal.replay())
        assert entry.matches == len(result.matches), "The journal has another number of matches."
        assert graph.equals(result.graph), "Replaying the journal does not give the new graph."
        (_, first), *_ = list(journal.replay_backwards(result.graph))
        assert first.equals(case.graph), "Replaying the journal backwards does not give the old graph."
        assert journal.undo().equals(case.graph), "Undoing the rewrite does not give the old graph."


_check_journal_replays.__name__ = "check_journal_replays"
check_journal_replays = RuleCheck(_check_journal_replays, every=6)  # slow, since it writes files


@rule_check
def check_claim_equals_certificate(case: Case) -> None:
    """Check that the claim of the rule is proved: the certificate is at least as strong."""
    certificate = _result(case).certificate
    claimed = case.claimed
    if claimed is None:
        raise Irrelevant
    finite = all(np.isfinite(certificate.domain.get(x.name, (-np.inf, np.inf))).all() for x in case.graph.inputs)
    if claimed != "exact" and not finite:
        raise Irrelevant  # bounds, also of rounding, are only claimed for bounded inputs
    assert certificate.satisfies(claimed), f"The rule claims {claimed!r}, the certificate is {certificate}"


@rule_check
def check_function_preserved(case: Case) -> None:
    """Check that a rewrite claimed to be exact, also up to rounding, changes no output.

    Outputs are compared bit for bit where nothing is rounded, and with a relative tolerance elsewhere.
    """
    result = _result(case)
    if case.claimed not in ("exact", "exact up to rounding"):
        raise Irrelevant
    exact = case.claimed == "exact" and case.tolerance is None and is_exact(case.graph) and is_exact(result.graph)
    usual = RELATIVE if case.claimed == "exact" else ROUNDED
    relative = 0.0 if exact else usual if case.tolerance is None else case.tolerance
    normed = any(get_norm(layer.norm).couples_samples for layer in case.graph.layers_by_id.values())
    for train in (False, True) if normed and not result.certificate.eval_only else (False,):
        found = difference(case.graph, result.graph, case.x, train=train, relative=relative)
        assert found is None, (
            f"The rewrite is claimed to be {case.claimed}, but{' in train mode' if train else ''} it changes {found}. "
            f"Certificate: {result.certificate}"
        )


@rule_check
def check_certificate_sound(case: Case) -> None:
    """Check that no output changes by more than the bound of the certificate plus the rounding of both evaluations."""
    result = _result(case)
    certificate = result.certificate
    if certificate.kind == "unknown" and not certificate.bounds:
        raise Irrelevant
    for train in (False,) if certificate.eval_only else (False, True):
        allowed = dict(rounding_allowance(case.graph, case.x, train=train))
        for name, more in rounding_allowance(result.graph, case.x, train=train).items():
            bound = np.zeros(len(more)) if certificate.kind == "exact" else np.asarray(certificate.bounds[name])
            allowed[name] = allowed[name] + more + bound
        found = difference(case.graph, result.graph, case.x, train=train, allowed=allowed)
        assert found is None, (
            f"The certificate is wrong{' in train mode' if train else ''}: {found}, but it says {certificate}"
        )


@rule_check
def check_no_match_is_no_op(case: Case) -> None:
    """Check that without matches the rule returns the graph itself, an empty delta and an exact certificate."""
    root = case.found.root
    width = 3 if isinstance(root, PairRows) else 2 if isinstance(root, LayerPairRows) else 0
    nothing = np.empty((0, width) if width else 0, dtype=np.int64)
    for options in ({"limit": 0}, {"on": nothing}):
        given: dict[str, Any] = options
        result = apply(case.rule, case.graph, case.stats, probe=None, **given)
        assert result.graph is case.graph, "Nothing matched, but the graph is another one."
        assert result.delta.is_empty, f"Nothing matched, but the delta is {result.delta}."
        assert result.certificate.kind == "exact", f"Nothing matched, but the certificate is {result.certificate}"
        assert not result.changed


@rule_check
def check_overlapping_matches_reported(case: Case) -> None:
    """Check that every match is either applied or reported as skipped, and applied ones share no exclusive row."""
    result = _result(case)
    found, applied, skipped = (
        set(map(str, m.key.tolist() if len(m) else ())) for m in (case.found, result.matches, result.skipped)
    )
    assert not applied & skipped, f"{sorted(applied & skipped)[0]} is both applied and skipped."
    assert applied | skipped == found, f"{len(found)} matches, but {len(applied)} applied and {len(skipped)} skipped."
    for entry in case.rule.exclusive:
        names = (entry,) if isinstance(entry, str) else entry
        rows = np.concatenate([getattr(result.matches, name).rows for name in names])
        shared = " and ".join(map(repr, names))
        assert len(np.unique(rows)) == len(rows), f"Two applied matches share a row of {shared}, which is exclusive."
    if case.limit is not None:
        assert len(result.matches) <= case.limit, f"{len(result.matches)} matches applied, the limit is {case.limit}."
    elif not case.rule.exclusive:
        assert not len(result.skipped), "Matches were skipped although none overlap and there is no limit."


@dataclass(frozen=True)
class Failing(Rule):
    """A rule that makes all edits of another rule and then fails, by an error or by a cycle, which no commit accepts.

    Attributes:
        rule: the other rule.
        at_commit: fail by a cycle at the commit, not by an error in the rewrite.
    """

    rule: Rule
    at_commit: bool = False

    pattern: ClassVar[Pattern]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("pattern", "exclusive", "needs"):
            object.__setattr__(self, name, getattr(self.rule, name))

    def where(self, m: Matches, stats: Any) -> Any:
        """Return the conditions of the other rule."""
        return self.rule.where(m, stats)

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Make the edits of the other rule, and then fail."""
        self.rule.rewrite(m, rw)
        if not self.at_commit:
            raise RewriteError("A failure that the check made.")
        rows = np.flatnonzero(rw.graph.vertices.layer == rw.graph.outputs[0].id)[:1]
        output = VertexRows(rw.graph, rows)
        rw.connect(output, output, weight=1.0)


@rule_check
def check_failure_leaves_graph(case: Case) -> None:
    """Check that a failure of the rewrite or its commit leaves the graph unchanged, and that it can be rewritten."""
    before, topology = case.snapshot, case.graph.topology_hash
    for at_commit in (False, True):
        rule = Failing(case.rule, at_commit)
        try:
            apply(rule, case.graph, case.stats, limit=case.limit, rng=case.rng, probe=None)
        except RewriteError:
            pass
        else:
            raise AssertionError("The rewrite failed, but a result was returned.")
        _assert_untouched(case.graph, before, topology)
    new = _result(case).graph
    again = case.again()
    assert again.topology_hash == new.topology_hash, "After a failure the rule gives another graph."


@rule_check
def check_old_graph_untouched(case: Case) -> None:
    """Check that a rewrite leaves the old graph unchanged: its columns, its hash and its number of matches."""
    before, topology = case.snapshot, case.graph.topology_hash
    found = len(case.found)
    _result(case)
    _assert_untouched(case.graph, before, topology)
    assert len(find(case.rule, case.graph, case.stats)) == found, "The old graph matches something else now."


def _assert_untouched(graph: Graph, before: tuple[bytes, ...], topology: str) -> None:
    assert columns_of(graph) == before, "The rewrite changed columns of the old graph in place."
    whole = Graph(graph.layers_by_id.values(), graph.links_by_key.values(), next_ids=graph.next_ids)
    rebuilt = whole.topology_hash
    assert rebuilt == graph.topology_hash == topology, "The rewrite changed the old graph's topology."


@rule_check
def check_deterministic(case: Case) -> None:
    """Check that two applications with the same seed give the same graph."""
    one, two = _result(case).graph, case.again()
    assert one.equals(two), "Applied twice with the same rng, the rule gave two graphs; draw from `rw.rng`."


RULE_CHECKS: tuple[RuleCheck, ...] = (
    check_valid_graph_after,
    check_ids_stable,
    check_delta_invertible,
    check_journal_replays,
    check_claim_equals_certificate,
    check_function_preserved,
    check_certificate_sound,
    check_no_match_is_no_op,
    check_overlapping_matches_reported,
    check_failure_leaves_graph,
    check_old_graph_untouched,
    check_deterministic,
)
"""Checks that `check_rule` runs by default."""
