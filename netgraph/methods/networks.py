"""First networks that methods share: dense layers for rows of features, convolutions for images."""

from __future__ import annotations

from typing import Any

from netgraph.errors import OptionError
from netgraph.graph import Graph, GraphBuilder, convnet, resnet
from netgraph.methods.start import Start


def parse_stages(widths: str) -> list[list[int]]:
    """Widths stage by stage, of a text such as "8,8/16,16". Raises `OptionError` when it has another form."""
    try:
        found = [[int(width) for width in stage.split(",")] for stage in widths.split("/")]
    except ValueError:
        found = []
    if not found or min(map(min, found)) < 1:
        raise OptionError(f"widths={widths!r} is not of the form 8,8/16,16.")
    return found


def network(start: Start, stages: list[list[int]], *, depth: int = 0) -> Graph:
    """A dense network with weights drawn as Kaiming does.

    Args:
        start: the data that it is for.
        stages: for images, maps of 3x3 convolutions with batch norm, a pool after each stage; else hidden layers.
        depth: of a residual network for images, with the first of the widths, instead; 0 is none.

    Raises:
        OptionError: when a residual network is asked for rows of features.
        GraphError: when the images are too small for so many stages.
    """
    if len(start.shape) == 3:
        data: dict[str, Any] = {
            "classes": start.outputs,
            "input_size": start.maps,
            "domain": start.domain,
            "seed": start.seed,
        }
        return resnet(depth, width=stages[0][0], **data) if depth else convnet(stages, **data)
    if depth:
        raise OptionError(f"resnet={depth} needs images; the data are rows of {start.features} features.")
    b = GraphBuilder(seed=start.seed, init="kaiming")
    last = b.input("input", start.features, domain=start.domain)
    for i, width in enumerate([width for stage in stages for width in stage], start=1):
        name = b.layer(f"hidden{i}", width)
        b.dense(last, name)
        last = name
    b.dense(last, b.output("output", start.outputs))
    return b.build()
