"""Names of activations."""

import pytest

from netgraph.errors import GraphError
from netgraph.graph import get_activation


def test_an_unknown_activation_names_its_neighbour():
    with pytest.raises(GraphError, match="Did you mean 'relu'"):
        get_activation("rellu")
