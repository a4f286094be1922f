"""Latents from elsewhere become runs."""
