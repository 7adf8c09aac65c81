"""Rivals side by side: `python -m benchmarks` runs every case and prints one table."""
