"""Rules about rules: whether their order matters, whether one undoes the other, and whether they end.

python examples/rule_order.py
"""

import netgraph as ng
from netgraph.testing import assert_commutes, commutes, ends, interference, inverse_of

ADD, PRUNE, SPLIT = ng.rules.AddEdges(), ng.rules.PruneEdges(), ng.rules.SplitEdges()


def main() -> None:
    # region order
    found = interference(ADD, PRUNE, max_examples=20)
    print(found)
    assert found.function.verdict == "same"  # two graphs, one function
    assert commutes(ADD, PRUNE, compare="function", max_examples=20)
    assert_commutes(ng.rules.PruneEdges(below=0.5), ng.rules.PruneEdges(below=1.0), max_examples=20)
    # endregion order
    found.draw().save("rule_order.svg")

    # region undo
    assert inverse_of(PRUNE, ADD, compare="function", max_examples=20)  # edges of weight 0 go and come back
    assert not inverse_of(PRUNE, ADD, max_examples=20)  # a link whose last edge goes does not
    assert ends(PRUNE, max_examples=20)
    print(ends(SPLIT, max_examples=5).outcome)
    # endregion undo

    # region conflicts
    graph = ng.mlp([2, 2], bias=False).with_weights([0.5, 1.0, 1.5, 2.0])
    for conflict in ng.conflicts(ng.rules.PruneEdges(below=0.7), SPLIT, graph):
        print(conflict)
    # endregion conflicts


if __name__ == "__main__":
    main()
