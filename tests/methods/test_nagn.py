"""NAGN: when layers are widened, which, and when it is over."""

import numpy as np
import pytest
from fake_context import FakeContext

import netgraph as ng
from netgraph.criteria import GrowthRule
from netgraph.errors import OptionError
from netgraph.methods import NagnOptions, Start, Widen, get_method, layer_profile, nagn
from netgraph.methods.nagn import nagn_start
from netgraph.schedules import WindowGain


class Signalled(FakeContext):
    """With the signals that a test sets by layer name; layers that it does not name have 1."""

    values: dict[str, float]

    def signals(self) -> ng.Statistics:
        column = np.concatenate(
            [np.full(len(layer), self.values.get(layer.name, 1.0)) for layer in self.graph.layers_by_id.values()]
        )
        return ng.Statistics(self.graph.topology_hash, vertices={"rms_gradient": column}, batches=1)


def context(graph, accuracies=(), epochs=40, **values):
    made = Signalled(graph, epochs=epochs)
    made.values = values
    made.history.extend({"val_accuracy": a, "val_loss": 1 - a} for a in accuracies)
    return made


def chain(*widths, **options):
    return ng.mlp([4, *widths, 3], domain=(0, 1), **options)


def part(**options):
    given = {"trigger": WindowGain(0.1, window=1), "stop": 0.0, "rule": GrowthRule(non_decreasing=False)}
    return Widen(**{**given, **options})


def test_the_layer_that_stands_out_is_widened_exactly():
    here = context(chain(6, 6, 6), [0.5, 0.5], hidden2=3.0)
    ((proposal, result),) = here.carry_out(part())
    assert [len(layer) for layer in here.graph.layers_by_id.values()] == [4, 6, 12, 6, 3]
    assert result.certificate.kind == "exact"
    assert proposal.settle
    assert "hidden3" in proposal.announcement  # the table of all layers
    assert proposal.reason == "hidden2 from 6 to 12: 200 % above its neighbours"


def weights_by_age(before, after, source, target):
    """Weights between two layers: old to old, and NAGN's new1, new2 and new3. Every edge is there."""
    link = after.link((after.layers[source].id, after.layers[target].id, 0))
    assert len(link) == len(after.layers[source]) * len(after.layers[target]) * link.kind.taps
    old_source, old_target = link.src < len(before.layers[source]), link.dst < len(before.layers[target])
    return [
        link.weight[sources & targets]
        for sources, targets in (
            (old_source, old_target), (~old_source, old_target), (old_source, ~old_target), (~old_source, ~old_target),
        )
    ]  # fmt: skip


RESIDUAL = {"width": 24, "input_size": (1, 8, 8), "domain": (0, 1)}
NARROW = {  # a start, two layers in a row that grow, the width of the first and the positions of a kernel
    "dense": (lambda: chain(40, 25), "hidden1", "hidden2", 40, 1),
    "convolutions": (
        lambda: ng.convnet([[12, 10]], classes=3, input_size=(1, 6, 6), domain=(0, 1)), "conv1_1", "conv1_2", 12, 9
    ),
    "into a residual group": (
        lambda: ng.resnet(8, **RESIDUAL), "stage1-block1-conv1", "stage1-block1-conv2", 24, 9
    ),
    "out of a residual group": (lambda: ng.resnet(8, **RESIDUAL), "conv", "stage1-block1-conv1", 24, 9),
}  # fmt: skip


