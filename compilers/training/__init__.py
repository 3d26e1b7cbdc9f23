"""Training: a short loop, events for callbacks, checkpoints that resume exactly."""

from compilers.training.augment import check_augment
from compilers.training.collect import collect, dense_gradients, edge_statistics
from compilers.training.evaluate import evaluate, predicted_classes, squared_errors, training_loss
from compilers.training.events import (
    Callback,
    EpochEnded,
    Event,
    NothingSelected,
    PhaseBegan,
    Proposed,
    Rewritten,
    Settled,
    Stopped,
    every,
)
from compilers.training.loop import train, train_epoch
from compilers.training.natural import NaturalGradient, NaturalStep, natural_step
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.signals import capture_signals
from compilers.training.state import (
    FORWARDS_PER_STEP,
    TrainState,
    begin,
    checkpoint_graph,
    load_checkpoint,
    make_optimizer,
    save_checkpoint,
)

__all__ = [
    "Callback",
    "EpochEnded",
    "FORWARDS_PER_STEP",
    "Event",
    "NaturalGradient",
    "NaturalStep",
    "NothingSelected",
    "PhaseBegan",
    "Proposed",
    "Rewritten",
    "Settled",
    "Stopped",
    "TrainSettings",
    "TrainState",
    "TrainingData",
    "begin",
    "capture_signals",
    "check_augment",
    "checkpoint_graph",
    "collect",
    "dense_gradients",
    "edge_statistics",
    "evaluate",
    "every",
    "load_checkpoint",
    "make_optimizer",
    "natural_step",
    "predicted_classes",
    "save_checkpoint",
    "squared_errors",
    "train",
    "train_epoch",
    "training_loss",
]
