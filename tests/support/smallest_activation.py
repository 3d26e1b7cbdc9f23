"""The example of `docs/compiler.md`: an activation with the fields that every record must have, and no more."""

# region record
import numpy as np

from netgraph.graph import Activation, Expression, register_activation
from netgraph.graph.activations import nearest_and_farthest, outward, sound

ULPS = 4 * np.finfo(np.float64).eps  # more than the relative rounding error of the lines below


@sound
def interval(low, high, p, slope):
    """The function rises, so its bounds are its values at the ends."""
    return outward(np.arctan(low), np.arctan(high), ULPS)


@sound
def slopes(low, high, p, slope):
    """Its derivative falls with |t|."""
    near, far = nearest_and_farthest(low, high)
    return outward(1 / (1 + far**2), 1 / (1 + near**2), ULPS, 0.0, 1.0)


ARCTAN = Activation(
    name="arctan",
    function=Expression(lambda xp, z, p, slope: xp.arctan(z)),  # xp is NumPy or torch
    derivatives=lambda z, p, slope: (1 / (1 + z**2), {}),  # {}: the function has no parameters
    interval=interval,
    slopes=slopes,
    terms=lambda low, high, p, slope: np.full(len(low), 2.0),  # |arctan t| < 2
)
register_activation(ARCTAN)  # from here on layers take activation="arctan"
# endregion record
