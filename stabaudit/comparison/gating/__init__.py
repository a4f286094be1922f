"""Scores against bounds and baselines."""
