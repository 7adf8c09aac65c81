"""Pruning before training, to learn sparse features from few samples in high dimension."""
