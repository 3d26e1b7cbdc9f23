"""Reduction of a counterexample to the parts that its failure needs."""

from netgraph.testing.reduce.greedy import MAX_TRIALS, reduce_case, reduce_graph

__all__ = ["MAX_TRIALS", "reduce_case", "reduce_graph"]
