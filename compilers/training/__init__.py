"""Training: a short loop, events for callbacks, checkpoints that resume exactly."""

from compilers.training.augment import check_augment
from compilers.training.collect import collect, dense_gradients, edge_statistics
from compilers.training.evaluate import (
    EVALUATION_BATCH,
    Loss,
    evaluate,
    predicted_classes,
    squared_errors,
    training_loss,
)
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
from compilers.training.natural import JACOBIAN_BYTES, MeanLoss, NaturalGradient, NaturalStep, Way, natural_step
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.signals import capture_signals
from compilers.training.state import (
    CHECKPOINT_KIND,
    CHECKPOINT_VERSION,
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
    "EVALUATION_BATCH",
    "EpochEnded",
    "Event",
    "FORWARDS_PER_STEP",
    "JACOBIAN_BYTES",
    "CHECKPOINT_KIND",
    "Loss",
    "MeanLoss",
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
    "CHECKPOINT_VERSION",
    "Way",
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
