"""Shapes of the JSON files of a run, by which every value is checked when it is read."""

from __future__ import annotations

from compilers.training import TrainSettings
from netgraph.storage import PLAIN, Either, Entries, Items, Maybe, Number, Record, Shape, Text, Whole, record_of

_NAME = Text(undecoded=True)

_TRAINING: dict[str, Shape] = {**record_of(TrainSettings).entries, "epochs": Whole(1, 2**31 - 1)}

_ENTRIES: dict[str, Shape] = {
    "netgraph": Text(),
    "torch": Text(),
    "numpy": Text(),
    "python": Text(),
    "machine": Text(),
    "data": _NAME,
    "target": Maybe(_NAME),
    "task": Text(("classification", "regression")),
    "input_shape": Items(Whole(1, 2**31 - 1)),
    "fingerprint": Text(),
    "normalisation": Maybe(PLAIN),
    "device": Text(),
    "method": Text(),
    "run": Entries(PLAIN),
    "training": Record(_TRAINING, optional=frozenset(_TRAINING.keys() - {"epochs"}), others=PLAIN),
    "options": Entries(PLAIN),
    "seed": Whole(high=None),
}

_VALUES = Either((Number(), Items(Number())))

_PREPARATION = Record(
    {
        "scaling": Record({"low": _VALUES, "high": _VALUES}),
        "columns": Items(_NAME),
        "classes": Items(_NAME),
        "targets": Maybe(Record({"mean": Items(Number()), "std": Items(Number())})),
        "samples": Record({"training": Whole(), "validation": Whole(), "test": Whole()}),
    }
)

_LATER: dict[str, Shape] = {"data_path": Maybe(_NAME), "preparation": _PREPARATION}

CONFIG_SHAPE = Record({**_ENTRIES, **_LATER}, optional=frozenset(_LATER), others=PLAIN)
"""Shape of a complete `config.json`; fields that later versions added may be missing."""

PART_OF_CONFIG = Record(CONFIG_SHAPE.entries, optional=frozenset(CONFIG_SHAPE.entries), others=PLAIN)
"""Shape of a `config.json` in which any field may be missing."""

METRICS_SHAPE = Record({"epoch": Whole(1)}, optional=frozenset(["epoch"]), others=Number(finite=False))
"""Shape of a line of `metrics.jsonl`: numbers by name of the metric."""

RESULTS_SHAPE = Record({"metric": Text(("accuracy", "rmse"))}, optional=frozenset(["metric"]), others=PLAIN)
"""Shape of a `summary.json`, before it is known which entries it must have."""
