"""The op of torch-sparse that a kernel stands on: products, and the gradient of the values."""

import warnings

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.torch_sparse


@pytest.fixture(scope="module")
def spmm_sum():
    with warnings.catch_warnings():
        # It compiles TorchScript when it is imported, of which newer versions of PyTorch warn.
        warnings.simplefilter("ignore")
        pytest.importorskip("torch_sparse", reason="needs the extra torch-sparse: make torch-sparse")
    return torch.ops.torch_sparse.spmm_sum


@pytest.fixture
def matrix():
    """Rows and columns of the edges of a (7, 5) matrix with an empty row and an empty column, and its values."""
    mask = np.random.default_rng(0).random((7, 5)) < 0.5
    mask[3], mask[:, 2] = False, False
    rows, columns = np.nonzero(mask)
    # The op reads indices as if they were contiguous; those of NumPy are not.
    return torch.tensor(rows), torch.tensor(columns), torch.randn(len(rows), dtype=torch.float64)


def pointers(rows, count):
    return torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(rows, minlength=count).cumsum(0)])


def dense(rows, columns, values):
    out = torch.zeros(7, 5, dtype=torch.float64)
    out[rows, columns] = values
    return out


def test_products_with_the_matrix_and_its_transpose(spmm_sum, matrix):
    rows, columns, values = matrix
    x, g = torch.randn(5, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    got = spmm_sum(None, pointers(rows, 7), columns, values, None, None, x)
    torch.testing.assert_close(got, dense(*matrix) @ x)
    order = torch.argsort(columns, stable=True)
    got = spmm_sum(None, pointers(columns, 5), rows[order], values[order], None, None, g)
    torch.testing.assert_close(got, dense(*matrix).T @ g)


def test_gradient_of_the_values_needs_no_second_product(spmm_sum, matrix):
    """Backward does not read the row pointers, so the forward that autograd sees may be that of empty rows."""
    rows, columns, values = matrix
    x, g = torch.randn(5, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    values.requires_grad_()
    out = spmm_sum(rows, torch.zeros(8, dtype=torch.int64), columns, values, None, None, x)
    assert not out.any()
    (gradient,) = torch.autograd.grad(out, values, g)
    torch.testing.assert_close(gradient, (g @ x.T)[rows, columns])
