"""One training step of many restarts."""
