"""Back from tensors to graphs: weights, statistics, and training state across rewrites.

Import from `compilers`; nothing is imported here, since lowering needs the collectors of statistics.
"""
