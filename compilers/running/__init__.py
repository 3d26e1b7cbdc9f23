"""Networks that run: a plan with its tensors, forward and backward."""

from compilers.running.activations import TensorActivation, register_activation
from compilers.running.derivatives import Captured
from compilers.running.executor import as_it_is
from compilers.running.interface import listed_outputs, named_outputs
from compilers.running.jacobian import couples_samples, jacobian, jacobian_bytes, output_size
from compilers.running.linearized import Linearized
from compilers.running.lower import lower, lower_with
from compilers.running.module import FLAT_BUFFERS, FLAT_PARAMETERS, OWN_ATTRIBUTES, Options
from compilers.running.network import CompiledNetwork
from compilers.running.norms import Normalise, register_norm
from compilers.running.tuning import costs_file, save_costs, tune, tuned_costs

__all__ = [
    "FLAT_BUFFERS",
    "Captured",
    "CompiledNetwork",
    "Linearized",
    "Normalise",
    "OWN_ATTRIBUTES",
    "Options",
    "FLAT_PARAMETERS",
    "TensorActivation",
    "as_it_is",
    "costs_file",
    "couples_samples",
    "jacobian",
    "jacobian_bytes",
    "listed_outputs",
    "lower",
    "lower_with",
    "named_outputs",
    "output_size",
    "register_activation",
    "register_norm",
    "save_costs",
    "tune",
    "tuned_costs",
]
