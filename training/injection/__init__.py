"""Training of the injection detectors: data and, beside it, the models of the cheap cascade."""
