"""Known architectures as graphs: layered and convolutional networks, and transformers."""

from netgraph.graph.architectures.convolutional import VGG_SCALES, VGG_STAGES, convnet, resnet, vgg
from netgraph.graph.architectures.layered import mlp
from netgraph.graph.architectures.transformers import gpt, transformer_encoder, vit

__all__ = ["VGG_SCALES", "VGG_STAGES", "convnet", "gpt", "mlp", "resnet", "transformer_encoder", "vgg", "vit"]
