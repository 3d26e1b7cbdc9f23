"""The two networks whose paths were enumerated in float64."""

import json
from pathlib import Path

import numpy as np

from netgraph.graph import Conv2d, GraphBuilder

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pwmpr.json").read_text())
LAYERED, CONVOLUTION = GOLDEN["a1_pwmp_layered"], GOLDEN["a3_pwmp_conv_valid"]


def layered():
    """The golden layered network: layers "0" to "3", one edge of weight 0, a vertex that nothing enters."""
    b = GraphBuilder(dtype=np.float64)
    b.input("0", 3)
    for k in (1, 2):
        b.layer(str(k), 4)
    b.output("3", 2)
    for k, (weight, mask) in enumerate(zip(LAYERED["weights"], LAYERED["masks"], strict=True)):
        dst, src = np.nonzero(mask)
        b.edges(str(k), str(k + 1), src, dst, weight=np.array(weight)[dst, src])
    return b.build()


def convolutional():
    """The golden convolutions, without padding."""
    b = GraphBuilder(dtype=np.float64)
    b.input("0", 1, grid=(3, 3))
    b.layer("1", 2, grid=(2, 2))
    b.output("2", 2, grid=())
    for k in (1, 2):
        mask, kernel = np.array(CONVOLUTION[f"mask{k}"]), np.array(CONVOLUTION[f"kernel{k}_OIHW"])
        dst, src, y, x = np.nonzero(mask)
        b.edges(str(k - 1), str(k), src, dst, tap=2 * y + x, weight=kernel[mask == 1], kind=Conv2d((2, 2)))
    return b.build()
