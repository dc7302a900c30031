"""scikit-learn estimators; the public names are in ``striate.estimator``."""
