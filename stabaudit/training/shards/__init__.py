"""Shards of restarts: what is ordered of a worker, and how it trains them."""
