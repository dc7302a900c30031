"""A network as data: its graph, its parameters, its preprocessing, and model files.

preprocessing   raw pixels to the network's input
parameters      all parameters in one buffer, and their initialisation
graph           layers in order, with names; graphs from and to descriptions
cuts            places where a network can be cut in two
model           all of these as one object, below `striate.network.Network`
traversal       the order of a forward and of a backward pass
image_arrays    checks of a user's images
container       safetensors files
files           model files: a whole network in one safetensors file
"""
