"""Plot of expressiveness scores: gradients at every layer and at its neighbours, and the widening that follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.criteria import ExpressivenessProfile
from netgraph.viz.plots.figures import axes_or_new, literal


def plot_expressiveness(profile: ExpressivenessProfile, *, ax: Any = None) -> Any:
    """Draw the gradients at every layer, the means at its neighbours, and the numbers of new vertices (NAGN).

    Args:
        profile: a result of `netgraph.criteria.expressiveness`.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes.

    Raises:
        OptionError: when matplotlib is not installed.
    """
    axes = axes_or_new(ax, max(4.0, 0.8 * len(profile.names)), 3.5)
    places = np.arange(len(profile.names))
    axes.plot(places, profile.values, marker="o", color="tab:blue", label="NAGN")
    axes.plot(places, profile.neighbours, ls="--", marker="_", color="tab:gray", label="neighbours")
    axes.set_xticks(places, [literal(name) for name in profile.names], rotation=45, ha="right")
    axes.set_ylabel("RMS of dL/dz")
    axes.set_ylim(bottom=0)
    bars = axes.twinx()
    bars.bar(places, profile.increments, width=0.4, alpha=0.3, color="tab:orange", label="new vertices")
    bars.set_ylabel("new vertices")
    axes.legend(loc="upper left", frameon=False)
    return axes
