"""Worker processes, and the shards of restarts that they train."""
