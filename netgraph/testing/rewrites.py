"""Strategies of rules and of rewrites, correct and wrong ones."""

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
from netgraph.testing.layer_edits import MeddleLayer, possible_edits
from netgraph.testing.strategies import exact_activations
from netgraph.testing.values import BIAS_VALUES, VARIANCE_VALUES, WEIGHT_VALUES


def rules(*, names: Sequence[str] | None = None) -> st.SearchStrategy[Rule]:
    """Make a strategy of registered rules with drawn parameters.

    A field gets one of the `choices` of its rule, a member of its `Literal`, or a truth value. Other fields keep their
    defaults.

    Args:
        names: names of rules in `netgraph.rules.RULES`; by default all.
    """
    return st.sampled_from([RULES[name] for name in (names or sorted(RULES))]).flatmap(instances)


@st.composite
def instances(draw: DrawFunction, rule: type[Rule]) -> Rule:
    """Draw instances of a class of rules. Combinations of parameters that it refuses are rejected."""
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
    """A wrong rule: it sets one value on every matched vertex, even if the function changes.

    Attributes:
        what: "weights" of incoming edges, "activation" of the layer, or the name of a vertex column such as "bias".
        value: the new value.
    """

    what: str = "bias"
    value: Any = 1.0

    pattern: ClassVar[Pattern] = vertex("v")

    def where(self, m: Matches, _stats: Any) -> Any:
        """Accept vertices that have such a value."""
        return np.array([self.what in meddleable(m.graph, row) for row in m.v.rows.tolist()], dtype=bool)

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Set the value."""
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
    """Return the values of `Meddle.what` that are possible for a vertex, given by its flat row."""
    layer: Layer = graph.layer(int(graph.vertices.layer[row]))
    if layer.is_source:
        return ()
    names = [name for name in sorted(layer.values) if name not in DOMAIN_COLUMNS]
    edges = graph.edges
    if ((edges.target_row == row) & ~edges.frozen).any():
        names.append("weights")
    if layer.role == "hidden" and not (layer.merge is not None and layer.merge.slotted):
        names.append("activation")
    return tuple(names)


@st.composite
def meddling(draw: DrawFunction, graph: Graph) -> Result:
    """Draw rewrites that set values, or edit a layer in another way, even if the function changes."""
    rows = [row for row in range(graph.num_vertices) if meddleable(graph, row)]
    edits = [(layer, what) for layer in graph.layers_by_id.values() for what in possible_edits(graph, layer)]
    assume(rows or edits)
    if edits and (not rows or draw(st.booleans())):
        layer, what = draw(st.sampled_from(edits))
        result = apply(MeddleLayer(what=what, at=draw(st.integers(0, 5))), graph, on=layer.id, probe=None)
        assume(result.changed)  # two equal parts may have been exchanged
        return result
    row = draw(st.sampled_from(rows))
    what = draw(st.sampled_from(meddleable(graph, row)))
    value = draw(st.sampled_from(_new_values(graph, row, what)))
    chosen = VertexRows(graph, np.array([row]))
    return apply(Meddle(what=what, value=value), graph, on=chosen.id, probe=None)


def _new_values(graph: Graph, row: int, what: str) -> list[Any]:
    """Return values for `Meddle` that differ from the present ones of a vertex, given by its flat row."""
    layer = graph.layer(int(graph.vertices.layer[row]))
    if what == "activation":
        return [name for name in exact_activations() if name != layer.activation]
    if what == "weights":
        edges = graph.edges
        present = edges.weight[(edges.target_row == row) & ~edges.frozen]
        return [value for value in WEIGHT_VALUES.tolist() if (present != value).any()]
    numbers = VARIANCE_VALUES if what in variance_columns() else BIAS_VALUES
    present = graph.vertices.column(what)[[row]]
    return [value for value in numbers.tolist() if (present != value).any()]


def _apply(draw: DrawFunction, graph: Graph, rule: Rule) -> Result | None:
    """Apply a rule to all, the first or some of its matches; None when it changes nothing or its rewrite is refused."""
    m = find(rule, graph)
    if not len(m):
        return None
    on = _some(draw, m) if draw(st.booleans()) else None
    limit = draw(st.one_of(st.none(), st.integers(1, 3)))
    try:
        result = apply(rule, graph, on=on, limit=limit, rng=draw(st.integers(0, 7)), probe=None)
    except RewriteError:
        return None
    return result if result.changed else None  # some matches may be none without the others


@st.composite
def _of_rules(draw: DrawFunction, graph: Graph, rules: st.SearchStrategy[Rule]) -> Result:
    result = _apply(draw, graph, draw(rules))
    if result is None:
        reject()
    return result


@st.composite
def _of_any(draw: DrawFunction, graph: Graph) -> Result:
    names = sorted(RULES)
    first = draw(st.integers(0, len(names) + len(names) // 3))  # the last quarter is for wrong edits
    for name in (names * 2)[first : first + len(names)] if first < len(names) else ():
        result = _apply(draw, graph, draw(instances(RULES[name])))
        if result is not None:
            return result
    return draw(meddling(graph))


def rewrites(graph: Graph, *, rules: st.SearchStrategy[Rule] | None = None) -> st.SearchStrategy[Result]:
    """Make a strategy of rewrites of a graph: results of registered rules, `Meddle` and `MeddleLayer`.

    Args:
        graph: the graph to rewrite.
        rules: strategy of rules to use only; draws without a match are then rejected.
    """
    return _of_any(graph) if rules is None else _of_rules(graph, rules)


def _some(draw: DrawFunction, m: Matches) -> Any:
    """Draw one to three of the matches, as the argument `on` of `apply`."""
    rows = np.unique(draw(st.lists(st.integers(0, len(m) - 1), min_size=1, max_size=3)))
    return selection(m.take(rows))


def selection(m: Matches) -> Any:
    """Return the argument `on` of `find` and `apply` that selects the matches."""
    root = m.root
    if isinstance(root, PairRows):
        return np.stack([root.source, root.target, root.tap], axis=1)
    if isinstance(root, LayerPairRows):
        return np.stack([root.source, root.target], axis=1)
    return root.key if isinstance(root, LinkRows) else root.id
