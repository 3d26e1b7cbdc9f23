"""Signals of single samples, against the golden case in float64, and what they cost."""

import numpy as np
import pytest
import torch
from map_training import digit_maps, tiny_resnet
from senn_case import CASE, EXPECTED
from senn_graph import golden_data, golden_net
from tiny_training import CPU, diabetes, digits, settings, start_graph

import netgraph as ng
from compilers.training import TrainState, begin, make_optimizer, train
from compilers.training.batches import SCORE, mini_batches
from compilers.training.context import TrainerContext
from compilers.training.state import FORWARDS_PER_STEP
from netgraph.analysis import forward_flops
from netgraph.errors import OptionError, StatisticsError
from netgraph.methods import Method, Proposal
from netgraph.rules import SplitEdges


def context(state, data, options):
    return TrainerContext(state, data, options, None)


def close(values, expected):
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)


def golden():
    """(context, order of the samples) of the golden case."""
    net, options, data = golden_net(), settings(), golden_data()
    state = TrainState(net, make_optimizer(net, options))
    return context(state, data, options), torch.cat(mini_batches(data, options, 0, SCORE, net.graph)).numpy()


def test_golden_signals():
    seen, order = golden()
    signals = seen.capture(["x", "h", "y"])
    forward = EXPECTED["forward"]
    close(signals.activations["x"], np.array(CASE["X"])[order])
    close(signals.activations["h"], np.array(forward["h"])[order])
    close(signals.activations["y"], np.array(forward["y"])[order])
    close(signals.output_gradients, np.array(forward["dloss_dy"])[order])
    close(signals.gradients["y"], signals.output_gradients)
    mean = signals.activations["x"].T @ signals.gradients["h"] / signals.samples
    close(mean, EXPECTED["kfac"]["layer1"]["grad_kernel"])
    assert set(signals.gradients) == {"h", "y"}
    assert (dict(signals.residuals), signals.natural_score) == ({}, 0.0)


def test_golden_tangent():
    seen, order = golden()
    signals = seen.capture(["h", "y"], tangent=True)
    expected = EXPECTED["residual"]["natgrad_tangent"]
    close(signals.residuals["y"], np.array(expected["output_residual"])[order])
    close(signals.natural_score, EXPECTED["exact"]["eta_damped"])
    # What is left has to be what was pulled back: rows of the residual of a hidden layer follow from the output's.
    ratio = signals.residuals["h"] / signals.gradients["h"]
    np.testing.assert_allclose(ratio, np.repeat(signals.residuals["y"] / signals.gradients["y"], 2, axis=1), rtol=1e-7)


@pytest.mark.parametrize("data", [digits(), diabetes(2)], ids=["classes", "values"])
def test_gradients_are_of_each_samples_own_loss(data):
    options = settings(label_smoothing=0.1)
    state = begin(start_graph(data, hidden=(5,)), options, CPU)
    signals = context(state, data, options).capture(["hidden1", "output"], samples=40)
    assert signals.samples == 40
    assert signals.topology_hash == state.net.graph.topology_hash
    rows = torch.cat(mini_batches(data, options, 0, SCORE, state.net.graph))[:40]
    for k in (0, 7, 39):
        output = torch.from_numpy(signals.activations["output"][k : k + 1].copy()).requires_grad_()
        target = data.y_train[rows[k : k + 1]]
        if data.task == "classification":
            loss = torch.nn.functional.cross_entropy(output, target, label_smoothing=0.1)
        else:
            loss = (output - target).square().mean()
        loss.backward()
        close(signals.output_gradients[k : k + 1], output.grad.numpy())


def test_nothing_is_left_behind_and_the_cost_is_counted():
    data, options = digit_maps(256, 64), settings()
    state = begin(tiny_resnet(), options, CPU)
    before = {name: values.clone() for name, values in state.net.state_dict().items()}
    signals = context(state, data, options).capture(["conv", "input"], samples=50)
    assert signals.activations["conv"].shape == (50, 4, 8, 8)
    assert signals.activations["conv"].dtype == np.float64
    assert all(torch.equal(values, before[name]) for name, values in state.net.state_dict().items())
    assert state.net.training
    assert state.costs == {"statistics": FORWARDS_PER_STEP * 50 * forward_flops(state.net.graph)}
    context(state, data, options).capture(["conv"], samples=50, tangent=True)
    assert state.costs["statistics"] > 3 * FORWARDS_PER_STEP * 50 * forward_flops(state.net.graph)


def test_arrays_cannot_be_written():
    data, options = digits(), settings()
    signals = context(begin(start_graph(data), options, CPU), data, options).capture(["output"], samples=3)
    assert repr(signals).startswith("BatchSignals(output; 3 samples, topology ")
    for values in (signals.activations["output"], signals.gradients["output"], signals.output_gradients):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


def test_what_cannot_be_captured_is_refused():
    data, options = digits(), settings()
    seen = context(begin(start_graph(data), options, CPU), data, options)
    with pytest.raises(OptionError, match="samples=0"):
        seen.capture(["output"], samples=0)
    with pytest.raises(StatisticsError, match="Did you mean 'output'"):
        seen.capture(["outputs"])


class Numbered:
    """A part that splits one edge and says by what number."""

    name = "numbered"

    def propose(self, context):
        if len(context.history) == 1:
            yield Proposal(self.name, SplitEdges(), context.graph.edges.id[:1], "to see", numbers={"ratio": 2.5})

    def pending(self, context):
        return False


def test_numbers_of_a_decision_come_with_the_metrics(tmp_path):
    data, options = digits(), settings(epochs=2)
    state = begin(start_graph(data), options, CPU)
    journal = ng.Journal.create(tmp_path, start_graph(data))

    def record(event):
        if hasattr(event, "result"):
            journal.append(event.result, before=event.before, metrics=event.metrics)

    train(state, data, options, Method("numbered", (Numbered(),)), [record])
    (entry,) = journal.entries()
    assert entry.metrics["ratio"] == 2.5
    assert entry.metrics["val_loss"] == state.history[0]["val_loss"]
    assert "ratio" not in state.history[0]
    assert Proposal("a", SplitEdges(), [], "").numbers == {}
