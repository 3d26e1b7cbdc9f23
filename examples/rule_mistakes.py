"""Frequent mistakes in rules and their error messages. The graph stays unchanged every time."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.errors import NetgraphError


@dataclass(frozen=True)
class Bend(ng.Rule):
    """A rule to begin with; each mistake below replaces one method."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        for g in m.by("target layer"):
            n = rw.add_layer(len(g), name="bend")
            rw.connect(g.p, n, weight=1.0)
            rw.connect(n, g.c, weight=g.e.weight)
            rw.remove(g.e)


# region mistakes
class OneLayerForAll(Bend):
    """Wrong: one new layer for all matches reads some layers and feeds others, which closes a cycle."""

    def rewrite(self, m, rw):
        n = rw.add_layer(len(m), name="bend")
        rw.connect(m.p, n, weight=1.0)
        rw.connect(n, m.c, weight=m.e.weight)
        rw.remove(m.e)


class EdgeTwice(Bend):
    """Wrong: these edges exist already; `connect_all` adds only missing edges."""

    def rewrite(self, m, rw):
        rw.connect(m.p, m.c, weight=0.0)


class NotRowByRow(Bend):
    """Wrong: the number of new vertices, two, differs from the number of matches."""

    def rewrite(self, m, rw):
        n = rw.add_layer(2, name="bend")
        rw.connect(m.p, n, weight=1.0)


class NumbersInPlaceOfBooleans(Bend):
    """Wrong: the condition has numbers; it needs one boolean per match."""

    def where(self, m, stats):
        return {"weight is large": np.abs(m.e.weight)}


class WrongName(Bend):
    """Wrong: the pattern has the names e, p and c only."""

    def where(self, m, stats):
        return m.source.nonnegative


class OutputsTaken(Bend):
    """Wrong: vertices of outputs cannot be removed."""

    def rewrite(self, m, rw):
        rw.remove(m.c)


# endregion mistakes

GRAPH = ng.mlp([3, 3, 2], domain=(0, 1), seed=0)
MISTAKES = (OneLayerForAll, EdgeTwice, NotRowByRow, NumbersInPlaceOfBooleans, WrongName, OutputsTaken)


def said_of(action) -> str:
    """Return the message of the exception that an action raises."""
    try:
        action()
    except (NetgraphError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("this should have been refused")


def main() -> None:
    before = GRAPH.topology_hash
    for mistake in MISTAKES:
        print(f"{mistake.__name__}\n  {said_of(lambda mistake=mistake: ng.apply(mistake(), GRAPH))}")
    images = ng.convnet([[2]], input_size=(1, 4, 4), domain=(0, 1), seed=0)
    print(f"NoGrid\n  {said_of(lambda: ng.apply(Bend(), images))}")
    stale = ng.Statistics(ng.apply(Bend(), GRAPH).graph.topology_hash)
    print(f"StaleStatistics\n  {said_of(lambda: ng.apply(Bend(), GRAPH, stale))}")
    print(f"NoStatistics\n  {said_of(lambda: ng.apply(Bend(), GRAPH, order_by='mean_abs_gradient'))}")
    assert GRAPH.topology_hash == before
    assert ng.apply(Bend(), GRAPH).certificate.kind == "exact"  # on values that are never negative


if __name__ == "__main__":
    main()
