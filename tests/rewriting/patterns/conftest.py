"""A graph with a kernel, wires, a second port and a kernel that covers its maps."""

import pytest
from ported import as_stored

import netgraph as ng


@pytest.fixture
def maps():
    """x(2) on 3x3 maps -> a (conv) -> b (wires) ; b -> y flattens; ids of edges count up."""
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(3, 3), domain=(0, 1))
    b.layer("a", 2, grid=(3, 3), activation="tanh")
    b.layer("b", 3, grid=(3, 3), norm="batch")
    b.output("y", 1)
    b.edges("x", "a", [0, 0, 1], [0, 1, 1], weight=[1, 2, 3], tap=[4, 0, 8], kind=ng.Conv2d((3, 3), padding=(1, 1)))
    b.identity("a", "b")
    b.edges("a", "b", [0, 1], [2, 2], weight=[4, 5], port=1)
    b.edges("b", "y", [0, 2], [0, 0], weight=[6, 7], tap=[0, 5], kind=ng.Conv2d((3, 3)))
    return as_stored(b)
