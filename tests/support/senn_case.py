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


def jacobian(x, params, step=1e-30):
    """(examples, outputs, parameters), in the golden order of parameters: exact, by steps along the imaginary axis."""
    order = ("W1", "b1", "v", "c", "l", "W2", "b2")
    shapes = [np.shape(params[k]) for k in order]
    theta = np.concatenate([np.ravel(params[k]) for k in order])
    bounds = np.cumsum([int(np.prod(s)) for s in shapes])[:-1]

    def outputs(values):
        w1, b1, v, c, l, w2, b2 = (  # noqa: E741
            part.reshape(s) for part, s in zip(np.split(values, bounds), shapes, strict=True)
        )
        return rational(x @ w1 + b1, v, c, l) @ w2 + b2

    columns = [outputs(theta + 1j * step * e).imag / step for e in np.eye(len(theta))]
    return np.stack(columns, axis=-1)