@pytest.mark.parametrize("name", NARROW)
def test_neighbours_that_grow_together_start_by_equation_1(name):
    make, source, target, width, taps = NARROW[name]
    before = make()
    here = context(before, [0.5, 0.5], **{source: 9.0})  # the other follows, since widths do not fall
    done = here.carry_out(part(rule=GrowthRule(max_increment=25)))
    assert {result.certificate.kind for _, result in done} == {"exact"}
    after = here.graph
    assert len(after.layers[source]) > width
    kept, new1, new2, new3 = weights_by_age(before, after, source, target)
    np.testing.assert_array_equal(kept, before.link((before.layers[source].id, before.layers[target].id, 0)).weight)
    assert new1.size
    assert new3.size
    assert not new1.any()
    assert not new3.any()
    # Mean and mean square of n draws lie within 5 standard errors of those of N(0, 2 / (width k^2)).
    variance, n = 2 / (width * taps), new2.size
    assert abs(new2.mean()) < 5 * (variance / n) ** 0.5
    assert abs((new2**2).mean() - variance) < 5 * variance * (2 / n) ** 0.5
    fresh = slice(len(before.layers[target]), None)
    grown = after.layers[target]
    if grown.bias is not None:
        assert not grown.bias[fresh].any()
    if grown.norm == "batch":
        assert (grown.values["scale"][fresh] == 1).all()
        assert not grown.values["shift"][fresh].any()


def test_nothing_stands_out_is_recorded_and_not_asked_again_at_once():
    here = context(chain(6, 6), [0.5, 0.5])
    ((proposal, result),) = here.carry_out(part(rule=GrowthRule(fallback=False)))
    assert result is None
    assert "no layer stands out" in proposal.reason
    assert here.carry_out(part(rule=GrowthRule(fallback=False))) == []


def test_it_waits_for_the_trigger_and_ends_for_good_when_growth_gains_too_little():
    grow = part(stop=0.05)
    here = context(chain(6, 6, 6), [0.4, 0.5], hidden2=3.0)
    assert here.carry_out(grow) == []
    here.history.append({"val_accuracy": 0.52, "val_loss": 0.48})
    assert len(here.carry_out(grow)) == 1
    here.history.append({"val_accuracy": 0.53, "val_loss": 0.47})
    assert not grow.pending(here)
    assert here.carry_out(grow) == []
    here.history.extend({"val_accuracy": a, "val_loss": 1 - a} for a in (0.9, 0.9, 0.9))
    assert not grow.pending(here)
    assert here.carry_out(grow) == []


def test_it_goes_on_when_growth_gained_enough():
    grow = part(stop=0.05)
    here = context(chain(6, 6, 6), [0.5, 0.5], hidden2=3.0)
    assert len(here.carry_out(grow)) == 1
    here.history.extend({"val_accuracy": a, "val_loss": 1 - a} for a in (0.8, 0.85))
    assert grow.pending(here)
    assert len(here.carry_out(grow)) == 1


def test_growth_ends_at_its_share_of_the_epochs_and_at_its_edges():
    here = context(chain(6, 6, 6), [0.5] * 3, epochs=4, hidden2=3.0)
    assert not part(until=0.5).pending(here)
    assert part(until=0.75).pending(here)
    assert not part(max_edges=here.graph.num_edges).pending(here)
    assert part(max_edges=here.graph.num_edges + 1).pending(here)
    with pytest.raises(OptionError, match=r"until=1\.5"):
        part(until=1.5)


def test_growth_begins_late_after_epochs_without_it():
    here = context(chain(6, 6, 6), [0.5] * 10, hidden2=3.0)  # the trigger would have fired long ago
    assert len(here.carry_out(part())) == 1


def test_it_passes_an_epoch_in_which_another_part_has_rewritten_the_graph():
    here = context(chain(6, 6, 6), [0.5] * 2, hidden2=3.0)
    signals = here.signals()
    here.graph = ng.apply(
        ng.rules.WidenLayer(count=1), here.graph, on=np.array([here.graph.layers["hidden1"].id])
    ).graph
    here.signals = lambda: signals
    assert here.carry_out(part()) == []
    assert part().pending(here)


