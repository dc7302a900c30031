"""Convolution and its gradients: the algorithms, and the choice among them."""
