"""Training on indices: words of a small text, behind a growing vocabulary of edges."""

import numpy as np
import pytest
import torch

from compilers import lift, lower, migrate
from compilers.training import TrainingData, TrainSettings, begin, train
from netgraph import Pool, apply
from netgraph.errors import DataError, InputError, OptionError
from netgraph.graph import GraphBuilder
from netgraph.rules import PruneEdges

WORDS, TOKENS = 12, 6


def text_graph(density=1.0, encoding="index"):
    """The mean of the vectors of words, and two classes."""
    b = GraphBuilder(seed=0)
    b.input("words", WORDS, grid=(TOKENS,), encoding=encoding, domain=(0, 1))
    b.positions("place", (TOKENS,))
    b.layer("mean", 8, grid=(TOKENS,), pool=Pool("average", (TOKENS,)), activation="identity")
    b.dense("words", "mean", density=density)
    b.dense("place", "mean", density=density)
    b.output("class", 2)
    b.dense("mean", "class")
    return b.build()


def words(samples=200, seed=0):
    """Lines of words; the class says whether more than half of them are in the first half of the vocabulary."""
    x = np.random.default_rng(seed).integers(0, WORDS, (samples, TOKENS))
    return x, ((x < WORDS // 2).sum(1) > TOKENS // 2).astype(int)


def data_of(x, y):
    return TrainingData.from_arrays(x[:150], y[:150], x[150:], y[150:], task="classification", indices=True)


def test_words_are_learned():
    settings = TrainSettings(epochs=25, batch_size=25, learning_rate=0.05, weight_decay=0.0)
    state = train(begin(text_graph(), settings, torch.device("cpu")), data_of(*words()), settings)
    assert state.history[-1]["val_accuracy"] > 0.9
    assert data_of(*words()).x_train.dtype == torch.int64


@pytest.mark.parametrize("density", [1.0, 0.4])
def test_a_step_is_that_of_the_ones_that_indices_mean(density):
    x, _ = words(8)
    graph = text_graph(density)
    other = text_graph(density, encoding="values").with_weights(graph.edges.weight)
    ones = torch.nn.functional.one_hot(torch.from_numpy(x), WORDS).double().transpose(1, 2)
    found = []
    for g, given in ((graph, torch.from_numpy(x)), (other, ones)):
        net = lower(g, dtype=torch.float64)
        optimizer = torch.optim.Adam(net.parameters())
        net(given).square().sum().backward()
        optimizer.step()
        found.append(lift(net).edges.weight)
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-7)


def test_tables_keep_weights_and_optimizer_state_by_id_when_edges_go():
    graph = text_graph()
    net = lower(graph, dtype=torch.float64)
    optimizer = torch.optim.Adam(net.parameters())
    x = torch.from_numpy(words(8)[0])
    for _ in range(3):
        optimizer.zero_grad()
        net(x).square().sum().backward()
        optimizer.step()
    result = apply(PruneEdges(below=None), lift(net), on=graph.edges.id[::3])
    new, carried = migrate(net, optimizer, result)
    assert {block.kernel for layer in new.plan.layers for block in layer.blocks} == {
        "padded-lookup", "padded-table", "padded-dense",
    }  # fmt: skip
    assert lift(new).equals(result.graph)
    before = dict(zip(graph.edges.id, net.edge_column(optimizer.state[net.weights]["exp_avg"]), strict=True))
    after = new.edge_column(carried.state[new.weights]["exp_avg"])
    assert [before[i] for i in result.graph.edges.id] == list(after)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x + 1, r"x_train has indices from 1 to 12, but input 'words' has the vertices 0 to 11"),
        (lambda x: x[:, :4], r"x_train has shape \(150, 4\), but input 'words' takes indices, \(samples, 6\)"),
    ],
)
def test_wrong_indices_are_refused_before_training(change, message):
    x, y = words()
    settings = TrainSettings(epochs=1)
    with pytest.raises(InputError, match=message):
        train(begin(text_graph(), settings, torch.device("cpu")), data_of(change(x), y), settings)


def test_numbers_in_place_of_indices_are_refused_before_training():
    x, y = words()
    data = TrainingData.from_arrays(x[:150], y[:150], x[150:], y[150:], task="classification")
    settings = TrainSettings(epochs=1)
    with pytest.raises(InputError, match="indices=True"):
        train(begin(text_graph(), settings, torch.device("cpu")), data, settings)


def test_indices_are_not_augmented():
    settings = TrainSettings(epochs=1, augment="flip")
    with pytest.raises(OptionError, match="takes indices; use augment=none"):
        train(begin(text_graph(), settings, torch.device("cpu")), data_of(*words()), settings)


def test_the_next_word_of_each_is_learned():
    """Words follow each other in a circle, which a lookup learns. Losses and accuracies are means over all words."""
    b = GraphBuilder(seed=0)
    b.input("words", WORDS, grid=(TOKENS,), encoding="index")
    b.output("next", WORDS, grid=(TOKENS,))
    b.dense("words", "next")
    x = words()[0]
    y = (x + 1) % WORDS
    settings = TrainSettings(epochs=10, batch_size=25, learning_rate=0.2, weight_decay=0.0, label_smoothing=0.0)
    state = train(begin(b.build(), settings, torch.device("cpu")), data_of(x, y), settings)
    last = state.history[-1]
    assert last["val_accuracy"] == 1.0
    with torch.no_grad():
        out = state.net.eval()(torch.from_numpy(x[150:]))
    expected = torch.nn.functional.cross_entropy(out, torch.from_numpy(y[150:]))
    assert last["val_loss"] == pytest.approx(float(expected), rel=1e-5)
    with pytest.raises(DataError, match=r"y_train has shape \(150, 4\), but output 'next' gives classes of shape"):
        train(begin(b.build(), settings, torch.device("cpu")), data_of(x, y[:, :4]), settings)
