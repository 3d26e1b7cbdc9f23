"""Random genomes of neat-python, and their networks."""

import random

ACTIVATIONS = ("identity", "relu", "lelu", "sigmoid", "tanh", "softplus", "clamped", "abs", "hat")
CONFIG = """
[NEAT]
fitness_criterion = max
fitness_threshold = 1
pop_size = 2
reset_on_extinction = False
no_fitness_termination = True

[DefaultGenome]
num_inputs = 3
num_hidden = {hidden}
num_outputs = 2
initial_connection = partial_direct 0.6
feed_forward = {feed_forward}
compatibility_disjoint_coefficient = 1.0
compatibility_weight_coefficient = 1.0
conn_add_prob = 0.6
conn_delete_prob = 0.1
node_add_prob = 0.4
node_delete_prob = 0.05
single_structural_mutation = False
structural_mutation_surer = default
activation_default = {activation}
activation_mutate_rate = 0.2
activation_options = {activations}
aggregation_default = {aggregation}
aggregation_mutate_rate = 0.0
aggregation_options = {aggregation}
bias_init_mean = 0.0
bias_init_stdev = 1.0
bias_init_type = gaussian
bias_max_value = 3.0
bias_min_value = -3.0
bias_mutate_power = 0.5
bias_mutate_rate = 0.5
bias_replace_rate = 0.1
response_init_mean = 1.0
response_init_stdev = 0.5
response_init_type = gaussian
response_max_value = 3.0
response_min_value = -3.0
response_mutate_power = 0.3
response_mutate_rate = 0.4
response_replace_rate = 0.1
time_constant_init_mean = 1.0
time_constant_init_stdev = 0.0
time_constant_init_type = gaussian
time_constant_max_value = 10.0
time_constant_min_value = 0.1
time_constant_mutate_power = 0.0
time_constant_mutate_rate = 0.0
time_constant_replace_rate = 0.0
weight_init_mean = 0.0
weight_init_stdev = 1.0
weight_init_type = gaussian
weight_max_value = 3.0
weight_min_value = -3.0
weight_mutate_power = 0.5
weight_mutate_rate = 0.6
weight_replace_rate = 0.1
enabled_default = True
enabled_mutate_rate = 0.05
enabled_rate_to_true_add = 0.0
enabled_rate_to_false_add = 0.0

[DefaultSpeciesSet]
compatibility_threshold = 3.0

[DefaultStagnation]
species_fitness_func = max
max_stagnation = 20
species_elitism = 1

[DefaultReproduction]
elitism = 1
survival_threshold = 0.2
min_species_size = 1
"""


def random_genome(neat, folder, seed, *, steps=30, activations=ACTIVATIONS, aggregation="sum", feed_forward=True):
    """A genome that `steps` changes made, and its configuration."""
    path = folder / "config.ini"
    text = CONFIG.format(hidden=seed % 4, activation=activations[seed % len(activations)], aggregation=aggregation,
                         activations=" ".join(activations), feed_forward=feed_forward)  # fmt: skip
    path.write_text(text)
    config = neat.Config(neat.DefaultGenome, neat.DefaultReproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation,
                         str(path))  # fmt: skip
    config.genome_config.innovation_tracker = neat.InnovationTracker()
    random.seed(seed)
    genome = neat.DefaultGenome(seed)
    genome.configure_new(config.genome_config)
    for _ in range(steps):
        genome.mutate(config.genome_config)
    return genome, config
