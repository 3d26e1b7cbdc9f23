"""Proofs of the effect of a rewrite on the outputs, for every input in the domain."""

from netgraph.proof.alignment import aligned
from netgraph.proof.certificate import CERTIFICATE_SHAPE, LEVELS, Certificate, Kind, Level, Measurement, rounded_up
from netgraph.proof.certify import certify
from netgraph.proof.exact_sums import sum_groups, two_product, two_sum
from netgraph.proof.measure import measure, sample_inputs
from netgraph.proof.rounding import rounding_allowance

__all__ = [
    "Certificate",
    "Kind",
    "LEVELS",
    "Level",
    "Measurement",
    "CERTIFICATE_SHAPE",
    "aligned",
    "certify",
    "measure",
    "rounded_up",
    "rounding_allowance",
    "sample_inputs",
    "sum_groups",
    "two_product",
    "two_sum",
]
