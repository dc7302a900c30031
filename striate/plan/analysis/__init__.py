"""Step 1 of a plan, analysis: a model becomes operations.

`operations` drops views and fuses activations, which `activations` and `activation_curves` write as
expressions; `batchnorm_folding` folds batch normalisation and `Affine` into the weights before
them, where these no longer change.
"""
