"""Values written feature-major, whatever lies where."""

import pytest
import torch
from torch import Tensor

from compilers.running.transposing import write_transposed


def _strided(batch: int, features: int) -> dict[str, Tensor]:
    x = torch.rand(batch, features)
    return {
        "contiguous": x,
        "transposed": torch.rand(features, batch).t(),
        "sliced": torch.rand(2 * batch, features + 3)[::2, 3:],
        "expanded": torch.rand(1, features).expand(batch, features),
        "one number": torch.rand(()).expand(batch, features),
        "double": x.double(),
    }


@pytest.mark.parametrize("layout", list(_strided(1, 1)))
@pytest.mark.parametrize(("batch", "features"), [(0, 3), (3, 0), (1, 1), (1, 2048), (7, 512), (128, 2048), (90, 100)])
def test_every_layout_is_written(layout: str, batch: int, features: int) -> None:
    x = _strided(batch, features)[layout]
    buffer = torch.full((features + 2, batch), -1.0, dtype=x.dtype)
    before = x.clone()
    write_transposed(buffer[1:-1], x)
    assert torch.equal(buffer[1:-1], before.t())
    assert torch.equal(x, before)
    assert bool((buffer[0] == -1).all() and (buffer[-1] == -1).all())
