"""`python -m netgraph.app.cli`: the command line without its script."""

import sys

from netgraph.app.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
