"""Losses, optimisers and learning-rate schedules, as plain NumPy.

losses       softmax cross-entropy and mean squared error, with their gradients
optimizer    what optimisers have in common
optimizers   SGD and AdamW, which update the parameters by a gradient, and all by name
layerwise    LARS and LAMB, for large batches
schedules    the learning rate of each step
"""
