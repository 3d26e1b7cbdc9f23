import pytest

from netgraph.errors import OptionError
from netgraph.methods import Start
from netgraph.methods.layered import layered_start, stages_of


@pytest.mark.parametrize(("text", "stages"), [("8", [[8]]), ("8,4/16", [[8, 4], [16]]), ("1/2/3", [[1], [2], [3]])])
def test_widths_as_text(text, stages):
    assert stages_of(text) == stages


@pytest.mark.parametrize("text", ["", "8,,8", "8;8", "0", "8/", "-3"])
def test_other_text_is_refused(text):
    with pytest.raises(OptionError, match="of the form 8,8/16,16"):
        stages_of(text)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_maps_for_images_and_dense_layers_for_rows(activation):
    for shape, grid in (((1, 8, 8), (8, 8)), ((5,), ())):
        data = Start(shape=shape, outputs=3, domain=(0, 1), seed=1)
        graph = layered_start([[4], [6]], data, activation=activation, batch_norm=False)
        layers = list(graph.layers.values())
        assert [len(layer) for layer in layers] == [shape[0], 4, 6, 3]
        assert [layer.activation for layer in layers[1:-1]] == [activation] * 2
        assert layers[0].grid == grid
        assert {layer.norm for layer in layers} == {"none"}