def test_residual_groups_grow_together_and_stay_exact():
    graph = ng.resnet(8, width=4, input_size=(1, 8, 8), domain=(0, 1))
    # Of the two layers that share the shortcut of stage 1, one stands out.
    here = context(graph, [0.5, 0.5], **{"stage1-block1-conv2": 5.0})
    profile = layer_profile(graph, here.signals(), GrowthRule(non_decreasing=False))
    grown = {name for name, more in zip(profile.names, profile.increments, strict=True) if more}
    assert grown == {"conv", "stage1-block1-conv2"}
    ((proposal, result),) = here.carry_out(part())
    assert result.certificate.kind == "exact"
    for name in ("conv", "stage1-block1-conv2", "stage1-block1"):
        assert len(here.graph.layers[name]) == 8
    assert len(here.graph.layers["stage1-block1-conv1"]) == 4
    assert proposal.rule.count == 4


def test_layers_under_layer_norm_cannot_grow():
    graph = ng.mlp([4, 6, 6, 3], domain=(0, 1), norm="layer")
    profile = layer_profile(graph, context(graph, hidden1=9.0).signals())
    assert not profile.increments.any()
    assert set(profile.reasons) == {"cannot grow"}


# -- the method -----------------------------------------------------------------------------------


def start(shape, **options):
    return nagn_start(NagnOptions(**options), Start(shape=shape, outputs=10, domain=(0, 1), seed=3))


def test_starts():
    images = start((1, 8, 8), widths="4,3/5")
    assert [len(layer) for layer in images.layers_by_id.values()] == [1, 4, 3, 5, 10]
    assert images.layers["conv1_1"].norm == "batch"
    table = start((7,), widths="4,3/5")
    assert [len(layer) for layer in table.layers_by_id.values()] == [7, 4, 3, 5, 10]
    residual = start((3, 16, 16), widths="4", resnet=8)
    assert len(residual.layers["stage3-block1"]) == 16
    with pytest.raises(OptionError, match="needs images"):
        start((7,), resnet=8)


def test_regression_needs_the_loss():
    data = Start(shape=(7,), outputs=1, domain=(0, 1), seed=0, task="regression")
    with pytest.raises(OptionError, match="metric=loss"):
        nagn_start(NagnOptions(), data)
    assert len(nagn_start(NagnOptions(metric="loss"), data).outputs[0]) == 1


@pytest.mark.parametrize("widths", ["", "8,,8", "8;8", "0", "8/", "-3"])
def test_widths_are_checked(widths):
    with pytest.raises(OptionError, match="of the form 8,8/16,16"):
        NagnOptions(widths=widths)


@pytest.mark.parametrize(
    ("options", "word"), [({"max_edges": -1}, "max_edges=-1"), ({"tau": -1.0}, "tau=-1"), ({"metric": "f1"}, "'f1'")]
)
def test_options_are_checked(options, word):
    with pytest.raises(OptionError, match=word):
        NagnOptions(**options)


def test_training_is_that_of_the_paper():
    assert dict(get_method("nagn").training) == {
        "epochs": 200, "optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-2, "curve": "cosine",
        "batch_size": 500, "label_smoothing": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (0.001, 0.01, "growable", 0.8)),
        ({"paper": True}, (0.003, 0.05, "all", 1.0)),
        ({"paper": True, "delta_acc": 0.0, "until": 0.5}, (0.0, 0.05, "all", 0.5)),
        ({"delta_stop": 0.002}, (0.001, 0.002, "growable", 0.8)),
    ],
)
def test_thresholds_are_ours_or_those_of_the_paper_unless_given(given, expected):
    (widen,) = nagn(chain(4), NagnOptions(**given)).parts
    assert (widen.trigger.threshold, widen.stop, widen.rule.relative_to, widen.until) == expected
    assert (widen.trigger.window, widen.rule.threshold, widen.rule.non_decreasing) == (3, 0.05, True)
    assert widen.trigger.metric == "val_accuracy"
    resolved = get_method("nagn").resolve(NagnOptions(**given), chain(4))
    assert (resolved.delta_acc, resolved.delta_stop, resolved.relative_to, resolved.until) == expected


def test_regression_watches_the_loss():
    assert nagn(chain(4), NagnOptions(metric="loss")).parts[0].trigger.metric == "val_loss"
