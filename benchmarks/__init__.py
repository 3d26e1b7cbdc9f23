"""Benchmarks, run as `python -m benchmarks.NAME`; each measures netgraph and its peers in the same process."""
