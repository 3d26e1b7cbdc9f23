"""Checks of a rule that need tensors, and the functions that run them with all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from compilers.lifting import lift, migrate
from compilers.running import CompiledNetwork, lower
from netgraph import interpret, testing
from netgraph.errors import CompileError
from netgraph.graph import Graph
from netgraph.rewriting import Rule
from netgraph.testing import Case, Irrelevant, RuleCheck, rule_check

RELATIVE = 1e-9
"""Largest difference of two evaluations in float64 that counts as rounding, relative to 1 plus the largest value."""

OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    # A learning rate of 0 leaves the weights alone, so that the rewrite of the same graph can be used.
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.0),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.0),
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.0, momentum=0.9),
}


def _lowered(graph: Graph) -> CompiledNetwork:
    try:
        return lower(graph, dtype=torch.float64)
    except CompileError as error:
        raise Irrelevant from error


def _result(case: Case) -> Any:
    try:
        return case.result
    except Exception as error:
        raise Irrelevant from error


def _inputs(case: Case) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in case.x.items()}


@rule_check
def check_compiled_equals_oracle(case: Case) -> None:
    """Compiled in float64, the graphs before and after the rewrite compute what `interpret` does, in both modes."""
    for when, graph in (("before", case.graph), ("after", _result(case).graph)):
        net = _lowered(graph)
        for train in (False, True):
            net.train(train)
            with torch.no_grad():
                outputs = net(_inputs(case))
            expected = interpret(graph, case.x, train=train)
            named = expected if isinstance(expected, dict) else {"": expected}
            found = outputs if isinstance(outputs, dict) else {"": outputs}
            for name, values in named.items():
                off = float(np.abs(found[name].numpy() - values).max(initial=0.0))
                allowed = RELATIVE * (1 + float(np.abs(values).max(initial=0.0)))
                mode = "train" if train else "eval"
                assert off <= allowed, (
                    f"Compiled {when} the rewrite, output {name!r} is off by {off:.3g} in {mode} mode."
                )


@rule_check
def check_optimizer_state_by_id(case: Case) -> None:
    """`migrate` carries the state of Adam, AdamW and SGD with momentum by id, and gives the new graph's weights."""
    result = _result(case)
    for name, make in OPTIMIZERS.items():
        net = _lowered(case.graph).eval()  # batch statistics would move in train mode
        optimizer = make(net.parameters())
        for _ in range(2):
            _step(net, optimizer, _inputs(case))
        new, carried = migrate(net, optimizer, result)
        assert lift(new).equals(result.graph), f"{name}: lifting the migrated network does not give the new graph."
        for column, old_vector, new_vector in (
            (_by_edge, net.weights, new.weights),
            (_by_vertex, net.vertex_parameters, new.vertex_parameters),
        ):
            for key, value in optimizer.state[old_vector].items():
                if not isinstance(value, Tensor) or value.shape != old_vector.shape:
                    continue
                before, after = column(net, value), column(new, carried.state[new_vector][key])
                for entry in before.keys() & after.keys():
                    assert before[entry] == after[entry], (
                        f"{name}: {key!r} of {entry} was {before[entry]} and is {after[entry]} after migrating."
                    )
        _step(new, carried, _inputs(case))


def _step(net: CompiledNetwork, optimizer: torch.optim.Optimizer, x: Mapping[str, Tensor]) -> None:
    outputs = net(x)
    values = outputs.values() if isinstance(outputs, dict) else (outputs,)
    loss = torch.stack([(v + 0.5).square().mean() for v in values]).sum()
    optimizer.zero_grad()
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    for parameter in net.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()


def _by_edge(net: CompiledNetwork, vector: Tensor) -> dict[Any, float]:
    ids, trained = net.graph.edges.id, net.plan.edge_slots >= 0
    column = net.edge_column(vector)
    return {f"edge {i}": float(v) for i, v in zip(ids[trained], np.asarray(column)[trained], strict=True)}


def _by_vertex(net: CompiledNetwork, vector: Tensor) -> dict[Any, float]:
    flat = vector.detach().numpy()
    return {
        f"{name} of vertex {net.graph.vertices.id[row]}": float(flat[slot])
        for name, where in net.plan.vertex_slots.items()
        if where.trained
        for row, slot in zip(where.rows, where.slots, strict=True)
    }


COMPILER_CHECKS: tuple[RuleCheck, ...] = (check_compiled_equals_oracle, check_optimizer_state_by_id)
"""The checks that need tensors."""

RULE_CHECKS: tuple[RuleCheck, ...] = (*testing.RULE_CHECKS, *COMPILER_CHECKS)
"""The checks that `check_rule` runs: all of `netgraph.testing`, and more that need tensors."""


def compiled_graphs(**options: Any) -> st.SearchStrategy[Graph]:
    """Draw graphs of every kind, with every activation and norm; options are passed on to `testing.graphs`."""
    usual: dict[str, Any] = {"exact": False, "weights": ("dyadic", "float64")}
    return testing.graphs(**{**usual, **options})


def check_rule(
    rule: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    checks: Sequence[RuleCheck] = RULE_CHECKS,
    **options: Any,
) -> None:
    """Check a rule as `netgraph.testing.check_rule` does, and that compiled networks and their training follow it.

    Args:
        rule: the rule.
        graphs: strategy of graphs; by default of every kind, with a hidden layer.
        checks: the checks to run.
        options: passed on to `netgraph.testing.check_rule`.

    Raises:
        RuleCheckError: with every check that fails and a small counterexample of each.
    """
    testing.check_rule(rule, graphs=_usual() if graphs is None else graphs, checks=checks, **options)


def parametrize_with_rule_checks(
    rules: Sequence[Rule],
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    checks: Sequence[RuleCheck] = RULE_CHECKS,
    **options: Any,
) -> Any:
    """Decorate a pytest test with one case per rule and check; see `netgraph.testing.parametrize_with_rule_checks`."""
    usual = _usual() if graphs is None else graphs
    return testing.parametrize_with_rule_checks(rules, graphs=usual, checks=checks, **options)


def _usual() -> st.SearchStrategy[Graph]:
    """Draw graphs with a hidden layer, where most rules have matches: exactly computable ones, or of every kind."""
    exact = compiled_graphs(exact=True, weights="dyadic", min_layers=1)
    return st.one_of(exact, compiled_graphs(min_layers=1))
