"""Convolutional networks as scikit-learn estimators.

Reading order: `image_inputs` (X as images), `samples` (rows with their weights), `automatic` (the
network and settings by default), `backbone_images` (X as a backbone reads it), `on_backbone`
(training on one), `_estimator` (the base class: training and prediction), then `classifier` and
`regressor`.
"""

from striate.estimators.classifier import ConvNetClassifier
from striate.estimators.regressor import ConvNetRegressor

__all__ = ["ConvNetClassifier", "ConvNetRegressor"]
