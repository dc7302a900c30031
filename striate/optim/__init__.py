"""Losses, optimisers and learning-rate schedules, as plain NumPy.

losses       softmax cross-entropy and mean squared error, with their gradients
optimizers   SGD and AdamW, which update the parameters by a gradient
schedules    the learning rate of each step
"""
