"""The example of `docs/rules.md`: the command line with a rule of one's own; runs beside `examples/own_rule.py`."""

# region command
from own_rule import SplitHeavyEdges  # the file with the rule

import netgraph as ng
from netgraph.app.cli import main

ng.rules.register_rule("split-heavy-edges")(SplitHeavyEdges)
main(["rules", "split-heavy-edges"])
main(["explain", "runs/digits", "split-heavy-edges", "--set", "above=0.2"])  # after `make grow`
# endregion command
