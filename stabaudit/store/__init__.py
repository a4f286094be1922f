"""The hinge: run folders on disk. Only this package touches run files."""
