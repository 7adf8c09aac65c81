"""Runs on the pruning limit of trained networks."""
