"""What a network computes on its training data, captured before every activation function."""
