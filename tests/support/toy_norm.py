"""Norms of one's own, each a record and a formula on tensors in this one file outside of the packages.

`gain` acts vertex by vertex; `peak` couples the vertices of a layer; `centred` couples the samples of a batch, and has
a running statistic.
"""

from contextlib import contextmanager

import numpy as np
import torch

import compilers
from netgraph.graph import NORMS, Norm, register_norm
from netgraph.graph.bounds import EPS, add, scaled, times, widen

# -- every vertex times its own factor -------------------------------------------------------------


def gain_change(change):
    """`f_new * change + (f_new - f_old) * z_old`."""
    new, old = (setting.columns["factor"] for setting in (change.new, change.old))
    by_sum = times(new, new, change.low, change.high)
    by_factor = times(*(np.where(change.kept, 0.0, d) for d in widen(new - old, new - old)), change.old_low,
                      change.old_high)  # fmt: skip
    low, high = widen(by_sum[0] + by_factor[0], by_sum[1] + by_factor[1])
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def gain_rounding(low, high, error, setting):
    factor = np.abs(setting.columns["factor"])
    size = np.maximum(np.abs(low), np.abs(high)) + error
    return np.where(factor == 0, 0.0, (factor * (error + 4 * EPS * size) + 1e-300) * (1 + 64 * EPS))


GAIN = Norm(
    name="gain",
    function=lambda z, columns, epsilon, train: z * columns["factor"],
    columns={"factor": 1.0},
    interval=lambda low, high, setting: scaled(low, high, setting.columns["factor"], np.zeros(len(low))),
    change=gain_change,
    rounding=gain_rounding,
    factor=lambda columns, epsilon: columns["factor"],
    restoring=lambda sums: {},
)


def gain_on_tensors(layer, buffers):
    return lambda z, columns, training, momentum: z * columns["factor"]


# -- every sum over the largest of its layer -------------------------------------------------------


def peak_function(z, columns, epsilon, train):
    return z / (np.abs(z).max(axis=1, keepdims=True) + epsilon)


def peak_interval(low, high, setting):
    one = np.ones(len(low))
    return np.where(low >= 0, 0.0, -one), np.where(high <= 0, 0.0, one)


def peak_change(change):
    """Two sums that are at most d apart, in layers whose largest are: at most `2 d / epsilon` apart."""
    reach = float(np.maximum(np.abs(change.low), np.abs(change.high)).max(initial=0.0))
    most = min(2.0, 2.001 * reach / change.new.epsilon) if change.whole else 2.0
    return np.full(len(change.low), -most), np.full(len(change.low), most)


def peak_rounding(low, high, error, setting):
    return np.full(len(low), min(2.0, 2.001 * float(error.max()) / setting.epsilon) + 16 * EPS)


PEAK = Norm(
    name="peak",
    function=peak_function,
    couples_vertices=True,
    interval=peak_interval,
    change=peak_change,
    rounding=peak_rounding,
)


def peak_on_tensors(layer, buffers):
    axis = layer.vertex_axis

    def normalise(z, columns, training, momentum):
        return z / (z.abs().amax(dim=axis, keepdim=True) + layer.norm_epsilon)

    return normalise


# -- every sum less the mean of its batch ----------------------------------------------------------


def centred_function(z, columns, epsilon, train):
    axes = (0, *range(2, z.ndim))
    return z - (z.mean(axis=axes, keepdims=True)[0] if train else columns["centre"])


def centred_interval(low, high, setting):
    centre = setting.columns["centre"]
    in_eval = add(low, high, -centre, -centre)
    if setting.mode == "eval":
        return in_eval
    spread = add(low, high, -high, -low)
    return np.minimum(in_eval[0], spread[0]), np.maximum(in_eval[1], spread[1])


def centred_change(change):
    """In eval mode; in train mode nothing is said."""
    if change.new.mode == "train":
        return np.full(len(change.low), -np.inf), np.full(len(change.low), np.inf)
    moved = change.old.columns["centre"] - change.new.columns["centre"]
    return widen(*add(change.low, change.high, moved, moved))


CENTRED = Norm(
    name="centred",
    function=centred_function,
    columns={"centre": 0.0},
    buffers={"centre"},
    couples_samples=True,
    centres=True,
    interval=centred_interval,
    change=centred_change,
)


def centred_on_tensors(layer, buffers):
    centre = buffers["centre"]
    others, shape = ((0, 2, 3), (1, -1, 1, 1)) if layer.grid else (1, (-1, 1))

    def normalise(z, columns, training, momentum):
        mean = z.mean(others) if training else centre
        if training:
            with torch.no_grad():
                centre.lerp_(mean.detach(), momentum)
        return z - mean.view(shape)

    return normalise


# -- both at once ----------------------------------------------------------------------------------

TOYS = {"gain": (GAIN, gain_on_tensors), "peak": (PEAK, peak_on_tensors), "centred": (CENTRED, centred_on_tensors)}


@contextmanager
def registered(*names, tensors=True):
    """Norms known inside of the block only, to graphs and, with `tensors`, to the compiler."""
    for name in names:
        norm, bind = TOYS[name]
        register_norm(norm)
        if tensors:
            compilers.register_norm(name, bind)
    try:
        yield
    finally:
        for name in names:
            if name in NORMS:
                NORMS.remove(name)
