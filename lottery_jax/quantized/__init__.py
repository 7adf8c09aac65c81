"""Quantised networks: which of them pruning represents exactly."""
