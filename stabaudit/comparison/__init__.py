"""East wing: runs and latents files → scores of pairs → intervals and tests, as typed results."""
