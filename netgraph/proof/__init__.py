"""Proofs: what a rewrite did to the function, as a statement about every input in the domain."""

from netgraph.proof.certificate import LEVELS, Certificate, Kind, Level, Measurement
from netgraph.proof.certify import certify
from netgraph.proof.measure import measure, sample_inputs

__all__ = ["LEVELS", "Certificate", "Kind", "Level", "Measurement", "certify", "measure", "sample_inputs"]
