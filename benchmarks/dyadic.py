"""Exact rules on piecewise-linear graphs, checked bit for bit.

python -m benchmarks.dyadic --graphs 1000 --seed 0

Weights and inputs are multiples of 1/8, so that a float64 evaluation rounds nothing. An exact rewrite then gives the
same outputs bit for bit, and no tolerance hides a mistake. Every rule is tried on the given number of different graphs
(chains, skip links, convolutions, residual wires) on which it has a match and claims to be exact.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

import netgraph as ng
from netgraph.rules import variants
from netgraph.testing import assert_same_outputs, graphs, graphs_matching, inputs

RULES: tuple[ng.Rule, ...] = tuple({repr(rule): rule for variant, rule in variants() if variant.bitwise}.values())
"""Rules that must keep outputs bit for bit: their new weights have few bits, or are multiplied by 0."""


@dataclass
class Count:
    """Counts of one rule.

    Attributes:
        graphs: number of different graphs compared.
        matches: number of matches rewritten in them.
        samples: number of inputs compared.
        proved: number of graphs with an exact certificate.
    """

    graphs: int = 0
    matches: int = 0
    samples: int = 0
    proved: int = 0


def compare(rule: ng.Rule, wanted: int, number: int) -> Count:
    """Apply a rule to different graphs until `wanted` graphs are compared.

    Raises:
        AssertionError: when outputs differ in a bit; the message names output, sample and difference.
        RuntimeError: when the rule claims to be exact on no graph.
    """
    count, seen = Count(), set[bytes]()
    matching = graphs_matching(rule, graphs=graphs(min_layers=1))

    @settings(deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
              max_examples=wanted)  # fmt: skip
    @given(st.data())
    def check(data: st.DataObject) -> None:
        graph = data.draw(matching)
        x = data.draw(inputs(graph))
        key = b"".join((graph.topology_hash.encode(), graph.edges.weight.tobytes()))
        result = ng.apply(rule, graph, rng=data.draw(st.integers(0, 7)), probe=None)
        if count.graphs == wanted or key in seen or rule.claim(result.matches) != "exact":
            return
        assert_same_outputs(graph, result.graph, x, exact=True)
        seen.add(key)
        count.graphs += 1
        count.matches += len(result.matches)
        count.samples += len(next(iter(x.values())))
        count.proved += result.certificate.level == "exact"

    while count.graphs < wanted:
        before = count.graphs
        seed(number)(check)()
        number += 1_000_003
        if count.graphs == before:
            raise RuntimeError(f"{rule!r} claims to be exact on none of the last {wanted} graphs; leave it out.")
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = Table(title=f"outputs before and after, bit for bit, seed {arguments.seed}: no difference")
    table.add_column("rule")
    for name in ("graphs", "matches", "inputs", "proved exact"):
        table.add_column(name, justify="right")
    started = time.perf_counter()
    for rule in RULES:
        c = compare(rule, arguments.graphs, arguments.seed)
        table.add_row(repr_of(rule), *(f"{n:,}" for n in (c.graphs, c.matches, c.samples, c.proved)))
    console = Console(width=120)
    console.print(table)
    console.print(f"{time.perf_counter() - started:.0f} s", highlight=False)


def repr_of(rule: ng.Rule) -> str:
    """Text of a rule with the parameters that differ from their defaults."""
    usual = type(rule)()
    given = [f"{k}={v!r}" for k, v in vars(rule).items() if v != getattr(usual, k)]
    return f"{type(rule).__name__}({', '.join(given)})"


if __name__ == "__main__":
    main()
