"""Benchmarks: each is run as `python -m benchmarks.NAME` and measures peer and us in the same run."""
