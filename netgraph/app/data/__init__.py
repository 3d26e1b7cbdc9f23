"""Load a data set for training: labelled 0..C-1, split into train and test, and scaled into [0, 1].

`load_dataset` takes the name of a bundled data set, the path of a file, or `openml:NAME`, and returns a
`Dataset`. Inputs end in [0, 1] because growth by splitting an edge keeps the function of a network only for
sources that are never negative. Everything that was done to the data stands in `Dataset.notes`.
"""

from netgraph.app.data.dataset import Dataset
from netgraph.app.data.images import ImageLayout, image_layout
from netgraph.app.data.load import load_dataset
from netgraph.app.data.normalise import Normalisation
from netgraph.app.data.sources import dataset_names
from netgraph.app.data.splits import split_validation

__all__ = [
    "Dataset",
    "ImageLayout",
    "Normalisation",
    "dataset_names",
    "image_layout",
    "load_dataset",
    "split_validation",
]
