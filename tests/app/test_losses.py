"""The losses of an epoch are named by what they are of."""

import numpy as np
import pytest
import torch

from compilers.training import training_loss
from netgraph.app.losses import loss_floor, loss_note, training_loss_name


@pytest.mark.parametrize(("smoothing", "classes"), [(0.1, 10), (0.3, 2), (0.05, 1000), (0.0, 3)])
def test_no_outputs_have_a_loss_below_the_floor(smoothing, classes):
    floor, loss = loss_floor(smoothing, classes), training_loss("classification", smoothing)
    target = torch.tensor([1])
    shares = torch.full((1, classes), smoothing / classes, dtype=torch.float64)
    shares[0, 1] += 1 - smoothing
    assert float(loss(shares.clamp_min(1e-300).log(), target)) == pytest.approx(floor, abs=1e-9)
    outputs = torch.from_numpy(np.random.default_rng(0).normal(size=(200, classes)) * 3)
    assert all(float(loss(row[None], target)) >= floor for row in outputs)


def test_what_sets_the_two_losses_apart_is_said():
    plain, task = {"label_smoothing": 0.0, "augment": "none"}, "classification"
    assert training_loss_name(plain, task) == "training"
    assert "smoothing" not in loss_note(plain, task, 10)
    both = {"label_smoothing": 0.1, "augment": "crop+flip"}
    assert training_loss_name(both, task) == "training, label smoothing 0.1, augment=crop+flip"
    text = loss_note(both, task, 10)
    assert ", with label smoothing 0.1, with augment=crop+flip; the validation loss is the plain cross-entropy" in text
    assert "over 10 classes no network has a training loss below 0.5," in text
    assert training_loss_name(both, "regression") == "training, augment=crop+flip"
    assert "smoothing" not in loss_note(both, "regression", 1)


def test_the_run_its_report_and_its_summary_say_it(finished, call):
    note = "With label smoothing 0.1 over 10 classes no network has a training loss below 0.5"
    assert note in (finished / "report.html").read_text()
    assert note in (finished / "summary.md").read_text()
