"""Linear layers, products with matrices of parameters, and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from compilers.importing.codes import Coded
from compilers.importing.ops.arithmetic import is_parameter
from compilers.importing.ops.attention import matrix_product
from compilers.importing.owners import IndexTensor
from compilers.importing.reading import restored, sampled
from compilers.importing.sums import Weights, dense, link
from compilers.importing.walk import ModuleWalk, operation
from netgraph.graph import Dense


@operation("linear")
def linear(walk: ModuleWalk, value: Any, weight: Any, bias: Any = None) -> Coded:
    """Linear layer with weights `(targets, sources)`."""
    return dense(walk, value, Weights(walk, weight), bias)


@operation("addmm")
def addmm(walk: ModuleWalk, bias: Any, value: Any, weight: Any, *, beta: float = 1, alpha: float = 1) -> Coded:
    """Linear layer with weights `(sources, targets)`."""
    if (beta, alpha) != (1, 1):
        walk.refuse(f"it scales its parts by beta={beta} and alpha={alpha}", "put the factors into the parameters")
    return dense(walk, value, Weights(walk, weight).map(np.transpose), bias)


@operation("mm", "matmul", "bmm")
def matmul(walk: ModuleWalk, value: Any, weight: Any) -> Any:
    """Product with a matrix of parameters, `(sources, targets)`, or of two activations in attention."""
    if all(isinstance(part, Coded) and not is_parameter(walk, part) for part in (value, weight)):
        return matrix_product(walk, value, weight)
    if not isinstance(value, Coded) or len(weight.shape) != 2:
        walk.refuse(
            "a matrix times activations is a layer only as activations times a matrix",
            "use torch.nn.Linear, or x @ weight",
        )
    return dense(walk, value, Weights(walk, weight).map(np.transpose), None)


@operation("embedding")
def embedding(
    walk: ModuleWalk, weight: Any, index: Any, padding_idx: int = -1, scale: bool = False, sparse: bool = False
) -> Coded:
    """Table that is read at whole numbers of an input: a dense link from an input with the encoding "index".

    At constants, such as positions, the rows of the table are parameters that are moved. Edges of the row for padding
    are frozen, since the module gives this row no gradient.
    """
    if isinstance(index, Tensor) and isinstance(weight, Coded):
        return weight.map(lambda part: part[index])  # type: ignore[no-any-return]
    if isinstance(weight, Tensor) or not isinstance(index, Coded):
        walk.refuse("a table that is no parameter", "use torch.nn.Embedding")
    found = sampled(walk, index)
    number, _, offset = walk.space.locate(found.codes[0])
    owner = walk.space.owner(int(number.flat[0]))
    whole = isinstance(owner, IndexTensor) and len(found.codes) == 1 and (found.factors[0] == 1).all()
    if not whole or (offset.reshape(-1) != np.arange(owner.size)).any():
        walk.refuse("it computes with whole numbers of an input", "give all of them to the embedding, as they are")
    weights = Weights(walk, weight)
    rows, width = weights.values.shape
    if owner.draft is None:
        owner.draft = walk.input_draft(owner, rows)
    if owner.draft.width != rows:
        walk.refuse(
            f"it reads a table of {rows} rows with numbers that already choose among {owner.draft.width}",
            "give both tables the same number of rows",
        )
    target = walk.draft(width, owner.shape)
    walk.count_edges(int(weights.exists.sum()))
    src, dst = np.nonzero(weights.exists)
    order = np.lexsort((src, dst))
    src, dst = src[order], dst[order]
    link(
        target, owner.draft, Dense(), src, dst, weights.values[src, dst],
        parameter=weights.codes[src, dst], frozen=weights.frozen[src, dst] | (src == padding_idx),
    )  # fmt: skip
    if padding_idx >= 0:
        walk.notes.append(f"{target.name}: edges of row {padding_idx}, for padding, are frozen.")
    codes = walk.codes_of(target).reshape(width, *found.shape)
    return restored(walk, found, np.moveaxis(codes, 0, -1))
