"""Strategies of rules and of rewrites, right ones and wrong ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np
from hypothesis import assume, reject
from hypothesis import strategies as st

from netgraph.errors import OptionError, RewriteError
from netgraph.graph import DOMAIN_COLUMNS, Graph, Layer, variance_columns
from netgraph.rewriting import (
    EdgeRows,
    LayerPairRows,
    LinkRows,
    Matches,
    PairRows,
    Pattern,
    Result,
    Rewriter,
    Rule,
    VertexRows,
    apply,
    find,
    vertex,
)
from netgraph.rules import RULES
from netgraph.testing.draft import DrawFunction
from netgraph.testing.strategies import exact_activations
from netgraph.testing.values import BIAS_VALUES, VARIANCE_VALUES, WEIGHT_VALUES


def rules(*, names: Sequence[str] | None = None) -> st.SearchStrategy[Rule]:
    """Instances of the registered rules with drawn parameters.

    A field gets one of the `choices` of its rule, any member of a `Literal`, either truth value, or its default.

    Args:
        names: which rules, by their names in `netgraph.rules.RULES`; by default all.
    """
    return st.sampled_from([RULES[name] for name in (names or sorted(RULES))]).flatmap(instances)


@st.composite
def instances(draw: DrawFunction, rule: type[Rule]) -> Rule:
    """Instances of one class of rules; combinations of parameters that it refuses are left out."""
    given: dict[str, Any] = {}
    if dataclasses.is_dataclass(rule):
        hints = get_type_hints(rule)
        for f in dataclasses.fields(rule):
            if f.init:
                values = _values(rule, f, hints.get(f.name))
                if values is not None:
                    given[f.name] = draw(values)
    try:
        return rule(**given)
    except OptionError:
        reject()


def _values(rule: type[Rule], f: dataclasses.Field[Any], hint: Any) -> st.SearchStrategy[Any] | None:
    known = rule.choices.get(f.name)
    if callable(known):
        known = list(known())
    if known is None and hint is bool:
        known = (False, True)
    if known is None and get_origin(hint) is Literal:
        known = get_args(hint)
    if known is not None:
        return st.sampled_from(known)
    if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
        return st.from_type(hint)
    return None


@dataclass(frozen=True, kw_only=True)
class Meddle(Rule):
    """Set one thing on every matched vertex, whatever that does to the function: a wrong rewrite.

    Attributes:
        what: "weights" of incoming edges, "activation" of its layer, or the name of a vertex column such as "bias".
        value: to what.
    """

    what: str = "bias"
    value: Any = 1.0

    pattern: ClassVar[Pattern] = vertex("v")

    def where(self, m: Matches, _stats: Any) -> Any:
        """Vertices that have it."""
        return np.array([self.what in meddleable(m.graph, row) for row in m.v.rows.tolist()], dtype=bool)

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Set it."""
        if self.what == "weights":
            edges = rw.graph.edges
            into = np.flatnonzero(np.isin(edges.target_row, m.v.rows) & ~edges.frozen)
            rw.set_weight(EdgeRows(rw.graph, into), self.value)
        elif self.what == "activation":
            for i in np.unique(m.v.layer).tolist():
                rw.set_activation(rw.graph.layer(i), self.value)
        else:
            rw.set_values(m.v, self.what, self.value)


def meddleable(graph: Graph, row: int) -> tuple[str, ...]:
    """What `Meddle` can set at a vertex, given by its flat row."""
    layer: Layer = graph.layer(int(graph.vertices.layer[row]))
    if layer.role == "input":
        return ()
    names = [name for name in sorted(layer.values) if name not in DOMAIN_COLUMNS]
    edges = graph.edges
    if ((edges.target_row == row) & ~edges.frozen).any():
        names.append("weights")
    if layer.role == "hidden":
        names.append("activation")
    return tuple(names)


@st.composite
def meddling(draw: DrawFunction, graph: Graph) -> Result:
    """Rewrites of a graph that set a weight, a bias, an activation or a norm parameter, whatever that does."""
    rows = [row for row in range(graph.num_vertices) if meddleable(graph, row)]
    assume(rows)
    row = draw(st.sampled_from(rows))
    what = draw(st.sampled_from(meddleable(graph, row)))
    others = VARIANCE_VALUES if what in variance_columns() else BIAS_VALUES
    numbers = (WEIGHT_VALUES if what == "weights" else others).tolist()
    value = draw(st.sampled_from(list(exact_activations()) if what == "activation" else numbers))
    chosen = VertexRows(graph, np.array([row]))
    return apply(Meddle(what=what, value=value), graph, on=chosen.id, probe=None)


def _applied(draw: DrawFunction, graph: Graph, rule: Rule) -> Result | None:
    """The rule on all, the first few or a chosen few of its matches; None when it matches nothing or refuses."""
    m = find(rule, graph)
    if not len(m):
        return None
    on = _some(draw, m) if draw(st.booleans()) else None
    limit = draw(st.one_of(st.none(), st.integers(1, 3)))
    try:
        return apply(rule, graph, on=on, limit=limit, rng=draw(st.integers(0, 7)), probe=None)
    except RewriteError:
        return None


@st.composite
def _of_rules(draw: DrawFunction, graph: Graph, rules: st.SearchStrategy[Rule]) -> Result:
    result = _applied(draw, graph, draw(rules))
    if result is None:
        reject()
    return result


@st.composite
def _of_any(draw: DrawFunction, graph: Graph) -> Result:
    names = sorted(RULES)
    first = draw(st.integers(0, len(names)))
    for name in (names * 2)[first : first + len(names)] if first < len(names) else ():
        result = _applied(draw, graph, draw(instances(RULES[name])))
        if result is not None:
            return result
    return draw(meddling(graph))


def rewrites(graph: Graph, *, rules: st.SearchStrategy[Rule] | None = None) -> st.SearchStrategy[Result]:
    """Rewrites of a graph: results of the registered rules, and of edits that set one thing, right or wrong.

    Args:
        graph: what to rewrite.
        rules: strategy of rules to choose from; then nothing else is set, and draws without a match are rejected.
    """
    return _of_any(graph) if rules is None else _of_rules(graph, rules)


def _some(draw: DrawFunction, m: Matches) -> Any:
    """One to three of the matches, as `on` names them."""
    rows = np.unique(draw(st.lists(st.integers(0, len(m) - 1), min_size=1, max_size=3)))
    return named(m.take(rows))


def named(m: Matches) -> Any:
    """Matches as `on` of `find` and `apply` names them."""
    root = m.root
    if isinstance(root, PairRows):
        return np.stack([root.source, root.target, root.tap], axis=1)
    if isinstance(root, LayerPairRows):
        return np.stack([root.source, root.target], axis=1)
    return root.key if isinstance(root, LinkRows) else root.id
