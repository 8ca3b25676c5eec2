"""Training sets of models over a grid of hyperparameters."""
