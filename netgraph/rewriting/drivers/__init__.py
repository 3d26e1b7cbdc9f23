"""Drivers: rules one after another, repeated, tried, layer by layer, or by score, as one rewrite."""

from netgraph.rewriting.drivers.derivation import Derivation
from netgraph.rewriting.drivers.driver import Driver, StepDriver, require_step, text_of
from netgraph.rewriting.drivers.greedy import GreedyDriver, greedy
from netgraph.rewriting.drivers.loops import (
    FirstOfDriver,
    RepeatDriver,
    SequenceDriver,
    first_of,
    repeat,
    sequence,
    step,
)
from netgraph.rewriting.drivers.run import DriverRun, derive
from netgraph.rewriting.drivers.sweeps import SweepDriver, sweep

__all__ = [
    "Derivation",
    "Driver",
    "DriverRun",
    "FirstOfDriver",
    "GreedyDriver",
    "RepeatDriver",
    "SequenceDriver",
    "StepDriver",
    "SweepDriver",
    "derive",
    "first_of",
    "greedy",
    "repeat",
    "require_step",
    "sequence",
    "step",
    "sweep",
    "text_of",
]
