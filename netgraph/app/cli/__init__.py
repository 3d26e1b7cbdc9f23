"""The command line `netgraph`: its commands and their arguments."""

from netgraph.app.cli.commands import COMMANDS, build_parser, main

__all__ = ["COMMANDS", "build_parser", "main"]
