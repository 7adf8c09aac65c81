"""The proof of the lower bound as experiments: which steps hold, with what constants."""
