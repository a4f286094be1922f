"""The exact-likelihood experiment (Kivva et al. 2022, Fig. 1)."""
