"""Data files: CSV, IDX and NPZ."""

from netgraph.app.data.files.csv import encode_table, read_csv
from netgraph.app.data.files.idx import is_idx_name, read_idx
from netgraph.app.data.files.npz import read_npz
from netgraph.app.data.files.read import require_file

__all__ = [
    "encode_table",
    "is_idx_name",
    "read_csv",
    "read_idx",
    "read_npz",
    "require_file",
]
