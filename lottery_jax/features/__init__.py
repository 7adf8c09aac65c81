"""Runs on sparse features: which inputs pruning keeps, and how many samples that saves."""
