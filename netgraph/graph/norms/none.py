"""The norm "none": values equal the sums."""

from netgraph.graph.norms.record import Norm

NONE = Norm(
    name="none",
    function=lambda z, columns, epsilon, train: z,
    identity=True,
    interval=lambda low, high, setting: (low, high),
    change=lambda change: (change.low, change.high),
    rounding=lambda low, high, error, setting: error,
    restoring=lambda sums: {},
)
