"""East wing: scores as pure functions on arrays; no files, no torch."""
