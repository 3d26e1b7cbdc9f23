"""`netgraph new`: writes a rule with its test and its page, or a whole package with them."""

from netgraph.app.new.writing import NewFiles, write_rule

__all__ = ["NewFiles", "write_rule"]
