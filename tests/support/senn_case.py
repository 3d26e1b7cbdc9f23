"""The golden case of the natural expansion score: a rational network 2-2-1, computed independently."""

import json
from pathlib import Path

import numpy as np

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "senn.json").read_text())
CASE = GOLDEN["regression_2_2_1"]
EXPECTED = CASE["expected"]


def rational(x, v, c, l):  # noqa: E741 (the paper's names)
    return ((2 * v * x + c) / (1 + x**2) + l * x) / np.sqrt(v**2 + c**2 + l**2 + 1e-8)


def proposed(name, inputs):
    """Activations of a golden proposal."""
    p = {key: np.array(value) for key, value in CASE[name].items()}
    return rational(inputs @ p["kernel"] + p["bias"], p["v"], p["c"], p["l"])
