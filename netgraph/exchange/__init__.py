"""Files for other programs (GraphML, GEXF, DOT, edge lists, Model Explorer), and graphs of what others wrote."""

from netgraph.exchange.arrays import from_edges, from_matrix
from netgraph.exchange.forms import FORMS, FileForm, Fold, FormName, read, write

__all__ = ["FORMS", "Fold", "FileForm", "FormName", "from_edges", "from_matrix", "read", "write"]
