"""Activations of one's own, each a record in this one file outside of the package, entered by one line.

`squareplus` is an `Expression`, so the compiler needs nothing more; `softsign` is written for NumPy alone, and its
function on tensors is given to the compiler. `bent` is the identity where its parameter is 0.
"""

from contextlib import contextmanager

import numpy as np

from netgraph.graph import ACTIVATIONS, Activation, Expression, register_activation
from netgraph.graph.activations import less_the_argument, nearest_and_farthest, outward, sound

EPS = np.finfo(np.float64).eps


@sound
def squareplus_interval(low, high, p, slope):
    """Rises. Left of 0, 2 / (r - t) with r = sqrt(t^2 + 4) loses no digits."""
    ends = []
    for t in (low, high):
        r = np.hypot(t, 2.0)
        ends.append(np.where(t > 0, t / 2 + r / 2, 2.0 / (r - t)))
    return outward(*ends, 8 * EPS, 0.0)


@sound
def squareplus_slopes(low, high, p, slope):
    """(1 + t / r) / 2, which rises."""
    least, most = (0.5 + np.clip(t, -1e150, 1e150) / np.hypot(np.clip(t, -1e150, 1e150), 2.0) / 2 for t in (low, high))
    return np.maximum(least - 8 * EPS, 0.0), np.minimum(most + 8 * EPS, 1.0)


SQUAREPLUS = Activation(
    name="squareplus",
    function=Expression(lambda xp, z, p, slope: (z + xp.sqrt(z * z + 4)) / 2),
    derivatives=lambda z, p, slope: ((1 + z / np.sqrt(z * z + 4)) / 2, {}),
    interval=squareplus_interval,
    slopes=squareplus_slopes,
    terms=lambda low, high, p, slope: nearest_and_farthest(low, high)[1] + 2,
    mirror=less_the_argument,
)
"""`f(t) = (t + sqrt(t^2 + 4)) / 2`, with `f(-t) = f(t) - t`."""


def between(one, two):
    """Ends of the interval between two rounded numbers."""
    return outward(np.minimum(one, two), np.maximum(one, two), 16 * EPS)


@sound
def softsign_interval(low, high, p, slope):
    """Rises for a positive gain, and falls for a negative one."""
    ends = [np.where(np.isinf(t), np.sign(t), t / (1 + np.abs(t))) for t in (low, high)]
    return between(p["gain"] * ends[0], p["gain"] * ends[1])


@sound
def softsign_slopes(low, high, p, slope):
    """gain / (1 + |t|)^2, which falls with |t|."""
    near, far = nearest_and_farthest(low, high)
    return between(p["gain"] / (1 + near) ** 2, p["gain"] / (1 + far) ** 2)


SOFTSIGN = Activation(
    name="softsign",
    function=lambda z, p, slope: p["gain"] * z / (1 + np.abs(z)),
    derivatives=lambda z, p, slope: (p["gain"] / (1 + np.abs(z)) ** 2, {"gain": z / (1 + np.abs(z))}),
    interval=softsign_interval,
    slopes=softsign_slopes,
    terms=lambda low, high, p, slope: np.abs(p["gain"]) + np.zeros(len(low)),
    parameters={"gain": 1.0},
    mirror=lambda p, slope: (-1.0, 0.0, 0.0, 0.0),
)
"""`f(t) = gain t / (1 + |t|)`, with a gain for each vertex; odd."""


def bent_ends(one, two, p):
    """Ends of a leaky ReLU with the factor `(1 - bend) / (1 + bend)` below 0, times `1 + bend`."""
    return between(one * (1 + p["bend"]), two * (1 + p["bend"]))


def leaky(p):
    """Parameters of the leaky ReLU."""
    return {"slope": (1 - p["bend"]) / (1 + p["bend"])}


PRELU = ACTIVATIONS["prelu"]
BENT = Activation(
    name="bent",
    function=lambda z, p, slope: z + p["bend"] * np.abs(z),
    derivatives=lambda z, p, slope: (1 + p["bend"] * np.sign(z), {"bend": np.abs(z)}),
    interval=lambda low, high, p, slope: bent_ends(*PRELU.interval(low, high, leaky(p), slope), p),
    slopes=lambda low, high, p, slope: bent_ends(*PRELU.slopes(low, high, leaky(p), slope), p),
    terms=lambda low, high, p, slope: (1 + np.abs(p["bend"])) * nearest_and_farthest(low, high)[1],
    parameters={"bend": 0.25},
    affine=lambda low, high, p, slope: (np.where(p["bend"] == 0, 1.0, np.nan), np.zeros(len(low))),
    identity_at={"bend": 0.0},
)
"""`f(t) = t + bend |t|`, for `-1 < bend < 1`."""


@contextmanager
def registered(*activations):
    """Activations that are known inside of the block only."""
    for activation in activations:
        register_activation(activation)
    try:
        yield
    finally:
        for activation in activations:
            if activation.name in ACTIVATIONS:
                ACTIVATIONS.remove(activation.name)
