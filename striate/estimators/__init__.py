"""Convolutional networks as scikit-learn estimators."""

from striate.estimators.classifier import ConvNetClassifier
from striate.estimators.regressor import ConvNetRegressor

__all__ = ["ConvNetClassifier", "ConvNetRegressor"]
