"""Networks to train and prune."""
