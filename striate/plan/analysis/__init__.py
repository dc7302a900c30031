"""Step 1 of a plan, analysis: a model becomes operations.

`operations` drops views and fuses activations; `batchnorm_folding` folds batch normalisation into
the weights before it, where these no longer change.
"""
